"""Drawing a chart: the same chart gives the same bytes at any place in a sequence."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.patches import Patch

from ptmiss.report.canvas import Canvas, scale, ticks
from ptmiss.report.chart import Chart, Display, Picture, Series, span
from ptmiss.report.event_display import draw_display
from ptmiss.report.style import RC
from ptmiss.report.text import plain_mathtext

_ROW = 0.07
"""Height of a line of the legend as a share of a panel."""

BAND = 0.22
"""How opaque a band is."""

_FEW = 12
"""With fewer figures, starting processes takes longer than drawing."""


def draw_all(charts: Sequence[Chart | Display], dpi: int, threads: int) -> list[Picture]:
    """Draw charts in order, in `threads` processes; the bytes do not depend on their number."""
    if threads < 2 or len(charts) < _FEW or os.name != "posix":
        painter = Painter(dpi)
        return [painter.draw(chart) for chart in charts]
    # forked: the libraries, which take seconds to read, are there already
    workers = ProcessPoolExecutor(
        threads, mp_context=get_context("fork"), initializer=_start, initargs=(dpi,)
    )
    with workers as pool:
        return list(pool.map(_draw_here, charts, chunksize=4))


_here: list[Painter] = []  # of a worker process


def _start(dpi: int) -> None:
    _here[:] = [Painter(dpi)]


def _draw_here(chart: Chart | Display) -> Picture:
    return _here[0].draw(chart)


class Painter:
    """Draws charts on canvases that are wiped in between."""

    def __init__(self, dpi: int) -> None:
        """dpi: pixels an inch."""
        self._dpi = dpi
        self._canvases: dict[tuple[object, ...], Canvas] = {}

    def draw(self, chart: Chart | Display) -> Picture:
        """Draw one chart."""
        canvas = self._canvas(chart)
        with matplotlib.rc_context(RC), warnings.catch_warnings():
            # a label may hold letters that the font lacks: the page shows them, the figure a box
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            warnings.filterwarnings("ignore", message=".*can not be subsetted")
            canvas.wipe()
            _header(canvas.axes[0], chart)
            outside = 0
            if isinstance(chart, Display):
                draw_display(canvas.axes, chart)
            elif chart.rows:
                _rows(canvas.axes[0], chart)
            else:
                outside = _panels(canvas.axes, chart)
            png, pdf, width, height = canvas.finish()
        return Picture(png, pdf, width, height, outside)

    def _canvas(self, chart: Chart | Display) -> Canvas:
        """Return the canvas of a kind of chart: what one kind changes another does not see."""
        key: tuple[object, ...] = (_layout(chart),)
        if isinstance(chart, Chart):
            key = (*key, chart.x_log, chart.y_log, bool(chart.ticks))
        if key not in self._canvases:
            self._canvases[key] = Canvas(_layout(chart), self._dpi)
        return self._canvases[key]


def _layout(chart: Chart | Display) -> str:
    if isinstance(chart, Display):
        return "display"
    if chart.rows:
        return "rows"
    return "plain" if chart.ratio is None else "ratio"


def _header(axes: Axes, chart: Chart | Display) -> None:
    left = 0.0
    if not isinstance(chart, Display) and chart.rows:
        left = -0.56
    right = 1.74 if isinstance(chart, Display) else 1.0
    for x, text, side, weight in (
        (left, chart.origin, "left", "bold"),
        (right, chart.what, "right", "normal"),
    ):
        axes.text(
            x, 1.015, plain_mathtext(text), transform=axes.transAxes, ha=side, weight=weight,
            va="bottom", clip_on=False,
        )  # fmt: skip


def _panels(panels: list[Axes], chart: Chart) -> int:
    """Draw values and, where asked for, ratios; return how many values lie beyond the range."""
    upper, lower = panels[0], panels[-1]
    low_x, high_x = chart.x_range or span(chart.series)
    for axes in panels:
        scale(axes, chart.x_log, chart.y_log and axes is upper)
        axes.set_xlim(low_x, high_x)
    for one in chart.series:
        draw_series(upper, one)
    lines = legend(upper, chart.series, chart.title)
    low, high = vertical_range(chart, lines)
    upper.set_ylim(low, high)
    if chart.guide is not None:
        guide(upper, chart.guide)
    if chart.diagonal:
        upper.plot([low_x, high_x], [low_x, high_x], color="0.45", lw=0.9, ls="--", zorder=1)
    upper.set_ylabel(chart.y)
    named = [place for place, _ in chart.ticks]
    ticks(upper, x=not named, labels=upper is lower)
    if chart.ratio is not None:
        _ratio_panel(lower, chart)
    if named:
        lower.set_xticks(named, [plain_mathtext(name) for _, name in chart.ticks], rotation=0)
    lower.set_xlabel(chart.x)
    value = np.concatenate([one.value for one in chart.series] or [[]])
    return int(np.count_nonzero((value < low) | (value > high)))


def draw_series(axes: Axes, one: Series) -> None:
    """Draw one series: values, and a band for the interval."""
    if one.style == "line":
        _line(axes, one)
    elif one.style == "steps":
        _steps(axes, one)
    else:
        _points(axes, one)


def _points(axes: Axes, one: Series) -> None:
    """A marker in each bin, a line over its width, a band for its interval."""
    has = np.isfinite(one.value)
    left, right, value = one.left[has], one.right[has], one.value[has]
    lines = np.stack([np.stack([left, value], -1), np.stack([right, value], -1)], axis=1)
    axes.add_collection(
        LineCollection(lines, color=one.colour, linewidth=1.1, zorder=3), autolim=False
    )
    _boxes(axes, one, left, right, one.low[has], one.high[has])
    log = axes.get_xscale() == "log"
    middle = np.sqrt(left * right) if log else (left + right) / 2
    axes.plot(
        middle,
        value,
        linestyle="none",
        marker=one.marker,
        color=one.colour,
        markerfacecolor=one.colour if one.filled else "white",
        markeredgewidth=1.0 if not one.filled else 0.4,
        markersize=7.0 if one.marker == "*" else 5.0,
        zorder=4,
    )


def _boxes(axes: Axes, one: Series, left, right, low, high) -> None:
    has = np.isfinite(low) & np.isfinite(high)
    corners = ((left, low), (left, high), (right, high), (right, low))
    boxes = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)[has]
    axes.add_collection(
        PolyCollection(boxes, facecolor=one.colour, alpha=BAND, linewidth=0, zorder=2),
        autolim=False,
    )


def _steps(axes: Axes, one: Series) -> None:
    """A histogram with a band; bins need not touch."""
    x = np.column_stack([one.left, one.right]).ravel()
    y = np.repeat(one.value, 2)
    axes.plot(x, y, color=one.colour, lw=1.3, ls="--" if one.dashed else "-", zorder=3)
    _boxes(axes, one, one.left, one.right, one.low, one.high)


def _line(axes: Axes, one: Series) -> None:
    """A line through points, a band around it."""
    x = (one.left + one.right) / 2
    if np.isfinite(one.low).any():
        axes.fill_between(x, one.low, one.high, color=one.colour, alpha=BAND, lw=0, zorder=2)
    style = "--" if one.dashed else "-"
    axes.plot(x, one.value, color=one.colour, lw=1.4, ls=style, zorder=3)
    if one.marker and len(x) <= 40:
        axes.plot(x, one.value, ls="none", marker=one.marker, color=one.colour, ms=4, zorder=4)


def legend(axes: Axes, series: Sequence[Series], title: str, most: int = 4) -> int:
    """Draw the legend in at most `most` columns; return how many lines it takes."""
    if not series:
        return 0
    handles = [_handle(one) for one in series]
    labels = [one.label for one in series]
    width = max(map(len, labels))
    columns = next((n for n, most in ((4, 14), (3, 19), (2, 30)) if width <= most), 1)
    columns = min(columns, len(labels), most, 4 if len(labels) <= 4 else 3)
    axes.legend(
        handles,
        [plain_mathtext(label) for label in labels],
        loc="upper left",
        ncols=columns,
        title=title or None,
        alignment="left",
    )
    return math.ceil(len(labels) / columns) + bool(title)


def _handle(one: Series):
    if one.style == "points":
        return matplotlib.lines.Line2D(
            [], [], linestyle="none", marker=one.marker, color=one.colour,
            markerfacecolor=one.colour if one.filled else "white",
            markersize=7.0 if one.marker == "*" else 5.0,
        )  # fmt: skip
    if one.style == "band":
        return Patch(facecolor=one.colour, alpha=BAND, linewidth=0)
    marker = one.marker if one.style == "line" else ""
    return matplotlib.lines.Line2D(
        [], [], color=one.colour, lw=1.4, ls="--" if one.dashed else "-", marker=marker, ms=4
    )


def _ratio_panel(axes: Axes, chart: Chart) -> None:
    reference = chart.series[chart.ratio]
    ratios = [one.over(reference) for one in chart.series]
    for one in ratios:
        draw_series(axes, one)
    guide(axes, 1.0)
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
    axes.set_ylim(max(0.0, low - margin), high + margin)
    axes.set_ylabel(chart.ratio_label, loc="center")
    ticks(axes, x=not chart.ticks, most=4)


def guide(axes: Axes, height: float) -> None:
    """Draw a dashed horizontal line."""
    axes.axhline(height, color="0.45", linewidth=0.9, linestyle="--", zorder=1)


def _rows(axes: Axes, chart: Chart) -> None:
    """Horizontal intervals, a row for each name, the first on top."""
    n_rows, n_series = len(chart.rows), len(chart.series)
    scale(axes)
    for i in range(0, n_rows, 2):
        axes.axhspan(i - 0.5, i + 0.5, color="0.955", lw=0, zorder=0)
    half = 0.36 / max(n_series, 1)
    for k, one in enumerate(chart.series):
        place = one.left + (2 * k + 1 - n_series) * half
        has = np.isfinite(one.value)
        moved = replace(one, left=place - half * 0.8, right=place + half * 0.8)
        low, high = (
            np.where(np.isfinite(bound), bound, moved.value) for bound in (moved.low, moved.high)
        )
        corners = (
            (low, moved.left), (high, moved.left), (high, moved.right), (low, moved.right),
        )  # fmt: skip
        boxes = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)[has]
        axes.add_collection(
            PolyCollection(boxes, facecolor=one.colour, alpha=0.3, linewidth=0, zorder=2),
            autolim=False,
        )
        axes.plot(
            one.value[has], place[has], ls="none", marker=one.marker, color=one.colour,
            markerfacecolor=one.colour if one.filled else "white", ms=4.5, zorder=4,
        )  # fmt: skip
    bounds = [bound for one in chart.series for bound in (one.value, one.low, one.high)]
    values = np.concatenate(bounds) if bounds else np.zeros(1)
    values = values[np.isfinite(values)]
    low, high = (min(values.min(), 0.0), max(values.max(), 0.0)) if len(values) else (0.0, 1.0)
    if isinstance(chart.y_range, tuple):
        low, high = max(low, chart.y_range[0]), min(high, chart.y_range[1])
    margin = 0.06 * max(high - low, 1e-3)
    axes.set_xlim(low - margin, high + margin)
    # the labels of the rows leave the panel two thirds of the width
    lines = legend(axes, chart.series, chart.title, most=2)
    axes.set_ylim(n_rows - 0.5, -0.5 - n_rows * 1.15 * _ROW * (lines + 0.6))
    if chart.guide is not None:
        axes.axvline(chart.guide, color="0.45", lw=0.9, ls="--", zorder=1)
    axes.set_yticks(range(n_rows), chart.rows)
    axes.tick_params(axis="y", labelsize=9.5 if n_rows <= 22 else 7.5)
    ticks(axes, y=False)
    axes.set_xlabel(chart.x)


def vertical_range(chart: Chart, legend_lines: int) -> tuple[float, float]:
    """Return the limits of the vertical axis, with room for the legend above the values."""
    if isinstance(chart.y_range, tuple) and not chart.y_log:
        low, high = chart.y_range
        return low, low + (high - low) / (1 - _ROW * legend_lines - 0.05)
    bounds = [bound for one in chart.series for bound in (one.value, one.low, one.high)]
    values = np.concatenate(bounds) if bounds else np.zeros(0)
    values = values[np.isfinite(values)]
    room = 1 - min(0.55, _ROW * legend_lines + 0.06)
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
    elif chart.y_range == "data":
        width = max(high - low, 1e-3 * max(abs(high), 1e-9))
        low, high = low - 0.08 * width, high + 0.03 * width
    else:
        low, high = 0.0, high if high > 0 else 1.0
    return low, low + (high - low) / room
