"""What surrounds the numbers of a figure: panels at fixed places, marks, titles, header, legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator
from matplotlib.transforms import Affine2D, Bbox, TransformedBbox
from numpy.typing import ArrayLike

from ptmiss.core.figures.formulas import fitting, settable, width
from ptmiss.core.figures.letters import ASCENT, LINE, Letters, Style
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


class Scale(NamedTuple):
    """An axis: its ends, and whether it is logarithmic."""

    low: float = 0.0
    high: float = 1.0
    log: bool = False

    def shares(self, values: ArrayLike) -> np.ndarray:
        """Return where values lie, 0 at the lower end and 1 at the upper one; NaN stays.

        What is not seen lies no further outside than the axis is long.
        """
        low, high = self.low, self.high
        if self.log:
            values = np.log10(np.maximum(values, low * low / high))
            low, high = math.log10(low), math.log10(high)
        return np.clip((np.asarray(values) - low) / (high - low or 1.0), -1.0, 2.0)


class Panel:
    """A framed part of a figure. Places in it are in points from the figure's lower left corner.

    In place of matplotlib's `Axes`, which took a third of the time of making a figure's artists.
    """

    def __init__(self, figure: Figure, place: Place) -> None:
        """Draw the frame of a panel."""
        width, height = (72.0 * inches for inches in FIGURE_SIZE)
        self.left, self.wide = place[0] * width, place[2] * width
        self.bottom, self.high = place[1] * height, place[3] * height
        self.right, self.top = self.left + self.wide, self.bottom + self.high
        self.x = self.y = Scale()
        self._figure = figure
        self.points = Affine2D().scale(1.0 / 72.0) + figure.dpi_scale_trans
        whole = Bbox.from_bounds(self.left, self.bottom, self.wide, self.high)
        self._inside = TransformedBbox(whole, self.points)
        around = Rectangle((self.left, self.bottom), self.wide, self.high, fill=False)
        around.set(linewidth=0.9, zorder=2.5)
        self.add(around, inside=False)

    def across(self, x: ArrayLike) -> np.ndarray:
        """Return the places of values along the horizontal axis."""
        return self.left + self.wide * self.x.shares(x)

    def up(self, y: ArrayLike) -> np.ndarray:
        """Return the places of values along the vertical axis."""
        return self.bottom + self.high * self.y.shares(y)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of a point."""
        return float(self.across(x)), float(self.up(y))

    def add(self, artist: Artist, inside: bool = True) -> None:
        """Draw what is given in points, where it says nothing else; inside: only in the frame."""
        if not artist.is_transform_set():
            artist.set_transform(self.points)
        if inside:
            artist.set_clip_box(self._inside)
        self._figure.add_artist(artist)

    def write(
        self,
        place: tuple[float, float],
        text: str,
        size: float = TICK_SIZE,
        align: float = 0.0,
        style: Style = "",
    ) -> None:
        """Write a line of text; see `Letters`."""
        self._figure.add_artist(Letters(place, text, size, align, style))


def marks(
    panel: Panel, which: Literal["x", "y"], most: int = 8, end: float = math.inf, text: bool = True
) -> float:
    """Draw marks on both sides of an axis whose ends are known, and numbers on one.

    most: intervals between numbers; end: beyond it there are no marks; text: whether there are
    numbers. Returns the width of the widest number in points.
    """
    scale = panel.x if which == "x" else panel.y
    low, high = sorted(scale[:2])
    long, short = _decades(low, high) if scale.log else _steps(low, high, most)
    margin = 1e-9 * (high - low)
    long, short = (
        places[(places >= low - margin) & (places <= min(high, end) + margin)]
        for places in (long, short)
    )
    _strokes(panel, which, long, short)
    numbers, factor = labels(long, scale.log) if text else ([], "")
    for place, number in zip(long.tolist(), numbers, strict=False):
        write(panel, which, place, number)
    if factor and which == "x":
        panel.write((panel.right, panel.bottom - 26.0), factor, align=1.0)
    elif factor:
        panel.write((panel.left - _GAP, panel.top + _GAP), factor, align=1.0)
    return max((width(number, TICK_SIZE) for number in numbers), default=0.0)


def write(
    panel: Panel,
    which: Literal["x", "y"],
    place: float,
    text: str,
    letters: float = TICK_SIZE,
    gap: float = _GAP,
) -> None:
    """Write lines of text at their place along an axis, below the frame or left of it.

    letters: size in points; gap: to the frame in points.
    """
    lines = text.split("\n")
    if which == "x":
        x, y, align = float(panel.across(place)), panel.bottom - gap - ASCENT * letters, 0.5
    else:
        x, align = panel.left - gap, 1.0
        y = float(panel.up(place)) + (LINE * (len(lines) - 1) - ASCENT) * letters / 2.0
    for i, line in enumerate(lines):
        panel.write((x, y - LINE * letters * i), line, letters, align)


def _strokes(panel: Panel, which: str, long: np.ndarray, short: np.ndarray) -> None:
    """Draw marks on both sides as one line with gaps."""
    length = np.repeat([_LONG, _SHORT], [len(long), len(short)])
    places = np.concatenate([long, short])
    if which == "x":
        at, near, far = panel.across(places), panel.bottom, panel.top
    else:
        at, near, far = panel.up(places), panel.left, panel.right
    inwards = np.outer(length, [0.0, 1.0, math.nan]).ravel()
    along, across = np.tile(np.repeat(at, 3), 2), np.concatenate([near + inwards, far - inwards])
    line = Line2D(*((along, across) if which == "x" else (across, along)), color="black")
    line.set(linewidth=0.9, solid_capstyle="butt", snap=True, zorder=2.5)
    panel.add(line, inside=False)


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
    panel: Panel,
    x: str = "",
    y: str = "",
    widest: float = 0.0,
    centred: bool = False,
    away: float = 32.0,
) -> None:
    """Write the titles of the axes: x below the right end, y at the upper end of the left side
    (centred: in its middle), outside of numbers that are `widest` points wide and, so that titles
    of all figures are in line, at least `away` points from the frame."""
    if x:
        place = (panel.right, panel.bottom - 20.0 - ASCENT * LABEL_SIZE)
        panel.write(place, settable(x), LABEL_SIZE, 1.0)
    if y:
        align = 0.5 if centred else 1.0
        place = (max(panel.left - max(away, widest + 9.0), 12.0), panel.bottom + align * panel.high)
        panel.write(place, settable(y), LABEL_SIZE, align, "turned")


def header(panel: Panel, left: str, right: str, start: float = 0.0, end: float = 1.0) -> None:
    """Write above the frame; start, end: where, as shares of its width."""
    above = panel.top + 6.5
    left, right = settable(left), settable(right)
    panel.write((panel.left + start * panel.wide, above), left, TEXT_SIZE, style="bold")
    room = (end - start) * panel.wide - width(left, TEXT_SIZE, True) - 6.0
    letters = fitting(right, TEXT_SIZE, room)
    panel.write((panel.left + end * panel.wide, above), right, letters, 1.0)


def legend(panel: Panel, keys: Sequence[Line2D], title: str = "") -> float:
    """Draw the legend in the upper left corner; return the share of the height that it takes.

    keys: lines without points, with labels. As many columns as fit; the entries run down the
    columns. Matplotlib's own legend takes three times as long to find its places.
    """
    if not keys:
        return 0.0
    room = panel.wide - 2.0 * _INSIDE
    names = [settable(str(key.get_label())) for key in keys]
    widths = [_SIGN + width(name, TICK_SIZE) for name in names]
    for rows in range(math.ceil(len(keys) / 5), len(keys) + 1):
        columns = [max(widths[i : i + rows]) for i in range(0, len(keys), rows)]
        if sum(columns) + _APART * (len(columns) - 1) <= room:
            break
    left, y = panel.left + _INSIDE, panel.top - _INSIDE
    if title:
        title = settable(title)
        letters = fitting(title, TICK_SIZE, room)
        panel.write((left, y - ASCENT * letters), title, letters)
        y -= _LINE
    for i, (key, name) in enumerate(zip(keys, names, strict=True)):
        column, row = divmod(i, rows)
        x = left + sum(columns[:column]) + _APART * column
        entry(panel, key, name, (x, y - (row + 0.35) * _LINE), TICK_SIZE, room - _SIGN)
    return (panel.top - y + rows * _LINE) / panel.high


def entry(
    panel: Panel, key: Line2D, name: str, place: tuple[float, float], letters: float, room: float
) -> None:
    """Draw a line of a legend: a sign and its name, `room` points wide at most.

    place: of the left end at half height, in points.
    """
    x, y = place
    key.set_data([x, x + (_SIGN - 5.5) / 2.0, x + _SIGN - 5.5], [y] * 3)
    key.set(markevery=[1], zorder=4.0)
    panel.add(key, inside=False)
    letters = fitting(name, letters, room)
    panel.write((x + _SIGN, y - ASCENT * letters / 2.0), name, letters)
