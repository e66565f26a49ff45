"""The stage report: one page of tables and figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ptmiss.core.figures.chart import Chart, Figure, Series
from ptmiss.core.figures.paint import draw_all
from ptmiss.core.html.text import number
from ptmiss.core.io import atomic
from ptmiss.core.report.sections import Content, Origin, Table, Verdict, build
from ptmiss.core.resources import RESOURCES
from ptmiss.core.tables import Entry
from shower_energy.settings import Config
from shower_energy.words import AXES, BASELINES, NETWORK, QUANTITIES, TABLE

LOOKS = {NETWORK: ("#D55E00", "D"), BASELINES[0]: ("#0072B2", "s")}


def report(
    results: Sequence[str], config: Config, revision: str, threads: int, report: str, summary: str
) -> None:
    """Write page and summary."""
    paths: dict[str, list[str]] = {}
    for text in results:
        kind, _, path = text.partition("=")
        paths.setdefault(kind, []).append(path)
    rows = {Path(path).stem: list(TABLE.read(path)) for path in paths["tables"]}
    figures = [figure for training in rows for figure in _figures(training, rows[training])]
    pictures = draw_all((figure.chart for figure in figures), config.report.dpi, threads)
    settings = config.model_dump(mode="json")
    content = Content(
        config.report.title,
        "Toy showers in four layers of a calorimeter.",
        verdicts=[_verdict(training, rows[training]) for training in rows],
        tables=[_table(training, rows[training]) for training in rows],
        figures=list(zip(figures, pictures, strict=True)),
        sections={"performance": "Performance"},
    )
    origin = Origin(
        settings, paths["tables"] + paths["records"], paths.get("benchmarks", ()), revision
    )
    result = {"task": config.task, "trainings": {name: len(rows[name]) for name in rows}}
    with atomic.replacing(report) as temporary:
        text = build(RESOURCES / "report", content, origin, result)
        temporary.write_text(text, encoding="utf-8")
    atomic.write_json(summary, result)


def _verdict(training: str, rows: Sequence[Entry]) -> Verdict:
    mean = {
        name: np.mean([row.numbers["value"] for row in _of(rows, name, "resolution")])
        for name in LOOKS
    }
    better = bool(mean[NETWORK] < mean[BASELINES[0]])
    return Verdict(f"{training} is {'' if better else 'not '}better than the plain sum", better)


def _of(rows: Sequence[Entry], estimator: str, quantity: str) -> list[Entry]:
    return [
        row
        for row in rows
        if (row.words["estimator"], row.words["quantity"]) == (estimator, quantity)
        and not math.isnan(row.numbers["value"])
    ]


def _table(training: str, rows: Sequence[Entry]) -> Table:
    cells = [
        (
            f"{row.words['sample']}, {row.words['estimator']}",
            f"{row.numbers['bin_low']:g}-{row.numbers['bin_high']:g}",
            QUANTITIES[row.words["quantity"]].words,
            number(row.numbers["value"]),
        )
        for row in rows
    ]
    titles = ("Sample, estimator", "True energy [GeV]", "Quantity", "Value")
    return Table(f"Training {training}", titles, cells)


def _figures(training: str, rows: Sequence[Entry]) -> Iterator[Figure]:
    for quantity, words in QUANTITIES.items():
        series = [_series(_of(rows, name, quantity), name) for name in LOOKS]
        chart = Chart(series, AXES["energy"].symbol, words.symbol, training, y_range="data")
        cells = [
            {**row.words, **row.numbers, "n_events": int(row.numbers["n_events"])} for row in rows
        ]
        text = TABLE.csv(tuple(values[name] for name in TABLE.names) for values in cells)
        yield Figure(
            "performance", training, (training, quantity), words.words,
            f"{words.words} against the true energy.", words.words, chart, text,
        )  # fmt: skip


def _series(rows: Sequence[Entry], name: str) -> Series:
    names = ("bin_low", "bin_high", "value", "err_low", "err_high")
    low, high, *numbers = (np.array([row.numbers[column] for row in rows]) for column in names)
    colour, marker = LOOKS[name]
    return Series(name, colour, low, high, *numbers, marker)
