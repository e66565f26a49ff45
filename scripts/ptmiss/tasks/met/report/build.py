"""The stage report: from tables, ledgers and benchmark files to one page and one summary."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ptmiss.core.figures.chart import Chart, Drawing, Figure, Picture
from ptmiss.core.figures.latex import readable
from ptmiss.core.figures.paint import draw_all
from ptmiss.core.html import page, provenance, stages
from ptmiss.core.html.text import script_json
from ptmiss.core.io.atomic import replacing, write_json
from ptmiss.core.io.records import Values
from ptmiss.core.paths import PathLike
from ptmiss.core.resources import RESOURCES
from ptmiss.tasks.met.report import (
    comparison,
    content,
    coverage,
    headlines,
    ledgers,
    low_recoil,
    notes,
    parity,
    record_rows,
    rows,
    samples,
    tables,
    verdict_rows,
    verdicts,
)
from ptmiss.tasks.met.report import summary as summaries
from ptmiss.tasks.met.report.figures import Inputs, PageFigures
from ptmiss.tasks.met.report.plots import gains
from ptmiss.tasks.met.settings.config import Config

_LOG = logging.getLogger(__name__)

TEMPLATES = RESOURCES / "report"
"""Folder of the page's templates."""

_RESOLUTIONS = [
    f"{quantity}{form}{correction}"
    for quantity in ("sigma_par", "sigma_perp", "sigma_xy", "sigma_met")
    for form in ("", "_rms")
    for correction in ("", headlines.BINS)
]


@dataclass(frozen=True)
class _Content:
    """The content of the inputs."""

    frame: pd.DataFrame
    heads: Mapping[str, list[headlines.Headline]]
    books: Sequence[ledgers.Ledger]
    times: Sequence[stages.Stage]


@dataclass(frozen=True)
class Outputs:
    """The page (HTML), the summary (JSON) and, where wanted, the first figure alone (PNG)."""

    report: PathLike
    summary: PathLike
    overview: PathLike | None = None


def build(
    inputs: Inputs,
    config: Config,
    outputs: Outputs,
    revision: str = "",
    order: Sequence[str] = (),
    threads: int = 1,
) -> None:
    """Write the page, the summary and the first figure. Equal inputs give equal bytes.

    Parameters
    ----------
    revision
        of the source, such as a git commit, or empty
    order
        names of the stages as the page lists them
    threads
        processes that draw

    Raises
    ------
    UserError
        for an input that cannot be used; then no file is written
    """
    heads = headlines.read(inputs.headlines)
    results = _Content(
        tables.read(inputs.tables),
        heads,
        ledgers.read(inputs.ledgers),
        stages.read(inputs.benchmarks, order),
    )
    numbers = headlines.index(results.frame, _RESOLUTIONS)
    headlines.compare(numbers, heads)
    settings = config.model_dump(mode="json")
    result = summaries.build(
        heads,
        numbers,
        results.books,
        results.times,
        {
            "revision": revision,
            "versions": provenance.versions(),
            "seeds": provenance.seeds(settings),
            "files": provenance.files(inputs.hashed()),
        },
        {
            "parity": parity.read(inputs.parity),
            "closure": verdicts.closures(inputs.closures),
            "gate": verdicts.gates(inputs.verdicts),
            "training": verdicts.records(inputs.records),
        },
    )
    names = [*results.frame["sample"].unique(), *(one.sample for one in results.books)]
    names += [one["sample"] for several in heads.values() for one in several]
    trainings = _drawn_trainings(results, list(settings["trainings"]))
    kinds = samples.Named(settings["samples"], names, _brief(config))
    everything = PageFigures(inputs, results.frame, result, kinds, trainings)
    figures: list[Figure] = []
    noted = _noted(everything.figures(config.performance.qt_split), figures)
    pictures = draw_all(noted, config.report.dpi, threads)
    values = _values(config, settings, results, result, everything.kinds, trainings)
    drawn = list(zip(figures, pictures, strict=True))
    values |= {
        "figure_count": len(drawn),
        "sections": content.sections(drawn, everything.kinds),
        "selects": content.selects(figures, everything.kinds),
    }
    groups = [group for section in values["sections"] for group in section["groups"]]
    values["drawn_ids"] = {group["id"] for group in groups}
    html = page.render(TEMPLATES, values, script_json(result))
    with replacing(outputs.report) as temporary:
        temporary.write_text(html, encoding="utf-8")
        if outputs.overview is not None:
            with replacing(outputs.overview) as picture:
                picture.write_bytes(_overview(drawn, config.report.dpi))
        write_json(outputs.summary, result)
    _LOG.info("%s: %d figures, %.1f MB", Path(outputs.report).name, len(drawn), len(html) / 1e6)


def _overview(drawn: Sequence[tuple[Figure, Picture]], dpi: int) -> bytes:
    """Return the figure of all final states, the first one where there is none, as PNG."""
    for figure, picture in drawn:
        if figure.group == gains.ALL:
            return picture.png
    nothing = Chart([], "", "", "no figures")
    return (drawn[0][1] if drawn else next(draw_all([nothing], dpi, 1))).png


def _noted(figures: Iterable[Figure], noted: list[Figure]) -> Iterator[Chart | Drawing]:
    """Yield the charts of figures, which are noted."""
    for figure in figures:
        noted.append(figure)
        yield figure.chart


def _values(
    config: Config,
    settings: Values,
    results: _Content,
    result: Values,
    kinds: Mapping[str, samples.Kind],
    drawn: Sequence[str],
) -> dict[str, Any]:
    trainings = sorted({*results.frame["training"].unique(), *results.heads})
    many = len(trainings) > 1
    return {
        "title": readable(config.report.title),
        "nature": notes.nature(list(kinds.values())),
        "missing": [
            *notes.missing(results.frame, results.heads, results.books, results.times),
            *notes.losses(results.books, results.heads),
            *notes.normalisation(results.books, config.samples),
            *notes.unmeasured(config),
            *notes.masked(result["closure"]),
        ],
        "many_trainings": many,
        "verdicts": verdict_rows.verdicts(result),
        "tests": verdict_rows.tests(result),
        "overviews": rows.overviews(result, kinds),
        "lead_training": comparison.lead_training(result),
        "overview_note": notes.overview_note(result) + notes.drawn_note(trainings, drawn),
        "low_recoil": low_recoil.tables(result, kinds),
        "coverage": coverage.rows(result, kinds),
        "matrices": comparison.matrices(result, kinds) if many else [],
        "generalisation": comparison.generalisation(result) if many else [],
        "everything": rows.everything(result, kinds),
        "further": rows.further_names(result),
        "trainings": record_rows.trainings(result),
        "variation_note": notes.variation_note(results.frame),
        "ledger": record_rows.ledger(results.books, kinds),
        "stages": stages.rows(results.times),
        "parity": record_rows.parity(result["parity"]),
        "revision": result["revision"],
        "versions": sorted(result["versions"].items()),
        "seeds": sorted(result["seeds"].items()),
        "files": sorted(result["files"].items()),
        "inputs": record_rows.inputs(results.books, kinds),
        "config": provenance.config_text(settings),
    }


def _drawn_trainings(results: _Content, order: Sequence[str]) -> list[str]:
    """Return the trainings that figures show: the first ones, where there are too many."""
    names = sorted({*results.frame["training"].unique(), *results.heads})
    names.sort(key=lambda name: order.index(name) if name in order else len(order))
    return names[: tables.MOST_TOGETHER]


def _brief(config: Config) -> list[str]:
    """Return the samples that stand in for data."""
    return [config.calibration.data, *config.calibration.apply.values()]
