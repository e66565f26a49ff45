"""From a chart to matplotlib's figure: axes, a few artists for each series, nothing global."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from ptmiss.core.figures import frame
from ptmiss.core.figures.chart import Chart, Series, span
from ptmiss.core.figures.formulas import fitting, settable, width
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
    axes = frame.add_panel(figure, frame.WHOLE if whole else frame.UPPER, chart.x_log, chart.y_log)
    frame.header(axes, chart.origin, chart.what)
    taken = frame.legend(axes, [_key(series) for series in chart.series], chart.title)
    limits = chart.x_range or span(chart.series)
    low, high = vertical_range(chart, taken)
    axes.set(xlim=limits, ylim=(low, high))
    if chart.guide is not None:
        _guide(axes, limits, (chart.guide, chart.guide))
    if chart.diagonal:
        _guide(axes, limits, limits)
    draw_series(axes, chart.series)
    # an efficiency has no marks beyond one, where the legend is
    end = chart.y_range[1] if isinstance(chart.y_range, tuple) else math.inf
    frame.titles(axes, y=chart.y, widest=frame.marks(axes, "y", end=end))
    lowest = axes
    if chart.ratio is not None:
        if not chart.ticks:
            frame.marks(axes, "x", text=False)
        lowest = _ratios(figure, chart, chart.series[chart.ratio], limits)
    if chart.ticks:
        _names(lowest, chart.ticks)
    else:
        frame.marks(lowest, "x")
    frame.titles(lowest, x=chart.x)
    values = np.concatenate([np.zeros(0), *(series.value for series in chart.series)])
    return int(np.count_nonzero((values < low) | (values > high)))


def _ratios(figure: Figure, chart: Chart, reference: Series, limits: tuple[float, float]) -> Axes:
    """Draw all series divided by a reference in the lower panel, which is returned."""
    axes = frame.add_panel(figure, frame.LOWER, chart.x_log)
    ratios = [series.over(reference) for series in chart.series]
    axes.set(xlim=limits, ylim=ratio_range(ratios))
    _guide(axes, limits, (1.0, 1.0))
    draw_series(axes, ratios)
    widest = frame.marks(axes, "y", most=4)
    frame.titles(axes, y=chart.ratio_label, widest=widest, centred=True)
    return axes


def _names(axes: Axes, ticks: Sequence[tuple[float, str]]) -> None:
    """Write names below the frame, in two rows by turns where they are too long."""
    names = [plain_mathtext(name) for _, name in ticks]
    places = np.array([place for place, _ in ticks])
    low, high = axes.get_xlim()
    wide = frame.size(axes)[0]
    room = wide * float(np.diff(np.sort(places)).min(initial=high - low)) / (high - low)
    rows = 2 if max(width(name, TICK_SIZE) for name in names) >= 0.95 * room else 1
    if any("\n" in name for name in names):
        rows = 1
    for i, (place, name) in enumerate(zip(places.tolist(), names, strict=True)):
        size = fitting(name, TICK_SIZE, 0.95 * rows * room)
        frame.write(axes, "x", place, "\n" * (i % rows) + name, size)


def draw_series(axes: Axes, several: Sequence[Series]) -> None:
    """Draw the bands of all series, then their lines, then their markers; limits are set."""
    for series in several:
        _band(axes, series)
    for series in several:
        _line(axes, series)
    for series in several:
        _markers(axes, series)


def _band(axes: Axes, series: Series) -> None:
    has = np.isfinite(series.low) & np.isfinite(series.high)
    if not has.any():
        return
    low, high = (_near(axes, bound[has]) for bound in (series.low, series.high))
    left, right = series.left[has], series.right[has]
    if series.style == "line":
        x = (left + right) / 2
        corners = np.concatenate([np.stack([x, low], 1), np.stack([x, high], 1)[::-1]])[None]
    else:
        corners = _boxes(left, right, low, high)
    _fill(axes, corners, series.colour, BAND)


def _boxes(left: np.ndarray, right: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the corners (n, 4, 2) of rectangles."""
    corners = ((left, low), (left, high), (right, high), (right, low))
    return np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)


def _fill(axes: Axes, shapes: np.ndarray, colour: str, opacity: float) -> None:
    """Fill polygons (n, corners, 2) as one path: neighbours of equal colour show no seam."""
    n, corners, _ = shapes.shape
    vertices = np.concatenate([shapes, shapes[:, :1]], axis=1).reshape(-1, 2)
    codes = np.full((n, corners + 1), Path.LINETO, dtype=Path.code_type)
    codes[:, 0], codes[:, -1] = Path.MOVETO, Path.CLOSEPOLY
    path = Path(vertices, codes.ravel())
    axes.add_artist(PathPatch(path, facecolor=colour, alpha=opacity, linewidth=0.0, zorder=1.0))


def _near(axes: Axes, values: np.ndarray) -> np.ndarray:
    """Return values that lie no further outside than the frame is high: what is not seen."""
    low, high = axes.get_ylim()
    if axes.get_yscale() == "log":
        return values.clip(low * low / high, high * high / low)
    return values.clip(2 * low - high, 2 * high - low)


def _line(axes: Axes, series: Series) -> None:
    value = _near(axes, series.value)
    if series.style == "points":
        # a gap after each bin
        x = np.stack([series.left, series.right, series.right], axis=1).ravel()
        y = np.stack([value, value, np.full_like(value, np.nan)], axis=1).ravel()
        wide = 1.1
    elif series.style == "steps":
        x = np.stack([series.left, series.right], axis=1).ravel()
        y, wide = np.repeat(value, 2), 1.3
    else:
        x, y, wide = (series.left + series.right) / 2, value, 1.4
    axes.add_artist(_stroke(x, y, series.colour, wide, series.dashed))


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


def _markers(axes: Axes, series: Series) -> None:
    line = series.style == "line"
    if series.style == "steps" or not series.marker or (line and len(series.value) > _FEW):
        return
    middle = (series.left + series.right) / 2
    if axes.get_xscale() == "log" and not line:
        middle = np.sqrt(series.left * series.right)
    axes.add_artist(_sign(series, middle, series.value, 4.0 if line else _size(series)))


def _sign(
    series: Series, x: np.ndarray | Sequence[float], y: np.ndarray | Sequence[float], size: float
) -> Line2D:
    return Line2D(
        x,
        y,
        linestyle="none",
        color=series.colour,
        marker=series.marker,
        markersize=size,
        markerfacecolor=series.colour if series.filled else "white",
        markeredgewidth=0.4 if series.filled else 1.0,
    )


def _size(series: Series) -> float:
    return 7.0 if series.marker == "*" else 5.0


def _key(series: Series) -> Line2D:
    """Return the entry of a series in a legend."""
    key = _sign(series, [], [], 4.0 if series.style == "line" else _size(series))
    if series.style != "points":
        key.set(linestyle="--" if series.dashed else "-", linewidth=1.4)
    if series.style == "steps":
        key.set_marker("")
    key.set_label(plain_mathtext(series.label))
    return key


def _guide(axes: Axes, x: tuple[float, float], y: tuple[float, float]) -> None:
    """Draw a dashed grey line."""
    axes.add_artist(_stroke(x, y, GREY, 0.9, dashed=True))


def _rows(figure: Figure, chart: Chart) -> None:
    """Draw horizontal intervals, a row for each name, the first on top."""
    names = [settable(name) for name in chart.rows]
    left, bottom, wide, high = frame.WHOLE
    needed = (max(width(name, _ROW_SIZE) for name in names) + 14.0) / (72.0 * FIGURE_SIZE[0])
    more = min(max(needed - left, 0.0), 0.3)
    axes = frame.add_panel(figure, (left + more, bottom, wide - more, high))
    n_rows, n_series = len(names), len(chart.series)
    frame.header(axes, chart.origin, chart.what, start=-more / (wide - more))
    taken = frame.legend(axes, [_key(series) for series in chart.series], chart.title)
    low, high = horizontal_range(chart)
    axes.set(xlim=(low, high), ylim=(n_rows - 0.5, n_rows - 0.5 - n_rows / (0.98 - taken)))
    even = np.arange(0.0, n_rows, 2.0)
    stripes = _boxes(np.full_like(even, low), np.full_like(even, high), even - 0.5, even + 0.5)
    _fill(axes, stripes, "0.955", 1.0)
    if chart.guide is not None:
        _guide(axes, (chart.guide, chart.guide), (n_rows - 0.5, -0.5))
    half = 0.36 / max(n_series, 1)
    for k, series in enumerate(chart.series):
        has = np.isfinite(series.value)
        value = series.value[has]
        place = series.left[has] + (2 * k + 1 - n_series) * half
        start, end = (
            np.where(np.isfinite(bound[has]), bound[has], value).clip(
                2 * low - high, 2 * high - low
            )
            for bound in (series.low, series.high)
        )
        boxes = _boxes(start, end, place - 0.8 * half, place + 0.8 * half)
        _fill(axes, boxes, series.colour, 0.3)
        axes.add_artist(_sign(series, value, place, 4.5))
    _row_names(axes, names)
    frame.marks(axes, "x", most=6)
    frame.titles(axes, x=chart.x)


def _row_names(axes: Axes, names: Sequence[str]) -> None:
    """Write names left of the frame, in lines where they have several."""
    bottom, top = axes.get_ylim()
    apart = frame.size(axes)[1] / (bottom - top)
    room = axes.get_position().x0 * FIGURE_SIZE[0] * 72.0 - 12.0
    for i, name in enumerate(names):
        most = min(_ROW_SIZE, 0.85 * apart / (name.count("\n") + 1))
        frame.write(axes, "y", i, name, fitting(name, most, room), 6.0)
