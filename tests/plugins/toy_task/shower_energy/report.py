"""The stage report: one page of tables and figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ptmiss.core.figures.chart import Chart, Figure, Series
from ptmiss.core.figures.paint import draw_all
from ptmiss.core.html.text import number
from ptmiss.core.io import atomic, csv
from ptmiss.core.report.sections import Content, Origin, Table, Verdict, build
from ptmiss.core.resources import RESOURCES
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
    rows = {Path(path).stem: [row for _, row in csv.read(path, TABLE)] for path in paths["tables"]}
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


def _verdict(training: str, rows: Sequence[csv.Row]) -> Verdict:
    mean = {
        name: np.mean([float(r["value"]) for r in _of(rows, name, "resolution")]) for name in LOOKS
    }
    better = bool(mean[NETWORK] < mean[BASELINES[0]])
    return Verdict(f"{training} is {'' if better else 'not '}better than the plain sum", better)


def _of(rows: Sequence[csv.Row], estimator: str, quantity: str) -> list[csv.Row]:
    return [
        row
        for row in rows
        if (row["estimator"], row["quantity"]) == (estimator, quantity) and row["value"]
    ]


def _table(training: str, rows: Sequence[csv.Row]) -> Table:
    cells = [
        (
            f"{row['sample']}, {row['estimator']}",
            f"{row['bin_low']}-{row['bin_high']}",
            QUANTITIES[row["quantity"]].words,
            number(float(row["value"])),
        )
        for row in rows
        if row["value"]
    ]
    titles = ("Sample, estimator", "True energy [GeV]", "Quantity", "Value")
    return Table(f"Training {training}", titles, cells)


def _figures(training: str, rows: Sequence[csv.Row]) -> Iterator[Figure]:
    for quantity, words in QUANTITIES.items():
        series = [_series(_of(rows, name, quantity), name) for name in LOOKS]
        chart = Chart(series, AXES["energy"].symbol, words.symbol, training, y_range="data")
        text = "\n".join([",".join(TABLE.columns), *(",".join(row.values()) for row in rows)])
        yield Figure(
            "performance", training, (training, quantity), words.words,
            f"{words.words} against the true energy.", words.words, chart, text + "\n",
        )  # fmt: skip


def _series(rows: Sequence[csv.Row], name: str) -> Series:
    names = ("bin_low", "bin_high", "value", "err_low", "err_high")
    low, high, *numbers = (np.array([float(row[column]) for row in rows]) for column in names)
    colour, marker = LOOKS[name]
    return Series(name, colour, low, high, *numbers, marker)
