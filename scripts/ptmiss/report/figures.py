"""Figures of response and resolution, drawn from the tables alone."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
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
        rows = spec.rows
        look = looks(rows["estimator"])
        reference = rows[rows["estimator"] == REFERENCE]
        with_ratio = (
            spec.quantity.startswith("sigma")
            and len(look) > 1
            and bool(np.isfinite(reference["value"]).any())
        )
        canvas = self._with_ratio if with_ratio else self._plain
        n_events = _events(rows)
        with matplotlib.rc_context(RC), warnings.catch_warnings():
            # a label may hold letters that the font lacks: the page shows them, the figure a box
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            canvas.wipe()
            outside = _main_panel(canvas.upper, spec, look)
            _header(canvas.upper, origin, sample_label, n_events)
            low, high = _finite_range(rows)
            canvas.upper.set_xlim(low, high)
            if with_ratio:
                _ratio_panel(canvas.lower, rows, reference, look)
            canvas.lower.set_xlabel(AXES[spec.axis].symbol)
            png, width, height = canvas.png()
        empty = sorted(set(_bins(rows[~np.isfinite(rows["value"])])))
        labels = tuple(entry.label for entry in look.values())
        return Drawn(png, width, height, n_events, low, high, tuple(empty), outside, labels)


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
        small.save(buffer, format="PNG", optimize=True)
        return buffer.getvalue(), image.width, image.height


def _main_panel(axes: Axes, spec: Spec, look: dict[str, Look]) -> int:
    rows = spec.rows
    quantity = QUANTITIES[spec.quantity]
    for name, entry in look.items():
        _points(axes, rows[rows["estimator"] == name], entry)
    low, high = _vertical_range(rows, spec.quantity)
    axes.set_ylim(low, high)
    if spec.quantity.startswith("response"):
        axes.axhline(1.0, color="0.45", linewidth=0.9, linestyle="--", zorder=1)
    elif spec.quantity.startswith("bias"):
        axes.axhline(0.0, color="0.45", linewidth=0.9, linestyle="--", zorder=1)
    unit = f" [{quantity.unit}]" if quantity.unit else ""
    form = {"rms": ", RMS", "width": ", 16\u201384 %"}.get(spec.form, "")
    axes.set_ylabel(quantity.symbol + form + unit)
    subset = spec.subset.replace("q_T", "$q_T$")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles,
        [plain_mathtext(label) for label in labels],
        loc="upper left",
        ncols=4 if len(labels) <= 4 else 3,
        title=subset or None,
        alignment="left",
    )
    value = rows["value"].to_numpy()
    return int(np.count_nonzero((value < low) | (value > high)))


def _points(axes: Axes, rows: pd.DataFrame, entry: Look) -> None:
    """Draw one estimator: a marker in each bin, a line over its width, a band for its interval."""
    rows = rows[np.isfinite(rows["value"])]
    left, right = _edges(rows)
    value = rows["value"].to_numpy()
    axes.hlines(value, left, right, color=entry.colour, linewidth=1.1, zorder=3)
    bounds = rows[["err_low", "err_high"]].to_numpy()
    corners = [(left, bounds[:, 0]), (left, bounds[:, 1]), (right, bounds[:, 1])]
    corners.append((right, bounds[:, 0]))
    boxes = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)
    axes.add_collection(
        PolyCollection(boxes, facecolor=entry.colour, alpha=0.22, linewidth=0, zorder=2),
        autolim=False,
    )
    axes.plot(
        (left + right) / 2,
        value,
        linestyle="none",
        marker=entry.marker,
        color=entry.colour,
        markerfacecolor=entry.colour if entry.filled else "white",
        markeredgewidth=1.0 if not entry.filled else 0.4,
        markersize=7.0 if entry.marker == "*" else 5.0,
        label=entry.label,
        zorder=4,
    )


def _ratio_panel(
    axes: Axes, rows: pd.DataFrame, reference: pd.DataFrame, look: dict[str, Look]
) -> None:
    divisor = reference.set_index(["bin_low", "bin_high"])["value"]
    drawn = []
    for name, entry in look.items():
        own = rows[rows["estimator"] == name].copy()
        below = divisor.reindex(pd.MultiIndex.from_frame(own[["bin_low", "bin_high"]])).to_numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            for column in ("value", "err_low", "err_high"):
                own[column] = own[column].to_numpy() / below
        own.loc[~np.isfinite(own["value"]), "value"] = np.nan
        _points(axes, own, entry)
        drawn.append(own["value"].to_numpy())
    axes.axhline(1.0, color="0.45", linewidth=0.9, linestyle="--", zorder=1)
    values = np.concatenate(drawn)
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    margin = 0.12 * max(high - low, 0.1)
    axes.set_ylim(max(0.0, low - margin), min(high, 3.0) + margin)
    axes.set_ylabel("/ PUPPI", loc="center")


def _header(axes: Axes, origin: str, sample_label: str, n_events: float) -> None:
    text = f"{shorten(sample_label, 34)}, {count(n_events)} events"
    axes.text(
        0.0, 1.015, plain_mathtext(origin), transform=axes.transAxes, weight="bold", va="bottom"
    )
    axes.text(1.0, 1.015, plain_mathtext(text), transform=axes.transAxes, ha="right", va="bottom")


def _vertical_range(rows: pd.DataFrame, quantity: str) -> tuple[float, float]:
    values = rows[["value", "err_low", "err_high"]].to_numpy().ravel()
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


def _edges(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return rows["bin_low"].to_numpy(np.float64), rows["bin_high"].to_numpy(np.float64)


def _bins(rows: pd.DataFrame) -> list[tuple[float, float]]:
    return list(zip(*(edge.tolist() for edge in _edges(rows)), strict=True))


def _finite_range(rows: pd.DataFrame) -> tuple[float, float]:
    left, right = _edges(rows)
    edges = np.concatenate([left, right])
    edges = edges[np.isfinite(edges)]
    if not len(edges) or edges.min() == edges.max():
        return 0.0, 1.0
    return float(edges.min()), float(edges.max())


def _events(rows: pd.DataFrame) -> float:
    """Return the events of all bins, of the estimator that has most of them."""
    sums = rows.groupby("estimator")["n_events"].sum(min_count=0)
    return float(sums.max()) if len(sums) else 0.0


def describe(spec: Spec, drawn: Drawn) -> str:
    """Return the alternative text of a figure: what is drawn against what, by whom."""
    form = f" ({FORMS[spec.form]})" if FORMS[spec.form] else ""
    return (
        f"{QUANTITIES[spec.quantity].words}{form} against {AXES[spec.axis].words}"
        f"{', ' + spec.subset if spec.subset else ''}, for "
        f"{', '.join(drawn.estimators)}"
    )
