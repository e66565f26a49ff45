"""Pages of the site that are made from the code: read by MkDocs as a hook (mkdocs.yml)."""

from __future__ import annotations

import html
import json
import posixpath
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
sys.path.insert(0, str(Path(__file__).parent))
import api_pages
import commands_page
import settings_page
import skim_page
import tables_page

from ptmiss.stages import stages_of

ROOT = Path(__file__).resolve().parents[2]

GENERATED = {
    "reference/settings.md": lambda: settings_page.text(ROOT / "config.yaml"),
    "reference/commands.md": lambda: commands_page.text(stages_of()),
    "reference/architecture.md": lambda: _own("ARCHITECTURE.md"),
    "reference/contributing.md": lambda: _own("CONTRIBUTING.md"),
    "reference/changelog.md": lambda: _own("CHANGELOG.md"),
}
"""Address of a page -> what gives its text."""

API = api_pages.pages(ROOT / "scripts" / "ptmiss")
"""The same for the pages of functions, the list of rooms first."""

COLUMNS = {
    "<!-- tables of the skim -->": skim_page.text,
    "<!-- tables of a run -->": tables_page.text,
}
"""Lines of data-model.md, and what they are replaced by: tables of all columns."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of functions where the navigation says `Functions`."""
    (reference,) = (entry["Reference"] for entry in config.nav if "Reference" in entry)
    (functions,) = (entry for entry in reference if "Functions" in entry)
    first, *rooms = API
    functions["Functions"] = [{"Rooms": first}, *({Path(room).stem: room} for room in rooms)]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from the code."""
    texts = {address: make() for address, make in GENERATED.items()}
    for address, text in (texts | API).items():
        files.append(File.generated(config, address, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Fill in figures and the tables of columns."""
    for mark, make in COLUMNS.items():
        if mark in markdown:
            markdown = markdown.replace(mark, make())
    words = json.loads(_own("docs/figures/figures.json"))
    folder = posixpath.relpath("figures", posixpath.dirname(page.file.src_uri) or ".")
    return _FIGURE.sub(lambda found: _figure(found[1], words, folder), markdown)


_FIGURE = re.compile(r"^<!-- figure: (\w+) -->$", re.MULTILINE)


def _figure(name: str, words: dict[str, dict[str, str]], folder: str) -> str:
    """Return a figure with its caption; nothing where the run it is taken from has no such one."""
    if name not in words:
        return ""
    alt, heading = (html.escape(words[name][key]) for key in ("alt", "heading"))
    heading = re.sub(r"\b([mpq])_T\b", r"\1<sub>T</sub>", heading)
    return (
        f'<figure markdown="span">![{alt}]({folder}/{name}.png)'
        f"<figcaption>{heading}. Parametric simulation.</figcaption></figure>"
    )


def _own(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")
