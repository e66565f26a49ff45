"""Drawing a chart: the same chart gives the same bytes at any place in a sequence."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb

from ptmiss.core.figures.chart import Chart, Display, Picture, Series, span
from ptmiss.core.html.text import plain_mathtext
from ptmiss.tasks.met.report.event_display import draw_display
from ptmiss.tasks.met.report.panel import Key, Panel, fitting, sign
from ptmiss.tasks.met.report.style import DASHES, RC, TICK_SIZE
from ptmiss.tasks.met.report.surface import Surface

_WHOLE = (0.13, 0.115, 0.845, 0.815)
_UPPER, _LOWER = (0.13, 0.335, 0.845, 0.595), (0.13, 0.115, 0.845, 0.205)
"""Left, bottom, width, height of a panel as shares of the figure."""

BAND = 0.22
"""How opaque a band is."""

_GREY = "0.45"

_FEW = 40
"""Markers stand on a line of so many points."""

_MANY = 12
"""With fewer figures, starting processes takes longer than drawing."""


def draw_all(charts: Iterable[Chart | Display], dpi: int, threads: int) -> Iterator[Picture]:
    """Return the pictures of charts in order; the bytes do not depend on the number of `threads`.

    Processes draw the first charts while the next are made, and go on while the caller does
    something else; the pictures are asked for in the end.
    """
    charts = iter(charts)
    first = list(itertools.islice(charts, _MANY))
    if threads < 2 or len(first) < _MANY or os.name != "posix":
        painter = Painter(dpi)
        return (painter.draw(chart) for chart in list(itertools.chain(first, charts)))
    # forked: the libraries, which take seconds to read, are there already
    pool = ProcessPoolExecutor(
        threads, mp_context=get_context("fork"), initializer=_start, initargs=(dpi,)
    )
    found = pool.map(_draw_here, itertools.chain(first, charts), chunksize=4)
    pool.shutdown(wait=False)
    return found


_here: list[Painter] = []  # of a worker process


def _start(dpi: int) -> None:
    _here[:] = [Painter(dpi)]


def _draw_here(chart: Chart | Display) -> Picture:
    return _here[0].draw(chart)


class Painter:
    """Draws charts, one after the other."""

    def __init__(self, dpi: int) -> None:
        """dpi: pixels an inch."""
        with matplotlib.rc_context(RC):
            self._surface = Surface(dpi)

    def draw(self, chart: Chart | Display) -> Picture:
        """Draw one chart."""
        surface = self._surface
        with matplotlib.rc_context(RC), warnings.catch_warnings():
            # a label may hold letters that the font lacks: the page shows them, the figure a box
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            warnings.filterwarnings("ignore", message=".*can not be subsetted")
            outside = 0
            if isinstance(chart, Display):
                draw_display(surface, chart)
            elif chart.rows:
                _rows(surface, chart)
            else:
                outside = _panels(surface, chart)
            png, pdf = surface.finish()
        return Picture(png, pdf, surface.width, surface.height, outside)


def _panels(surface: Surface, chart: Chart) -> int:
    """Draw values and, where asked for, ratios; return how many values lie beyond the range."""
    whole = chart.ratio is None
    panel = Panel(surface, _WHOLE if whole else _UPPER, chart.x_log, chart.y_log)
    limits = chart.x_range or span(chart.series)
    panel.header(chart.origin, chart.what)
    taken = panel.legend([_key(one) for one in chart.series], chart.title)
    low, high = vertical_range(chart, taken)
    panel.show(limits, (low, high))
    if chart.guide is not None:
        guide(panel, chart.guide)
    if chart.diagonal:
        surface.stroke([panel.at(limits, limits)], _GREY, 0.9, dashes=DASHES, clip=panel.box)
    draw_series(panel, chart.series)
    # an efficiency has no marks beyond one, where the legend is
    most = chart.y_range[1] if isinstance(chart.y_range, tuple) else None
    widest = panel.frame(x=not chart.ticks, labels=whole, y_end=most)
    panel.titles(y=chart.y, widest=widest)
    lowest = panel
    if not whole:
        lowest = Panel(surface, _LOWER, chart.x_log)
        lowest.show(limits)
        _ratio_panel(lowest, chart)
    if chart.ticks:
        _names(lowest, chart.ticks)
    lowest.titles(x=chart.x)
    value = np.concatenate([one.value for one in chart.series] or [[]])
    return int(np.count_nonzero((value < low) | (value > high)))


def _names(panel: Panel, ticks: Sequence[tuple[float, str]]) -> None:
    """Write names below the frame, in their lines; in two rows by turns where they are too long."""
    surface, point = panel.surface, panel.surface.point
    x = panel.at([place for place, _ in ticks], 0.0)[:, 0]
    names = [plain_mathtext(name).split("\n") for _, name in ticks]
    widths = [surface.measure(line, TICK_SIZE)[0] for lines in names for line in lines]
    room = float(np.diff(np.sort(x)).min(initial=panel.width))
    turns = 1 if max(widths) < 0.95 * room or max(map(len, names)) > 1 else 2
    for i, (place, lines) in enumerate(zip(x.tolist(), names, strict=True)):
        size = min(fitting(surface, line, TICK_SIZE, 0.95 * turns * room) for line in lines)
        for k, line in enumerate(lines):
            y = panel.box[1] - (4.5 + 13.0 * (i % turns + k)) * point
            surface.text(place, y, line, size, side="centre", level="top")


def draw_series(panel: Panel, series: Sequence[Series]) -> None:
    """Draw the bands of all series, then their lines, then their markers."""
    for one in series:
        _band(panel, one)
    for one in series:
        _lines(panel, one)
    for one in series:
        _markers(panel, one)


def _band(panel: Panel, one: Series) -> None:
    has = np.isfinite(one.low) & np.isfinite(one.high)
    if not has.any():
        return
    left, right, low, high = one.left[has], one.right[has], one.low[has], one.high[has]
    if one.style == "line":
        x = (left + right) / 2
        shapes = [np.concatenate([panel.at(x, low), panel.at(x, high)[::-1]])]
    else:
        corners = ((left, low), (left, high), (right, high), (right, low))
        shapes = np.stack([panel.at(*corner) for corner in corners], axis=1)
    panel.surface.fill(_known(shapes), (*to_rgb(one.colour), BAND), clip=panel.box)


def _known(shapes: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Return shapes without points that do not exist, such as the logarithm of zero."""
    return [shape[np.isfinite(shape).all(axis=-1)] for shape in shapes]


def _lines(panel: Panel, one: Series) -> None:
    surface, dashes = panel.surface, DASHES if one.dashed else ()
    if one.style == "points":
        has = np.isfinite(one.value)
        ends = (one.left[has], one.value[has]), (one.right[has], one.value[has])
        lines = np.stack([panel.at(*end) for end in ends], axis=1)
        surface.stroke(_known(lines), one.colour, 1.1, clip=panel.box)
        return
    if one.style == "steps":
        x = np.column_stack([one.left, one.right]).ravel()
        y, width = np.repeat(one.value, 2), 1.3
    else:
        x, y, width = (one.left + one.right) / 2, one.value, 1.4
    places = panel.at(x, y)
    gaps = np.flatnonzero(~np.isfinite(places).all(axis=-1))
    pieces = _known(np.split(places, gaps))
    surface.stroke(pieces, one.colour, width, dashes=dashes, clip=panel.box)


def _markers(panel: Panel, one: Series) -> None:
    if one.style == "steps" or not one.marker or (one.style == "line" and len(one.value) > _FEW):
        return
    middle = (one.left + one.right) / 2
    if panel.x_log and one.style == "points":
        middle = np.sqrt(one.left * one.right)
    places = _known([panel.at(middle, one.value)])[0]
    x0, y0, x1, y1 = panel.box
    inside = (places >= (x0 - 1, y0 - 1)).all(axis=-1) & (places <= (x1 + 1, y1 + 1)).all(axis=-1)
    size = 4.0 if one.style == "line" else _size(one)
    panel.surface.markers(
        places[inside], one.marker, size, one.colour, filled=one.filled,
        edge=0.4 if one.filled else 1.0, clip=panel.box,
    )  # fmt: skip


def _size(one: Series) -> float:
    return 7.0 if one.marker == "*" else 5.0


def _key(one: Series) -> Key:
    """Return the entry of a series in a legend."""
    label = plain_mathtext(one.label)
    if one.style == "points":
        return label, sign(one.colour, one.marker, _size(one), one.filled)
    marker = one.marker if one.style == "line" else ""
    return label, sign(one.colour, marker, 4.0, line=1.4, dashes=DASHES if one.dashed else ())


def _ratio_panel(panel: Panel, chart: Chart) -> None:
    reference = chart.series[chart.ratio]
    ratios = [one.over(reference) for one in chart.series]
    values = np.concatenate([one.value for one in ratios])
    values = values[np.isfinite(values)]
    if len(values):
        low, high = np.quantile(values, (0.02, 0.98)) if len(values) > 60 else (
            values.min(), values.max(),
        )  # fmt: skip
        low, high = max(0.0, min(float(low), 0.9)), min(max(float(high), 1.1), 3.0)
    else:
        low, high = 0.5, 1.5
    margin = 0.12 * (high - low)
    panel.show(y=(max(0.0, low - margin), high + margin))
    guide(panel, 1.0)
    draw_series(panel, ratios)
    widest = panel.frame(x=not chart.ticks, y_most=4)
    panel.titles(y=chart.ratio_label, widest=widest, centred=True)


def guide(panel: Panel, height: float) -> None:
    """Draw a dashed horizontal line."""
    left, _, right, _ = panel.box
    y = panel.at(panel.x_limits[0], height)[1]
    line = np.array([[left, y], [right, y]])
    panel.surface.stroke([line], _GREY, 0.9, dashes=DASHES, clip=panel.box)


def _rows(surface: Surface, chart: Chart) -> None:
    """Horizontal intervals, a row for each name, the first on top."""
    widest = max(surface.measure(line, 9.5)[0] for name in chart.rows for line in name.split("\n"))
    left, bottom, width, height = _WHOLE
    more = min(max((widest + 14.0 * surface.point) / surface.width - left, 0.0), 0.3)
    panel = Panel(surface, (left + more, bottom, width - more, height))
    n_rows, n_series = len(chart.rows), len(chart.series)
    panel.header(chart.origin, chart.what, start=-more / (width - more))
    taken = panel.legend([_key(one) for one in chart.series], chart.title)
    panel.show(_horizontal_range(chart), (n_rows - 0.5, n_rows - 0.5 - n_rows / (1 - taken - 0.02)))
    left, right = panel.x_limits
    for i in range(0, n_rows, 2):
        band = panel.at((left, left, right, right), (i - 0.5, i + 0.5, i + 0.5, i - 0.5))
        surface.fill([band], (0.955, 0.955, 0.955, 1.0))
    if chart.guide is not None:
        line = panel.at((chart.guide, chart.guide), (n_rows - 0.5, -0.5))
        surface.stroke([line], _GREY, 0.9, dashes=DASHES, clip=panel.box)
    half = 0.36 / max(n_series, 1)
    for k, one in enumerate(chart.series):
        place = one.left + (2 * k + 1 - n_series) * half
        has = np.isfinite(one.value)
        low, high = (
            np.where(np.isfinite(bound), bound, one.value)[has] for bound in (one.low, one.high)
        )
        below, above = (place - half * 0.8)[has], (place + half * 0.8)[has]
        corners = (low, below), (high, below), (high, above), (low, above)
        boxes = np.stack([panel.at(*corner) for corner in corners], axis=1)
        surface.fill(boxes, (*to_rgb(one.colour), 0.3), clip=panel.box)
        surface.markers(
            panel.at(one.value[has], place[has]), one.marker, 4.5, one.colour, filled=one.filled,
            edge=0.4 if one.filled else 1.0, clip=panel.box,
        )  # fmt: skip
    _row_names(panel, chart.rows)
    panel.frame(y=False, x_most=6)
    panel.titles(x=chart.x)


def _row_names(panel: Panel, names: Sequence[str]) -> None:
    """Write names left of the frame, in lines where they have several."""
    surface, point = panel.surface, panel.surface.point
    x, room = panel.box[0] - 6.0 * point, panel.box[0] - 12.0 * point
    at = panel.at(panel.x_limits[0], np.arange(len(names)))[:, 1]
    apart = abs(float(at[1] - at[0])) if len(at) > 1 else panel.height
    for y, name in zip(at.tolist(), names, strict=True):
        lines = name.split("\n")
        most = min(9.5, 0.85 * apart / point / len(lines))
        size = min(fitting(surface, line, most, room) for line in lines)
        for i, line in enumerate(lines):
            lower = (i - (len(lines) - 1) / 2) * 1.25 * size * point
            surface.text(x, y - lower, line, size, side="right", level="middle")


def _horizontal_range(chart: Chart) -> tuple[float, float]:
    bounds = [bound for one in chart.series for bound in (one.value, one.low, one.high)]
    values = np.concatenate(bounds) if bounds else np.zeros(1)
    values = values[np.isfinite(values)]
    low, high = (min(values.min(), 0.0), max(values.max(), 0.0)) if len(values) else (0.0, 1.0)
    if isinstance(chart.y_range, tuple):
        low, high = max(low, chart.y_range[0]), min(high, chart.y_range[1])
    margin = 0.06 * max(high - low, 1e-3)
    return low - margin, high + margin


def vertical_range(chart: Chart, taken: float) -> tuple[float, float]:
    """Return the limits of the vertical axis; taken: share of the height that the legend has."""
    room = 1 - min(0.6, taken + 0.03)
    if isinstance(chart.y_range, tuple) and not chart.y_log:
        low, high = chart.y_range
        return low, low + (high - low) / room
    bounds = [bound for one in chart.series for bound in (one.value, one.low, one.high)]
    values = np.concatenate(bounds) if bounds else np.zeros(0)
    values = values[np.isfinite(values)]
    if chart.y_log:
        values = values[values > 0]
        if not len(values):
            return 0.1, 1.0
        high = float(values.max())
        low = max(float(values.min()), high * 1e-4) * 0.7
        if isinstance(chart.y_range, tuple):
            low, high = chart.y_range
        return low, low * (high / low) ** (1 / room)
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if chart.y_range == "response":
        # below a few GeV the mean response means little and may be anything: keep one readable
        low, high = max(min(low, 0.5), 0.0), min(max(high, 1.1), 1.6)
    elif chart.y_range == "centred":
        width = max(high - low, 1.0)
        low, high = low - 0.15 * width, high + 0.05 * width
        # an interval that knows nothing does not decide what is seen of the values
        value = np.concatenate([one.value for one in chart.series])
        value = value[np.isfinite(value)]
        if len(value):
            first, last = min(float(value.min()), 0.0), max(float(value.max()), 0.0)
            reach = max(0.6 * (last - first), 0.5)
            low, high = max(low, first - reach), min(high, last + reach)
    elif chart.y_range == "data":
        width = max(high - low, 1e-3 * max(abs(high), 1e-9))
        low, high = low - 0.08 * width, high + 0.03 * width
    else:
        low, high = 0.0, high if high > 0 else 1.0
    return low, low + (high - low) / room
