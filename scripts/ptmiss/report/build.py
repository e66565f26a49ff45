"""The stage report: from tables, ledgers and benchmark files to one page and one summary."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ptmiss.io.atomic import replacing, write_json
from ptmiss.report import (
    content,
    figures,
    headlines,
    ledgers,
    page,
    parity,
    plan,
    provenance,
    rows,
    stages,
    tables,
)
from ptmiss.report import summary as summaries
from ptmiss.report.text import script_json
from ptmiss.settings.config import Config

_LOG = logging.getLogger(__name__)

_RESOLUTIONS = [f"{quantity}{form}" for quantity in plan.QUANTITIES for form in ("", "_rms")]

Paths = Sequence[str | os.PathLike[str]]


@dataclass(frozen=True)
class Inputs:
    """Files a report is drawn from; all but the tables may be absent, and the page says so."""

    tables: Paths
    headlines: Paths
    ledgers: Paths
    benchmarks: Paths
    parity: Paths = ()


def build(
    inputs: Inputs,
    config: Config,
    revision: str,
    templates: Path,
    report: str | os.PathLike[str],
    summary: str | os.PathLike[str],
) -> None:
    """Write the page `report` (HTML) and `summary` (JSON).

    revision: of the source, such as a git commit, or empty; templates: folder of the page's
    template. Equal inputs give equal bytes. Raises `UserError` for an input that cannot be used;
    then neither file is written.
    """
    frame = tables.read(inputs.tables)
    heads = headlines.read(inputs.headlines)
    numbers = headlines.index(frame, _RESOLUTIONS)
    headlines.compare(numbers, heads)
    books = ledgers.read(inputs.ledgers)
    times = stages.read(inputs.benchmarks)
    settings = config.model_dump(mode="json")
    made_with = {
        "revision": revision,
        "versions": provenance.versions(),
        "seeds": provenance.seeds(settings),
        "files": provenance.files([*inputs.tables, *inputs.headlines]),
    }
    verdicts = {"parity": parity.read(inputs.parity)}
    result = summaries.build(heads, numbers, books, times, made_with, verdicts)
    values = _values(config, settings, frame, heads, books, times, result)
    html = page.render(templates, values, script_json(result))
    with replacing(report) as temporary:
        temporary.write_text(html, encoding="utf-8")
        write_json(summary, result)
    _LOG.info("%s: %d figures, %.1f MB", Path(report).name, values["figure_count"], len(html) / 1e6)


def _values(
    config: Config,
    settings: Mapping[str, object],
    frame: pd.DataFrame,
    heads: Mapping[str, list[headlines.Headline]],
    books: Sequence[ledgers.Ledger],
    times: Sequence[stages.Stage],
    result: Mapping[str, object],
) -> dict[str, object]:
    names = [*dict.fromkeys(frame["sample"]), *(one.sample for one in books)]
    names += [sample["sample"] for samples in heads.values() for sample in samples]
    order = [*(name for name in settings["samples"] if name in names), *dict.fromkeys(names)]
    kinds = content.kinds(settings["samples"], dict.fromkeys(order))
    trainings = sorted({*frame["training"], *heads})
    many = len(trainings) > 1
    specs = list(plan.plan(tables.together(frame), config.performance.qt_split))
    specs.sort(key=lambda spec: list(kinds).index(spec.sample))
    painter = figures.Painter(config.report.dpi)
    drawn = []
    for spec in specs:
        kind = kinds[spec.sample]
        drawn.append((spec, painter.draw(spec, kind.origin, kind.label)))
    groups = content.groups(drawn, kinds, many)
    overview = rows.overview(result, kinds)
    leaders = {row["estimator"] for row in overview}
    return {
        "title": config.report.title,
        "nature": _nature(list(kinds.values())),
        "missing": _missing(frame, heads, books, times),
        "many_trainings": many,
        "overview": overview,
        "has_network": any(row["network"] for row in overview),
        "leader": leaders.pop() if len(leaders) == 1 else "",
        "overview_note": _overview_note(result),
        "matrices": rows.matrices(result, kinds) if many else [],
        "everything": rows.everything(result, kinds),
        "variation_note": _variation_note(frame),
        "figure_count": len(drawn),
        "groups": groups,
        "drawn_ids": {group["id"] for group in groups},
        "selects": content.selects(groups),
        "ledger": rows.ledger(books, kinds),
        "stages": rows.stages(times),
        "parity": rows.parity(result["parity"]),
        "revision": result["revision"],
        "versions": sorted(result["versions"].items()),
        "seeds": sorted(result["seeds"].items()),
        "files": sorted(result["files"].items()),
        "inputs": rows.inputs(books, kinds),
        "config": provenance.config_text(settings),
    }


def _nature(kinds: Sequence[content.Kind]) -> str:
    """Say in one sentence what the page's events are."""
    simulated = [kind for kind in kinds if kind.sentence == content.SIMULATED]
    if not kinds or len(simulated) == len(kinds):
        return content.SIMULATED
    if not simulated:
        return "The events of this page were read from files; each sample says what it is."
    others = ", ".join(f"{kind.label} ({kind.origin})" for kind in kinds if kind not in simulated)
    return f"{content.SIMULATED} Except: {others}."


def _missing(
    frame: pd.DataFrame,
    heads: Mapping[str, object],
    books: Sequence[ledgers.Ledger],
    times: Sequence[stages.Stage],
) -> list[str]:
    """Say what this report was not given, so that an absence is not taken for a result."""
    lines = []
    if frame.empty:
        lines.append("No performance numbers: the tables are empty.")
    without = sorted(set(frame["training"]) - set(heads))
    if without:
        lines.append(
            f"No headline numbers for {', '.join(without)}: gains and their intervals are missing."
        )
    empty = [
        sample["label"]
        for samples in heads.values()
        for sample in samples
        if not any(
            bounds["value"] is not None
            for values in sample["estimators"].values()
            for name, bounds in values.items()
            if name.startswith("sigma") and bounds is not None
        )
    ]
    if empty:
        labels = ", ".join(dict.fromkeys(empty))
        lines.append(f"Too few events for a response-corrected resolution: {labels}.")
    if not books:
        lines.append("No event ledgers: how many events were rejected or repaired is not known.")
    broken = [one.sample for one in books if not one.balanced]
    if broken:
        lines.append(f"The event ledger does not add up for {', '.join(broken)}: events were lost.")
    if not times:
        lines.append("No benchmark files: run time and memory are not known.")
    return lines


def _overview_note(result: Mapping[str, object]) -> str:
    trainings = result["trainings"].values()
    names = {name for samples in trainings for one in samples for name in one["estimators"]}
    notes = []
    if "deepmet" not in names:
        notes.append(
            "No trained network is among the estimators, so the best classical one stands here."
        )
    if "oracle" not in names:
        notes.append("No sample has the truth of its candidates, so there is no oracle.")
    return " ".join(notes)


def _variation_note(frame: pd.DataFrame) -> str:
    drawn = plan.drawn_variations(frame)
    others = sorted(set(frame["variation"]) - set(drawn))
    if not others:
        return ""
    return f"Drawn: variation {', '.join(drawn)}. In the tables only: {', '.join(others)}."
