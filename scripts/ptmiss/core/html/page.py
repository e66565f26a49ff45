"""The HTML page: one self-contained file under a strict content-security policy."""

from __future__ import annotations

import base64
import hashlib
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from ptmiss.core.html.text import clean, clean_lines

STYLES = ("page.css", "figures.css")
SCRIPTS = ("page.js", "compare.js")


def data_address(kind: str, content: bytes | str) -> str:
    """Return a data: address of the given media type; bytes in base64, text percent-encoded."""
    if isinstance(content, bytes):
        return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
    return f"data:{kind};charset=utf-8,{urllib.parse.quote(content, safe='/:,;=+-_.~')}"


def policy(style: str, script: str) -> str:
    """Return the content-security policy: this style and script, embedded images, nothing else."""
    return (
        f"default-src 'none'; style-src 'sha256-{_digest(style)}'; "
        f"script-src 'sha256-{_digest(script)}'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def render(
    templates: Path, values: Mapping[str, object], summary_json: str, template: str = "page.html.j2"
) -> str:
    """Return the page as text.

    templates: folder of the template and its parts, style sheets and scripts. values: what it
    shows; every string among them is cleaned (`text.clean`) and escaped. summary_json:
    JSON already made safe for a script element (`text.script_json`). A name that the template
    misses is an error.
    """
    style, script = (_joined(templates, names) for names in (STYLES, SCRIPTS))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["lines"] = lambda text: _Lines(clean_lines(text))
    return environment.get_template(template).render(
        **values,
        # the three texts that are ours, or made safe above
        css=Markup(style),
        js=Markup(script),
        summary_json=Markup(summary_json),
        policy=policy(style, script),
    )


def _joined(templates: Path, names: Sequence[str]) -> str:
    return "\n".join((templates / name).read_text(encoding="utf-8") for name in names)


class _Lines(str):
    """Text that keeps its line breaks; still escaped by the template."""


def _finalize(value: object) -> object:
    if isinstance(value, Markup | _Lines):
        return value
    return clean(value) if isinstance(value, str) else value
