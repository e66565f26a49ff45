"""What a figure shows, as plain numbers and words: made without drawing, drawn in any process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

SIMULATION = "Parametric simulation"
"""Printed on every figure of simulated events of our own."""


@dataclass(frozen=True)
class Series:
    """The numbers of one estimator, training or group, each of shape (n,); NaN: no value.

    left and right are the edges of bins, or equal where the numbers belong to points. low and high
    bound the interval that is drawn as a band. style: "points" (a marker in each bin), "line"
    (through points), "steps" (a histogram).
    """

    label: str
    colour: str
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    marker: str = "o"
    filled: bool = True
    style: str = "points"
    dashed: bool = False

    def over(self, divisor: Series) -> Series:
        """Return value and interval divided by another series' value in the same bin."""
        below = dict(zip(divisor.edges(), divisor.value.tolist(), strict=True))
        by = np.array([below.get(edges, math.nan) for edges in self.edges()], dtype=np.float64)
        by[~(by > 0.0)] = math.nan
        return replace(self, value=self.value / by, low=self.low / by, high=self.high / by)

    def edges(self) -> list[tuple[float, float]]:
        """Return the bins."""
        return list(zip(self.left.tolist(), self.right.tolist(), strict=True))


@dataclass(frozen=True)
class Chart:
    """A figure of series over a common axis.

    x, y: axis titles with units, mathtext allowed. what: sample and number of events, printed above
    the frame on the right. title: of the legend. y_range: "zero" (from zero up), "data" (around the
    values), "response", "centred" (around zero), or two numbers; x_range: two numbers, or what the
    series cover. guide: height of a dashed line. ratio: index of the series that the lower panel
    divides by, and ratio_label its axis title; None for no panel. diagonal: draw y = x.
    rows: names (mathtext allowed) of the rows of a chart of horizontal intervals, where `value` is
    horizontal and `left` the index of the row; empty for a usual chart. ticks: places and names of
    a horizontal axis without numbers.
    """

    series: Sequence[Series]
    x: str
    y: str
    what: str
    origin: str = SIMULATION
    title: str = ""
    y_range: str | tuple[float, float] = "zero"
    x_range: tuple[float, float] | None = None
    x_log: bool = False
    y_log: bool = False
    guide: float | None = None
    ratio: int | None = None
    ratio_label: str = ""
    diagonal: bool = False
    rows: tuple[str, ...] = ()
    ticks: tuple[tuple[float, str], ...] = ()


class Drawing(Protocol):
    """A figure that draws itself, where a chart does not serve."""

    def draw_on(self, figure: MatplotlibFigure) -> int:
        """Draw on an empty figure; return how many values lie beyond the drawn range."""


@dataclass(frozen=True)
class Picture:
    """A drawn figure. png, pdf: the files; width, height: pixels; outside: points beyond the
    drawn vertical range."""

    png: bytes
    pdf: bytes
    width: int
    height: int
    outside: int


@dataclass(frozen=True)
class Figure:
    """A figure with all that the page says of it.

    section: of the page; group: heading it stands under, with its sentence `group_text`; parts:
    what it is called by, unique within a page; sample, training, quantity, axis, form: what the
    filter chooses by, quantity and axis with their words; further: shown folded below the others;
    empty_bins: bins without a value for some estimator. table: the numbers as CSV.
    """

    section: str
    group: str
    parts: tuple[str, ...]
    heading: str
    caption: str
    alt: str
    chart: Chart | Drawing
    table: str
    sample: str = ""
    training: str = ""
    quantity: tuple[str, str] = ("", "")
    axis: tuple[str, str] = ("", "")
    form: str = "plain"
    further: bool = False
    empty_bins: tuple[tuple[float, float], ...] = ()
    group_text: str = ""


def empty_bins(series: Sequence[Series]) -> tuple[tuple[float, float], ...]:
    """Return the bins in which some series has no value."""
    empty = {
        edges
        for one in series
        for edges, value in zip(one.edges(), one.value.tolist(), strict=True)
        if math.isnan(value)
    }
    return tuple(sorted(empty))


def span(series: Sequence[Series]) -> tuple[float, float]:
    """Return the range that finite edges of all series cover; (0, 1) where there is none."""
    edges = np.concatenate(
        [np.zeros(0), *(side for one in series for side in (one.left, one.right))]
    )
    edges = edges[np.isfinite(edges)]
    if not len(edges) or edges.min() == edges.max():
        return 0.0, 1.0
    return float(edges.min()), float(edges.max())


def covered(series: Sequence[Series]) -> tuple[float, float] | None:
    """Return the range of bins that have a value, if it is less than half of all; else None."""
    sides = [side[np.isfinite(one.value)] for one in series for side in (one.left, one.right)]
    edges = np.concatenate([np.zeros(0), *sides])
    edges = edges[np.isfinite(edges)]
    low, high = span(series)
    if not len(edges) or edges.max() - edges.min() >= 0.5 * (high - low):
        return None
    return float(edges.min()), float(edges.max())
