"""What the figures of all tables share: series from rows, words of axes and quantities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from ptmiss.core.figures.chart import Chart, Series, empty_bins, span
from ptmiss.core.html.text import count
from ptmiss.tasks.met.report.samples import Kind
from ptmiss.tasks.met.report.style import Look, looks
from ptmiss.tasks.met.report.tables import TOGETHER


@dataclass(frozen=True)
class Context:
    """What figures need besides the tables.

    kinds: in the order of the page; qt_split: q_T in GeV between the panels of low and high q_T;
    bosons: samples that are measured against a boson; events: of each sample in the test folds;
    brief: samples that only stand in for data, of which few figures are drawn.
    """

    kinds: Mapping[str, Kind]
    qt_split: float
    bosons: frozenset[str] = frozenset()
    events: Mapping[str, float] = field(default_factory=dict)
    brief: frozenset[str] = frozenset()

    def section(self, sample: str) -> str:
        """Return the section that a sample's figures stand in."""
        return "performance" if sample in self.bosons else "final-states"

    def in_order(self, frame: pd.DataFrame, column: str = "sample") -> Iterable[tuple[str, Kind]]:
        """Yield the samples that a frame has, in the order of the page."""
        present = set(frame[column].unique())
        for name, kind in self.kinds.items():
            if name in present:
                yield name, kind


class Words(NamedTuple):
    """Heading and caption of a figure."""

    heading: str
    text: str


def of_training(training: str) -> str:
    """Return the sentence of a caption that names a training; nothing where several are drawn."""
    return "" if training in ("", TOGETHER) else f" Training {training}."


def series_of(
    rows: pd.DataFrame,
    by: str = "estimator",
    look_of: Callable[[Iterable[str]], Mapping[str, Look]] = looks,
    style: str = "points",
    columns: tuple[str, str, str] = ("value", "err_low", "err_high"),
) -> tuple[Series, ...]:
    """Return a series for each value of the column `by`, in the order in which they are drawn."""
    parts = {str(name): part.sort_values("bin_low") for name, part in rows.groupby(by)}
    several = []
    for name, look in look_of(parts).items():
        left, right, value, low, high = arrays(parts[name], "bin_low", "bin_high", *columns)
        series = Series(look.label, look.colour, left, right, value, low, high)
        several.append(replace(series, marker=look.marker, filled=look.filled, style=style))
    return tuple(several)


def arrays(rows: pd.DataFrame, *columns: str) -> list[np.ndarray]:
    """Return columns as numbers."""
    return [rows[column].to_numpy(np.float64) for column in columns]


def groups(rows: pd.DataFrame, *columns: str) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Yield the values of columns with the rows that have them, in the order of the table."""
    for key, part in rows.groupby(list(columns), sort=False):
        yield tuple(map(str, key)), part


def most_events(rows: pd.DataFrame, by: str = "estimator", column: str = "n_events") -> float:
    """Return the events of all bins, of the series that has most of them."""
    sums = rows.groupby(by)[column].sum()
    return float(sums.max()) if len(sums) else 0.0


def numbers(n_events: float, chart: Chart, unit: str = "") -> str:
    """Return the sentences of a caption on events, range and empty bins."""
    text = f" {count(n_events)} test events" if n_events else ""
    low, high = chart.x_range or span(chart.series)
    if text and not chart.ticks:
        text += f" between {low:g} and {high:g}{f' {unit}' if unit else ''}"
    text = text and text + "."
    n = len(empty_bins(chart.series))
    if n:
        text += f" {n} bin{'s' if n > 1 else ''} without a value for lack of events."
    return text


def names_of(series: Iterable[Series]) -> str:
    """Return the labels of series as words of a sentence."""
    return ", ".join(one.label for one in series)


def narrowest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose bin holds no other bin of the table.

    An axis may also have wide bins for quoted numbers (q_t from 0 to 150 GeV) over the narrow ones
    that a figure shows.
    """
    bins = set(zip(rows["bin_low"], rows["bin_high"], strict=True))
    wide = {
        (low, high)
        for low, high in bins
        if any(low <= a and b <= high and (a, b) != (low, high) for a, b in bins)
    }
    keep = [pair not in wide for pair in zip(rows["bin_low"], rows["bin_high"], strict=True)]
    return rows[keep]


def drawn_variations(frame: pd.DataFrame) -> list[str]:
    """Return the variations that get figures: `nominal` alone where it exists, else all."""
    variations = sorted(frame["variation"].unique())
    return ["nominal"] if "nominal" in variations else variations
