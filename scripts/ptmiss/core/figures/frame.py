"""What surrounds the numbers of a figure: axes at fixed places, marks, titles, header, legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator

from ptmiss.core.figures.formulas import fitting, settable, width
from ptmiss.core.figures.style import FIGURE_SIZE, LABEL_SIZE, TEXT_SIZE, TICK_SIZE

Place = tuple[float, float, float, float]
"""Left, bottom, width, height of a panel as shares of the figure."""

WHOLE: Place = (0.13, 0.115, 0.845, 0.815)
UPPER: Place = (0.13, 0.335, 0.845, 0.595)
LOWER: Place = (0.13, 0.115, 0.845, 0.205)

_GAP = 4.5
"""Points between the frame and its numbers."""

_LONG, _SHORT = 5.0, 2.5
"""Lengths of marks with and without numbers, in points."""

_SIGN, _APART, _LINE = 19.0, 13.0, 15.5
"""Of a legend: width of a sign with its gap, between columns, from line to line, in points."""

_INSIDE = 7.5
"""Points between the frame and the legend."""


def add_panel(figure: Figure, place: Place, x_log: bool = False, y_log: bool = False) -> Axes:
    """Add axes without marks, which come by `marks`.

    Matplotlib's own marks, an object with three lines and two texts for each, take more than half
    of the time of a figure.
    """
    panel = figure.add_axes(place)
    panel.xaxis.set_visible(False)
    panel.yaxis.set_visible(False)
    if x_log:
        panel.set_xscale("log")
    if y_log:
        panel.set_yscale("log")
    return panel


def size(panel: Axes) -> tuple[float, float]:
    """Return width and height of a panel in points."""
    box = panel.get_position()
    return box.width * FIGURE_SIZE[0] * 72.0, box.height * FIGURE_SIZE[1] * 72.0


def marks(
    panel: Axes, which: Literal["x", "y"], most: int = 8, end: float = math.inf, text: bool = True
) -> float:
    """Draw marks on both sides of an axis whose range is known, and numbers on one.

    most: intervals between numbers; end: beyond it there are no marks; text: whether there are
    numbers. Returns the width of the widest number in points.
    """
    axis = panel.xaxis if which == "x" else panel.yaxis
    low, high = sorted(map(float, axis.get_view_interval()))
    log = axis.get_scale() == "log"
    long, short = _decades(low, high) if log else _steps(low, high, most)
    margin = 1e-9 * (high - low)
    long, short = (
        places[(places >= low - margin) & (places <= min(high, end) + margin)]
        for places in (long, short)
    )
    _strokes(panel, which, long, short)
    numbers, factor = labels(long, log) if text else ([], "")
    for place, number in zip(long.tolist(), numbers, strict=False):
        write(panel, which, place, number)
    wide, high = size(panel)
    if factor and which == "x":
        panel.text(1.0, -26.0 / high, factor, transform=panel.transAxes, ha="right")
    elif factor:
        panel.text(-_GAP / wide, 1.0 + _GAP / high, factor, transform=panel.transAxes, ha="right")
    return max((width(number, TICK_SIZE) for number in numbers), default=0.0)


def write(
    panel: Axes,
    which: Literal["x", "y"],
    place: float,
    text: str,
    letters: float = TICK_SIZE,
    gap: float = _GAP,
) -> None:
    """Write a text at its place along an axis, below the frame or left of it.

    letters: size in points; gap: to the frame in points.
    """
    wide, high = size(panel)
    if which == "x":
        at = panel.get_xaxis_transform()
        panel.text(place, -gap / high, text, transform=at, size=letters, ha="center", va="top")
    else:
        at, va = panel.get_yaxis_transform(), "center" if "\n" in text else "center_baseline"
        panel.text(-gap / wide, place, text, transform=at, size=letters, ha="right", va=va)


def _strokes(panel: Axes, which: str, long: np.ndarray, short: np.ndarray) -> None:
    """Draw marks on both sides as one line with gaps."""
    deep = size(panel)[1 if which == "x" else 0]
    places = np.concatenate([long, short])
    length = np.repeat([_LONG / deep, _SHORT / deep], [len(long), len(short)])
    nothing = np.full_like(length, math.nan)
    along = np.tile(np.repeat(places, 3), 2)
    across = np.concatenate(
        [
            np.stack([np.zeros_like(length), length, nothing], axis=1).ravel(),
            np.stack([np.ones_like(length), 1.0 - length, nothing], axis=1).ravel(),
        ]
    )
    if which == "x":
        line = Line2D(along, across, transform=panel.get_xaxis_transform())
    else:
        line = Line2D(across, along, transform=panel.get_yaxis_transform())
    line.set(color="black", linewidth=0.9, solid_capstyle="butt", snap=True)
    line.set(clip_on=False, zorder=2.5)
    panel.add_artist(line)


def labels(values: np.ndarray, log: bool) -> tuple[list[str], str]:
    """Return the numbers of marks as texts, and a common factor where they need one."""
    if not len(values):
        return [], ""
    if log:
        plain = values.min() >= 0.99e-2 and values.max() <= 1.01e3
        return [f"{v:g}" if plain else _power(v) for v in values.tolist()], ""
    largest = float(np.abs(values).max())
    exponent = math.floor(math.log10(largest)) if largest else 0
    factor = ""
    if exponent >= 5 or exponent <= -4:
        values, factor = values / 10.0**exponent, rf"$\times 10^{{{exponent}}}$"
    step = abs(values[1] - values[0]) if len(values) > 1 else largest or 1.0
    digits = next((n for n in range(6) if abs(step * 10**n - round(step * 10**n)) < 1e-6), 6)
    return [f"{v + 0.0:.{digits}f}".replace("-", "\u2212") for v in np.round(values, 9)], factor


def _power(value: float) -> str:
    exponent = math.floor(math.log10(value) + 1e-9)
    lead = round(value / 10.0**exponent)
    return rf"$10^{{{exponent}}}$" if lead == 1 else rf"${lead}\times10^{{{exponent}}}$"


def _decades(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of long and short marks of a logarithmic axis."""
    long = np.asarray(LogLocator(numticks=8).tick_values(low, high))
    if np.count_nonzero((long >= low) & (long <= high)) < 2:
        long = np.asarray(LogLocator(subs=(1.0, 2.0, 5.0), numticks=20).tick_values(low, high))
    subs = tuple(map(float, range(2, 10)))
    short = np.asarray(LogLocator(subs=subs, numticks=20).tick_values(low, high))
    return long, short[~np.isin(np.round(np.log10(short), 6), np.round(np.log10(long), 6))]


def _steps(low: float, high: float, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of long and short marks of a linear axis."""
    long = np.asarray(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high))
    step = float(long[1] - long[0]) if len(long) > 1 else 1.0
    parts = 4 if round(step / 10 ** math.floor(math.log10(step) + 1e-9), 3) == 2.0 else 5
    short = long[0] + step / parts * np.arange(-parts, parts * (len(long) + 1))
    places = (short - long[0]) / step
    return long, short[np.abs(places - np.round(places)) > 1e-6]


def titles(
    panel: Axes,
    x: str = "",
    y: str = "",
    widest: float = 0.0,
    centred: bool = False,
    away: float = 32.0,
) -> None:
    """Write the titles of the axes: x below the right end, y at the upper end of the left side
    (centred: in its middle), outside of numbers that are `widest` points wide and, so that titles
    of all figures are in line, at least `away` points from the frame."""
    wide, high = size(panel)
    if x:
        x, at = settable(x), panel.transAxes
        panel.text(1.0, -20.0 / high, x, transform=at, size=LABEL_SIZE, ha="right", va="top")
    if y:
        away = max(away, widest + 9.0)
        away = min(away, panel.get_position().x0 * FIGURE_SIZE[0] * 72.0 - 12.0)
        panel.text(
            -away / wide,
            0.5 if centred else 1.0,
            settable(y),
            transform=panel.transAxes,
            size=LABEL_SIZE,
            rotation=90.0,
            rotation_mode="anchor",
            ha="center" if centred else "right",
        )


def header(panel: Axes, left: str, right: str, start: float = 0.0, end: float = 1.0) -> None:
    """Write above the frame; start, end: where, as shares of its width."""
    wide, high = size(panel)
    above = 1.0 + 6.5 / high
    left, right = settable(left), settable(right)
    panel.text(start, above, left, transform=panel.transAxes, size=TEXT_SIZE, weight="bold")
    room = (end - start) * wide - width(left, TEXT_SIZE, True) - 6.0
    letters = fitting(right, TEXT_SIZE, room)
    panel.text(end, above, right, transform=panel.transAxes, ha="right", size=letters)


def legend(panel: Axes, keys: Sequence[Line2D], title: str = "") -> float:
    """Draw the legend in the upper left corner; return the share of the height that it takes.

    keys: lines without points, with labels. As many columns as fit; the entries run down the
    columns. Matplotlib's own legend takes three times as long to find its places.
    """
    if not keys:
        return 0.0
    wide, high = size(panel)
    room = wide - 2.0 * _INSIDE
    names = [settable(str(key.get_label())) for key in keys]
    widths = [_SIGN + width(name, TICK_SIZE) for name in names]
    for rows in range(math.ceil(len(keys) / 5), len(keys) + 1):
        columns = [max(widths[i : i + rows]) for i in range(0, len(keys), rows)]
        if sum(columns) + _APART * (len(columns) - 1) <= room:
            break
    y = high - _INSIDE
    if title:
        title = settable(title)
        letters, at = fitting(title, TICK_SIZE, room), panel.transAxes
        panel.text(_INSIDE / wide, y / high, title, transform=at, va="top", size=letters)
        y -= _LINE
    for i, (key, name) in enumerate(zip(keys, names, strict=True)):
        column, row = divmod(i, rows)
        x = _INSIDE + sum(columns[:column]) + _APART * column
        entry(panel, key, name, (x, y - (row + 0.35) * _LINE), TICK_SIZE, room - _SIGN)
    return (high - y + rows * _LINE) / high


def entry(
    panel: Axes, key: Line2D, name: str, place: tuple[float, float], letters: float, room: float
) -> None:
    """Draw a line of a legend: a sign and its name, `room` points wide at most.

    place: of the left end at half height, in points from the lower left corner of the panel.
    """
    wide, high = size(panel)
    x, y = place
    start, end = x / wide, (x + _SIGN - 5.5) / wide
    key.set_data([start, (start + end) / 2, end], [y / high] * 3)
    key.set(markevery=[1], transform=panel.transAxes, clip_on=False, zorder=4.0)
    panel.add_artist(key)
    letters, at = fitting(name, letters, room), panel.transAxes
    x = (x + _SIGN) / wide
    panel.text(x, y / high, name, transform=at, va="center_baseline", size=letters)
