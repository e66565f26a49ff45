"""From a chart to matplotlib's figure: panels, a few artists for each series, nothing global."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from ptmiss.core.figures import frame
from ptmiss.core.figures.chart import Chart, Series, span
from ptmiss.core.figures.formulas import fitting, settable, width
from ptmiss.core.figures.frame import Panel, Scale
from ptmiss.core.figures.ranges import horizontal_range, ratio_range, vertical_range
from ptmiss.core.figures.style import FIGURE_SIZE, GREY, TICK_SIZE
from ptmiss.core.html.text import plain_mathtext

BAND = 0.22
"""How opaque a band is."""

_FEW = 40
"""Markers stand on a line of so many points."""

_ROW_SIZE = 9.5


def draw(figure: Figure, chart: Chart) -> int:
    """Draw a chart on an empty figure; return how many values lie beyond the drawn range."""
    if chart.rows:
        _rows(figure, chart)
        return 0
    whole = chart.ratio is None
    panel = Panel(figure, frame.WHOLE if whole else frame.UPPER)
    frame.header(panel, chart.origin, chart.what)
    taken = frame.legend(panel, [_key(series) for series in chart.series], chart.title)
    limits = chart.x_range or span(chart.series)
    low, high = vertical_range(chart, taken)
    panel.x, panel.y = Scale(*limits, chart.x_log), Scale(low, high, chart.y_log)
    if chart.guide is not None:
        _guide(panel, limits, (chart.guide, chart.guide))
    if chart.diagonal:
        _guide(panel, limits, limits)
    draw_series(panel, chart.series)
    # an efficiency has no marks beyond one, where the legend is
    end = chart.y_range[1] if isinstance(chart.y_range, tuple) else math.inf
    frame.titles(panel, y=chart.y, widest=frame.marks(panel, "y", end=end))
    lowest = panel
    if chart.ratio is not None:
        if not chart.ticks:
            frame.marks(panel, "x", text=False)
        lowest = _ratios(figure, chart, chart.series[chart.ratio], limits)
    if chart.ticks:
        _names(lowest, chart.ticks)
    else:
        frame.marks(lowest, "x")
    frame.titles(lowest, x=chart.x)
    values = np.concatenate([np.zeros(0), *(series.value for series in chart.series)])
    return int(np.count_nonzero((values < low) | (values > high)))


def _ratios(figure: Figure, chart: Chart, reference: Series, limits: tuple[float, float]) -> Panel:
    """Draw all series divided by a reference in the lower panel, which is returned."""
    panel = Panel(figure, frame.LOWER)
    ratios = [series.over(reference) for series in chart.series]
    panel.x, panel.y = Scale(*limits, chart.x_log), Scale(*ratio_range(ratios))
    _guide(panel, limits, (1.0, 1.0))
    draw_series(panel, ratios)
    widest = frame.marks(panel, "y", most=4)
    frame.titles(panel, y=chart.ratio_label, widest=widest, centred=True)
    return panel


def _names(panel: Panel, ticks: Sequence[tuple[float, str]]) -> None:
    """Write names below the frame, in two rows by turns where they are too long."""
    names = [plain_mathtext(name) for _, name in ticks]
    places = np.array([place for place, _ in ticks])
    room = float(np.diff(np.sort(panel.across(places))).min(initial=panel.wide))
    rows = 2 if max(width(name, TICK_SIZE) for name in names) >= 0.95 * room else 1
    if any("\n" in name for name in names):
        rows = 1
    for i, (place, name) in enumerate(zip(places.tolist(), names, strict=True)):
        size = fitting(name, TICK_SIZE, 0.95 * rows * room)
        frame.write(panel, "x", place, "\n" * (i % rows) + name, size)


def draw_series(panel: Panel, several: Sequence[Series]) -> None:
    """Draw the bands of all series, then their lines and markers; the ends of axes are set."""
    for series in several:
        _band(panel, series)
    for series in several:
        _line(panel, series)


def _band(panel: Panel, series: Series) -> None:
    has = np.isfinite(series.low) & np.isfinite(series.high)
    if not has.any():
        return
    low, high = (panel.up(bound[has]) for bound in (series.low, series.high))
    left, right = (panel.across(side[has]) for side in (series.left, series.right))
    if series.style == "line":
        x = panel.across((series.left + series.right)[has] / 2)
        corners = np.concatenate([np.stack([x, low], 1), np.stack([x, high], 1)[::-1]])[None]
    else:
        corners = _boxes(left, right, low, high)
    _fill(panel, corners, series.colour, BAND)


def _boxes(left: np.ndarray, right: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the corners (n, 4, 2) of rectangles."""
    corners = [left, low, left, high, right, high, right, low]
    return np.stack(corners, axis=1).reshape(-1, 4, 2)


def _fill(panel: Panel, shapes: np.ndarray, colour: str, opacity: float) -> None:
    """Fill polygons (n, corners, 2) as one path: neighbours of equal colour show no seam."""
    n, corners, _ = shapes.shape
    vertices = np.concatenate([shapes, shapes[:, :1]], axis=1).reshape(-1, 2)
    codes = np.full((n, corners + 1), Path.LINETO, dtype=Path.code_type)
    codes[:, 0], codes[:, -1] = Path.MOVETO, Path.CLOSEPOLY
    path = Path(vertices, codes.ravel())
    panel.add(PathPatch(path, facecolor=colour, alpha=opacity, linewidth=0.0, zorder=1.0))


def _line(panel: Panel, series: Series) -> None:
    left, right = panel.across(series.left), panel.across(series.right)
    value = panel.up(series.value)
    if series.style == "line":
        middle = panel.across((series.left + series.right) / 2)
        line = _stroke(middle, value, series.colour, 1.4, series.dashed)
        if len(value) <= _FEW:
            _mark(line, series, 4.0)
    elif series.style == "steps":
        x, y = np.stack([left, right], axis=1).ravel(), np.repeat(value, 2)
        line = _stroke(x, y, series.colour, 1.3, series.dashed)
    else:
        # a gap after each bin
        x = np.stack([left, (left + right) / 2, right, np.full_like(left, np.nan)], axis=1).ravel()
        line = _stroke(x, np.repeat(value, 4), series.colour, 1.1, series.dashed)
        _mark(line, series, _size(series))
        line.set(markevery=(1, 4), zorder=2.2)  # data lie above histograms
    panel.add(line)


def _stroke(
    x: np.ndarray | Sequence[float],
    y: np.ndarray | Sequence[float],
    colour: str,
    wide: float,
    dashed: bool = False,
) -> Line2D:
    return Line2D(
        x,
        y,
        color=colour,
        linewidth=wide,
        linestyle="--" if dashed else "-",
        dash_capstyle="butt",
        solid_capstyle="butt",
    )


def _mark(line: Line2D, series: Series, size: float) -> None:
    """Give a line the markers of a series."""
    line.set(marker=series.marker, markersize=size)
    line.set_markerfacecolor(series.colour if series.filled else "white")
    line.set_markeredgewidth(0.4 if series.filled else 1.0)


def _size(series: Series) -> float:
    return 7.0 if series.marker == "*" else 5.0


def _key(series: Series) -> Line2D:
    """Return the entry of a series in a legend."""
    key = _stroke([], [], series.colour, 1.4, series.dashed)
    if series.style == "points":
        key.set_linestyle("none")
    if series.style != "steps":
        _mark(key, series, 4.0 if series.style == "line" else _size(series))
    key.set_label(plain_mathtext(series.label))
    return key


def _guide(panel: Panel, x: tuple[float, float], y: tuple[float, float]) -> None:
    """Draw a dashed grey line."""
    panel.add(_stroke(panel.across(x), panel.up(y), GREY, 0.9, dashed=True))


def _rows(figure: Figure, chart: Chart) -> None:
    """Draw horizontal intervals, a row for each name, the first on top."""
    names = [settable(name) for name in chart.rows]
    left, bottom, wide, high = frame.WHOLE
    needed = (max(width(name, _ROW_SIZE) for name in names) + 14.0) / (72.0 * FIGURE_SIZE[0])
    more = min(max(needed - left, 0.0), 0.3)
    panel = Panel(figure, (left + more, bottom, wide - more, high))
    n_rows, n_series = len(names), len(chart.series)
    frame.header(panel, chart.origin, chart.what, start=-more / (wide - more))
    taken = frame.legend(panel, [_key(series) for series in chart.series], chart.title)
    panel.x = Scale(*horizontal_range(chart))
    panel.y = Scale(n_rows - 0.5, n_rows - 0.5 - n_rows / (0.98 - taken))
    even = panel.up(np.arange(0.0, n_rows, 2.0))
    half = panel.high * (0.98 - taken) / n_rows / 2.0
    ends = (np.full_like(even, panel.left), np.full_like(even, panel.right))
    _fill(panel, _boxes(*ends, even - half, even + half), "0.955", 1.0)
    if chart.guide is not None:
        _guide(panel, (chart.guide, chart.guide), (n_rows - 0.5, -0.5))
    half *= 0.72 / max(n_series, 1)
    for k, series in enumerate(chart.series):
        has = np.isfinite(series.value)
        value = series.value[has]
        place = panel.up(series.left[has]) - (2 * k + 1 - n_series) * half
        start, end = (
            panel.across(np.where(np.isfinite(bound[has]), bound[has], value))
            for bound in (series.low, series.high)
        )
        _fill(panel, _boxes(start, end, place - 0.8 * half, place + 0.8 * half), series.colour, 0.3)
        points = _stroke(panel.across(value), place, series.colour, 0.0)
        points.set_linestyle("none")
        _mark(points, series, 4.5)
        panel.add(points)
    _row_names(panel, names)
    frame.marks(panel, "x", most=6)
    frame.titles(panel, x=chart.x)


def _row_names(panel: Panel, names: Sequence[str]) -> None:
    """Write names left of the frame, in lines where they have several."""
    apart = panel.high / (panel.y.low - panel.y.high)
    room = panel.left - 12.0
    for i, name in enumerate(names):
        most = min(_ROW_SIZE, 0.85 * apart / (name.count("\n") + 1))
        frame.write(panel, "y", i, name, fitting(name, most, room), 6.0)
