"""A frame with its scales, tick marks, titles and legend on a surface."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

from ptmiss.tasks.met.report.style import LABEL_SIZE, TEXT_SIZE, TICK_SIZE
from ptmiss.tasks.met.report.surface import Colour, Surface

_FRAME = 0.9
_MAJOR, _MINOR = 5.0, 2.5
_FAR = 1e4
"""Pixels beyond the frame at which a line may end: further ones overflow the renderers."""

Key = tuple[str, Callable[[Surface, float, float, float], None]]
"""An entry of a legend: its label, and what draws its sign at x, y over a width."""


class Panel:
    """A rectangle on a surface that shows a range of numbers."""

    def __init__(
        self,
        surface: Surface,
        place: tuple[float, float, float, float],
        x_log: bool = False,
        y_log: bool = False,
    ) -> None:
        """place: left, bottom, width, height as shares of the surface."""
        self.surface = surface
        left, bottom = round(place[0] * surface.width), round(place[1] * surface.height)
        right = round((place[0] + place[2]) * surface.width)
        top = round((place[1] + place[3]) * surface.height)
        self.box = (left, bottom, right, top)
        self.x_log = x_log
        self._log = (x_log, y_log)
        self._limits = [(0.0, 1.0), (0.0, 1.0)]

    @property
    def x_limits(self) -> tuple[float, float]:
        """Range of the horizontal axis."""
        return self._limits[0]

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.box[3] - self.box[1]

    def show(self, x: tuple[float, float] | None = None, y: tuple[float, float] | None = None):
        """Set the ranges of the axes."""
        for i, limits in enumerate((x, y)):
            if limits is not None:
                self._limits[i] = limits

    def at(self, x, y) -> np.ndarray:
        """Return places in pixels, (n, 2), NaN where a logarithm does not exist."""
        found = np.empty((*np.broadcast_shapes(np.shape(x), np.shape(y)), 2))
        for i, values in enumerate((x, y)):
            start, end = self.box[i], self.box[i + 2]
            low, high = self._limits[i]
            values = np.asarray(values, dtype=np.float64)
            if self._log[i]:
                with np.errstate(divide="ignore", invalid="ignore"):
                    values = np.log10(values)
                low, high = math.log10(low), math.log10(high)
            found[..., i] = start + (values - low) / (high - low) * (end - start)
        return np.clip(found, -_FAR, _FAR)

    def frame(
        self,
        x: bool = True,
        y: bool = True,
        labels: bool = True,
        x_most: int = 8,
        y_most: int = 8,
        y_end: float | None = None,
    ) -> float:
        """Draw the frame with tick marks on all sides and their numbers; return the width in pixels
        of the widest number on the left.

        x, y: which axes have marks; labels: numbers below the frame as well; x_most, y_most: how
        many intervals between numbers; y_end: beyond it the left has no marks.
        """
        left, bottom, right, top = self.box
        corners = ((left, bottom), (right, bottom), (right, top), (left, top), (left, bottom))
        lines = [np.array(corners, dtype=np.float64)]
        widest = 0.0
        for i, wanted, most in ((0, x, x_most), (1, y, y_most)):
            if not wanted:
                continue
            major, minor = self._marks(i, most)
            if i == 1 and y_end is not None:
                major, minor = (one[one <= y_end * (1 + 1e-9)] for one in (major, minor))
            for places, points in ((major, _MAJOR), (minor, _MINOR)):
                lines += self._sides(i, places, points * self.surface.point)
            if i == 1 or labels:
                widest = self._numbers(i, major)
        self.surface.stroke(lines, "black", _FRAME, sharp=True)
        return widest

    def _sides(self, i: int, values: np.ndarray, length: float) -> list[np.ndarray]:
        """Return tick marks on both sides."""
        if not len(values):
            return []
        along = self.at(values, self._limits[1][0])[:, 0] if i == 0 else (
            self.at(self._limits[0][0], values)[:, 1]
        )  # fmt: skip
        along = np.round(along)
        marks = []
        for start, inwards in ((self.box[1 - i], length), (self.box[3 - i], -length)):
            across = np.array([start, start + inwards])
            pairs = np.empty((len(along), 2, 2))
            pairs[..., i], pairs[..., 1 - i] = along[:, None], across[None, :]
            marks += list(pairs)
        return marks

    def _numbers(self, i: int, values: np.ndarray) -> float:
        surface, gap = self.surface, 4.5 * self.surface.point
        texts, factor = labels(values, self._log[i])
        if factor:
            if i == 0:
                surface.text(
                    self.box[2], self.box[1] - 26 * surface.point, factor, TICK_SIZE, side="right"
                )
            else:
                surface.text(self.box[0] - gap, self.box[3] + gap, factor, TICK_SIZE, side="right")
        widest = 0.0
        for value, text in zip(values.tolist(), texts, strict=True):
            if i == 0:
                x = self.at(value, self._limits[1][0])[0]
                surface.text(x, self.box[1] - gap, text, TICK_SIZE, side="centre", level="top")
            else:
                y = self.at(self._limits[0][0], value)[1]
                surface.text(self.box[0] - gap, y, text, TICK_SIZE, side="right", level="middle")
                widest = max(widest, surface.measure(text, TICK_SIZE)[0])
        return widest

    def _marks(self, i: int, most: int) -> tuple[np.ndarray, np.ndarray]:
        low, high = sorted(self._limits[i])
        found = _decades(low, high) if self._log[i] else _steps(low, high, most)
        margin = 1e-9 * (high - low)
        inside = [one[(one >= low - margin) & (one <= high + margin)] for one in found]
        return inside[0], inside[1]

    def titles(
        self,
        x: str = "",
        y: str = "",
        widest: float = 0.0,
        centred: bool = False,
        away: float = 32.0,
    ) -> None:
        """Write the titles of the axes: x below the right end, y at the upper end of the left side
        (centred: in its middle), outside of numbers that are `widest` pixels wide and, so that
        titles of all figures are in line, at least `away` points from the frame."""
        point = self.surface.point
        left, bottom, right, top = self.box
        if x:
            self.surface.text(
                right, bottom - 20.0 * point, x, LABEL_SIZE, side="right", level="top"
            )
        if y:
            # at the same place in all figures, unless numbers are wide
            out = (
                max(left - 32.0 * point, 0.0) if widest < 23 * point else left - widest - 9 * point
            )
            out = max(out, 12.0 * point)
            self.surface.text(
                out, (bottom + top) / 2 if centred else top, y, LABEL_SIZE,
                side="centre" if centred else "right", upright=True,
            )  # fmt: skip

    def header(self, left: str, right: str, start: float = 0.0, end: float = 1.0) -> None:
        """Write above the frame; start, end: where, as shares of its width."""
        y = self.box[3] + 6.5 * self.surface.point
        begin, stop = (self.box[0] + share * self.width for share in (start, end))
        self.surface.text(begin, y, left, TEXT_SIZE, bold=True)
        room = stop - begin - self.surface.measure(left, TEXT_SIZE, True)[0] - 12
        size = fitting(self.surface, right, TEXT_SIZE, room)
        self.surface.text(stop, y, right, size, side="right")

    def legend(self, keys: Sequence[Key], title: str = "") -> float:
        """Draw the legend in the upper left corner; return the share of the height that it takes.

        As many columns as fit; the entries run down the columns.
        """
        if not keys:
            return 0.0
        surface, point = self.surface, self.surface.point
        line, sign, gap, apart = 15.5 * point, 14.0 * point, 5.0 * point, 13.0 * point
        x0, y = self.box[0] + 9.0 * point, self.box[3] - 7.0 * point
        room = self.box[2] - x0 - 6.0 * point
        if title:
            surface.text(x0, y, title, fitting(surface, title, TICK_SIZE, room), level="top")
            y -= line
        widths = [sign + gap + surface.measure(label, TICK_SIZE)[0] for label, _ in keys]
        for rows in range(max(1, math.ceil(len(keys) / 5)), len(keys) + 1):
            columns = [max(widths[i : i + rows]) for i in range(0, len(keys), rows)]
            if sum(columns) + apart * (len(columns) - 1) <= room:
                break
        for i, (label, draw) in enumerate(keys):
            column, row = divmod(i, rows)
            x = x0 + sum(columns[:column]) + apart * column
            middle = y - row * line - 0.36 * TICK_SIZE * point
            draw(surface, x, middle, sign)
            size = fitting(surface, label, TICK_SIZE, room - sign - gap)
            surface.text(x + sign + gap, middle, label, size, level="middle")
        return (self.box[3] - y + rows * line) / self.height


def fitting(surface: Surface, text: str, size: float, room: float) -> float:
    """Return the size at which a text fits into a width, at least half of what is wished."""
    width = surface.measure(text, size)[0]
    return size if width <= room else max(math.floor(2 * size * room / width) / 2, size / 2)


def labels(values: np.ndarray, log: bool) -> tuple[list[str], str]:
    """Return the numbers of tick marks as texts, and a common factor where they need one."""
    values = np.asarray(values, dtype=np.float64)
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
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    tens = 10.0 ** np.arange(first, last + 1)
    within = (tens >= low * (1 - 1e-9)) & (tens <= high * (1 + 1e-9))
    every = max(1, math.ceil(within.sum() / 7))
    major = tens[(np.arange(first, last + 1) % every) == 0]
    minor = (tens[:, None] * np.arange(2.0, 10.0)).ravel()
    if within.sum() < 2:
        major = np.sort(np.concatenate([tens, 2 * tens, 5 * tens]))
        minor = minor[~np.isin(np.round(np.log10(minor), 6), np.round(np.log10(major), 6))]
    elif every > 1:
        minor = tens
    return major, minor


def _steps(low: float, high: float, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of long and short marks of a linear axis."""
    major = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    step = major[1] - major[0] if len(major) > 1 else 1.0
    parts = 4 if round(step / 10 ** math.floor(math.log10(step) + 1e-9), 3) == 2.0 else 5
    minor = major[0] + step / parts * np.arange(-parts, parts * (len(major) + 1))
    off = np.abs((minor - major[0]) / step - np.round((minor - major[0]) / step)) > 1e-6
    return major, minor[off]


def sign(
    colour: Colour, marker: str = "", size: float = 5.0, filled: bool = True, line: float = 0.0,
    dashes: tuple[float, ...] = (),
) -> Callable[[Surface, float, float, float], None]:  # fmt: skip
    """Return what draws the sign of a legend's entry: a line of that width, a marker, or both."""

    def draw(surface: Surface, x: float, y: float, width: float) -> None:
        if line:
            surface.stroke([np.array([[x, y], [x + width, y]])], colour, line, dashes=dashes)
        if marker:
            middle = np.array([[x + width / 2, y]])
            surface.markers(middle, marker, size, colour, filled=filled, edge=0.4 if filled else 1)

    return draw
