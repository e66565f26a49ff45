"""A page of verdicts, tables and figures, for any task: what stands on it, and how it was made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from ptmiss.core.figures.chart import Figure, Picture
from ptmiss.core.figures.latex import readable
from ptmiss.core.html import page, provenance, stages
from ptmiss.core.html.page import data_address
from ptmiss.core.html.text import script_json
from ptmiss.core.paths import PathLike

Paths = Sequence[PathLike]


@dataclass(frozen=True)
class Verdict:
    """A judgement in words."""

    text: str
    passed: bool


@dataclass(frozen=True)
class Table:
    """A table of words and numbers, which are words already; the first cell names its row."""

    heading: str
    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Origin:
    """What a page was made with.

    settings: the whole configuration as plain values; files: those that numbers on the page come
    from; benchmarks: Snakemake's, one a job; revision: of the source, empty where it is not known.
    """

    settings: Mapping[str, object]
    files: Paths
    benchmarks: Paths = ()
    revision: str = ""


@dataclass(frozen=True)
class Content:
    """What a page shows.

    nature: one sentence on what the data are; missing: what a reader may expect and not find;
    sections: name of a section of figures -> its heading, in the order of the page.
    """

    title: str
    nature: str
    verdicts: Sequence[Verdict] = ()
    missing: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[tuple[Figure, Picture]] = ()
    sections: Mapping[str, str] | None = None


def build(templates: Path, content: Content, origin: Origin, summary: object) -> str:
    """Return the page as text.

    templates: the folder of the page's templates; summary: plain values that the page carries for
    programs. Equal arguments give equal text. Raises `UserError` for files that cannot be read.
    """
    values = {
        "title": readable(content.title),
        "nature": content.nature,
        "verdicts": content.verdicts,
        "missing": content.missing,
        "tables": [
            {**table.__dict__, "id": identifier("table", table.heading)} for table in content.tables
        ],
        "sections": _sections(content),
        "stages": stages.rows(stages.read(origin.benchmarks)),
        "revision": origin.revision,
        "versions": sorted(provenance.versions().items()),
        "seeds": sorted(provenance.seeds(origin.settings).items()),
        "files": sorted(provenance.files(origin.files).items()),
        "inputs": None,
        "config": provenance.config_text(origin.settings),
    }
    return page.render(templates, values, script_json(summary), "sections.html.j2")


def _sections(content: Content) -> list[dict[str, object]]:
    labels = content.sections or {}
    by_section: dict[str, list[dict[str, object]]] = {name: [] for name in labels}
    for figure, picture in content.figures:
        by_section.setdefault(figure.section, []).append(entry(figure, picture))
    return [
        {"id": identifier("section", name), "label": labels.get(name, name), "figures": figures}
        for name, figures in by_section.items()
        if figures
    ]


def identifier(*parts: str) -> str:
    """Return a name usable as an element's id and as a file name, for any text.

    Letters, digits, underscores and hyphens stay; every other character becomes its hexadecimal
    code, so that two different texts never give the same name.
    """
    return "-".join(
        re.sub(r"[^A-Za-z0-9_]", lambda match: f".{ord(match[0]):x}.", part) for part in parts
    )


def entry(figure: Figure, picture: Picture, pair: str = "") -> dict[str, object]:
    """Return what the template needs of one figure; pair: what it has in common with its likes."""
    n = picture.outside
    outside = (
        f" {n} point{'s lie' if n > 1 else ' lies'} outside the drawn range; the table has "
        f"{'them' if n > 1 else 'it'}."
        if n
        else ""
    )
    return {
        "id": identifier("figure", *figure.parts),
        "sample": figure.sample,
        "training": figure.training,
        "quantity": figure.quantity[0],
        "axis": figure.axis[0],
        "form": figure.form,
        "section": figure.section,
        "pair": pair,
        "words": " ".join([*figure.parts, figure.alt, figure.heading]).lower(),
        "image": Markup(data_address("image/png", picture.png)),
        "pdf": Markup(data_address("application/pdf", picture.pdf)),
        "table": Markup(data_address("text/csv", figure.table)),
        "alt": figure.alt,
        "width": picture.width,
        "height": picture.height,
        "heading": figure.heading,
        "caption": figure.caption + outside,
    }
