"""Figures of response and resolution, drawn from the tables alone."""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass, replace

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from ptmiss.report.plan import AXES, FORMS, QUANTITIES, REFERENCE, Spec
from ptmiss.report.style import FIGURE_SIZE, RC, Look, looks
from ptmiss.report.text import count, plain_mathtext, shorten

COLOURS = 64
"""Colours of a stored figure: enough for smooth letters and bands, a third of the bytes."""

HEADROOM = 1.42
"""How far the axis goes beyond the largest value, so that the legend covers nothing."""


@dataclass(frozen=True)
class Drawn:
    """A figure and what its caption must know.

    png: the file; width, height: pixels; n_events: events in the drawn bins (of the estimator
    with most); low, high: range of the horizontal axis; empty_bins: bins without a value for some
    estimator, as (low, high); outside: points beyond the drawn vertical range; estimators: labels.
    """

    png: bytes
    width: int
    height: int
    n_events: float
    low: float
    high: float
    empty_bins: tuple[tuple[float, float], ...]
    outside: int
    estimators: tuple[str, ...]


@dataclass(frozen=True)
class _Series:
    """The numbers of one estimator, each of shape (n_bins,); NaN: no value."""

    look: Look
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_events: np.ndarray

    def over(self, divisor: dict[tuple[float, float], float]) -> _Series:
        """Return value and interval divided by another estimator's value in the same bin."""
        bins = zip(self.left.tolist(), self.right.tolist(), strict=True)
        below = np.array([divisor.get(edges, math.nan) for edges in bins])
        below[~(below > 0.0)] = math.nan
        return replace(self, value=self.value / below, low=self.low / below, high=self.high / below)


def _series(rows: pd.DataFrame) -> dict[str, _Series]:
    """Return the numbers of each estimator, in the order in which they are drawn."""
    names = ("bin_low", "bin_high", "value", "err_low", "err_high", "n_events")
    parts = dict(list(rows.groupby("estimator")))
    return {
        name: _Series(look, *(parts[name][column].to_numpy(np.float64) for column in names))
        for name, look in looks(parts).items()
    }


class Painter:
    """Draws figures on two canvases that are wiped in between.

    Making axes with their ticks takes longer than drawing on them, so they are made once. What was
    drawn before leaves no trace: the same figure gives the same bytes at any place in a sequence.
    """

    def __init__(self, dpi: int) -> None:
        """Make the canvases; dpi: pixels an inch."""
        with matplotlib.rc_context(RC):
            self._plain = _Canvas(dpi, with_ratio=False)
            self._with_ratio = _Canvas(dpi, with_ratio=True)

    def draw(self, spec: Spec, origin: str, sample_label: str) -> Drawn:
        """Draw one figure.

        origin: what the numbers come from, printed on the figure ("Parametric simulation"). Lower
        panel: ratio to PUPPI where the figure shows a resolution and PUPPI is there.
        """
        series = _series(spec.rows)
        every = list(series.values())
        reference = series.get(REFERENCE)
        with_ratio = (
            spec.quantity.startswith("sigma")
            and len(series) > 1
            and reference is not None
            and bool((reference.value > 0.0).any())
        )
        canvas = self._with_ratio if with_ratio else self._plain
        # events of all bins, of the estimator that has most of them
        n_events = max((float(np.nansum(one.n_events)) for one in every), default=0.0)
        low, high = _horizontal_range(every)
        with matplotlib.rc_context(RC), warnings.catch_warnings():
            # a label may hold letters that the font lacks: the page shows them, the figure a box
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            canvas.wipe()
            outside = _main_panel(canvas.upper, spec, every)
            _header(canvas.upper, origin, sample_label, n_events)
            canvas.upper.set_xlim(low, high)
            if with_ratio:
                _ratio_panel(canvas.lower, every, reference)
            canvas.lower.set_xlabel(AXES[spec.axis].symbol)
            png, width, height = canvas.png()
        empty = {
            (left, right)
            for one in every
            for left, right, value in zip(one.left, one.right, one.value, strict=True)
            if math.isnan(value)
        }
        labels = tuple(one.look.label for one in every)
        bins = tuple((float(left), float(right)) for left, right in sorted(empty))
        return Drawn(png, width, height, n_events, low, high, bins, outside, labels)


class _Canvas:
    """A figure with its axes; `lower` is the panel of ratios, or the only one."""

    def __init__(self, dpi: int, with_ratio: bool) -> None:
        self._figure = Figure(figsize=FIGURE_SIZE, dpi=dpi)
        self._canvas = FigureCanvasAgg(self._figure)
        bottom = 0.335 if with_ratio else 0.115
        self.upper = self._figure.add_axes((0.13, bottom, 0.845, 0.93 - bottom))
        self.lower = self.upper
        if with_ratio:
            self.upper.tick_params(labelbottom=False)
            self.lower = self._figure.add_axes((0.13, 0.115, 0.845, 0.205), sharex=self.upper)
            self.lower.yaxis.set_major_locator(MaxNLocator(4, prune="upper"))
        for axes in self._figure.axes:
            # a fixed place, so that labels of all figures of a page line up
            axes.yaxis.set_label_coords(-0.085, 1.0 if axes is self.upper else 0.5)

    def wipe(self) -> None:
        for axes in self._figure.axes:
            for artist in (*axes.lines, *axes.collections, *axes.texts):
                artist.remove()
            if axes.get_legend() is not None:
                axes.get_legend().remove()

    def png(self) -> tuple[bytes, int, int]:
        """Return a PNG with a palette and without any metadata, its width and its height."""
        self._canvas.draw()
        image = Image.fromarray(np.asarray(self._canvas.buffer_rgba())).convert("RGB")
        small = image.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        buffer = io.BytesIO()
        small.save(buffer, format="PNG", compress_level=6)
        return buffer.getvalue(), image.width, image.height


def _main_panel(axes: Axes, spec: Spec, every: list[_Series]) -> int:
    """Draw the values; return how many of them lie outside the drawn range."""
    quantity = QUANTITIES[spec.quantity]
    for one in every:
        _points(axes, one)
    low, high = _vertical_range(every, spec.quantity)
    axes.set_ylim(low, high)
    right = {"response": 1.0, "response_met": 1.0, "bias_x": 0.0, "bias_y": 0.0}
    if spec.quantity in right:
        _line(axes, right[spec.quantity])
    unit = f" [{quantity.unit}]" if quantity.unit else ""
    form = {"rms": ", RMS", "width": ", 16\u201384 %"}.get(spec.form, "")
    axes.set_ylabel(quantity.symbol + form + unit)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles,
        [plain_mathtext(label) for label in labels],
        loc="upper left",
        ncols=4 if len(labels) <= 4 else 3,
        title=spec.subset.replace("q_T", "$q_T$") or None,
        alignment="left",
    )
    value = np.concatenate([one.value for one in every])
    return int(np.count_nonzero((value < low) | (value > high)))


def _points(axes: Axes, one: _Series) -> None:
    """Draw one estimator: a marker in each bin, a line over its width, a band for its interval."""
    has = np.isfinite(one.value)
    left, right, value = one.left[has], one.right[has], one.value[has]
    low, high = one.low[has], one.high[has]
    look = one.look
    lines = np.stack([np.stack([left, value], -1), np.stack([right, value], -1)], axis=1)
    axes.add_collection(
        LineCollection(lines, color=look.colour, linewidth=1.1, zorder=3), autolim=False
    )
    corners = ((left, low), (left, high), (right, high), (right, low))
    boxes = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)
    axes.add_collection(
        PolyCollection(boxes, facecolor=look.colour, alpha=0.22, linewidth=0, zorder=2),
        autolim=False,
    )
    axes.plot(
        (left + right) / 2,
        value,
        linestyle="none",
        marker=look.marker,
        color=look.colour,
        markerfacecolor=look.colour if look.filled else "white",
        markeredgewidth=1.0 if not look.filled else 0.4,
        markersize=7.0 if look.marker == "*" else 5.0,
        label=look.label,
        zorder=4,
    )


def _ratio_panel(axes: Axes, every: list[_Series], reference: _Series) -> None:
    bins = zip(reference.left.tolist(), reference.right.tolist(), strict=True)
    divisor = dict(zip(bins, reference.value.tolist(), strict=True))
    ratios = [one.over(divisor) for one in every]
    for one in ratios:
        _points(axes, one)
    _line(axes, 1.0)
    values = np.concatenate([one.value for one in ratios])
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    margin = 0.12 * max(high - low, 0.1)
    axes.set_ylim(max(0.0, low - margin), min(high, 3.0) + margin)
    axes.set_ylabel("/ PUPPI", loc="center")


def _line(axes: Axes, height: float) -> None:
    axes.axhline(height, color="0.45", linewidth=0.9, linestyle="--", zorder=1)


def _header(axes: Axes, origin: str, sample_label: str, n_events: float) -> None:
    text = f"{shorten(sample_label, 34)}, {count(n_events)} events"
    axes.text(
        0.0, 1.015, plain_mathtext(origin), transform=axes.transAxes, weight="bold", va="bottom"
    )
    axes.text(1.0, 1.015, plain_mathtext(text), transform=axes.transAxes, ha="right", va="bottom")


def _vertical_range(every: list[_Series], quantity: str) -> tuple[float, float]:
    values = np.concatenate([bound for one in every for bound in (one.value, one.low, one.high)])
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if quantity.startswith("response"):
        # below a few GeV the mean response means little and may be anything: keep one readable
        low, high = max(min(low, 0.5), -0.5), min(max(high, 1.1), 2.0)
        return low - 0.05, low + (high - low) * 1.35
    if quantity.startswith("bias"):
        span = max(high - low, 1.0)
        return low - 0.15 * span, high + 0.55 * span
    return 0.0, HEADROOM * high if high > 0 else 1.0


def _horizontal_range(every: list[_Series]) -> tuple[float, float]:
    edges = np.concatenate([edge for one in every for edge in (one.left, one.right)])
    edges = edges[np.isfinite(edges)]
    if not len(edges) or edges.min() == edges.max():
        return 0.0, 1.0
    return float(edges.min()), float(edges.max())


def describe(spec: Spec, drawn: Drawn) -> str:
    """Return the alternative text of a figure: what is drawn against what, by whom."""
    form = f" ({FORMS[spec.form]})" if FORMS[spec.form] else ""
    return (
        f"{QUANTITIES[spec.quantity].words}{form} against {AXES[spec.axis].words}"
        f"{', ' + spec.subset if spec.subset else ''}, for "
        f"{', '.join(drawn.estimators)}"
    )
