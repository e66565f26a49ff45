"""A matplotlib figure that is wiped and used again, written as PNG and as PDF.

Making axes takes longer than drawing on them, and most of drawing goes into tick objects, of which
a frame with ticks on four sides has a hundred: here they are two collections of lines.
"""

from __future__ import annotations

import io

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator
from PIL import Image

from ptmiss.report.style import FIGURE_SIZE, RC

COLOURS = 64
"""Colours of a stored figure: enough for smooth letters and bands, a third of the bytes."""

_LAYOUTS = {
    "plain": ((0.13, 0.115, 0.845, 0.815),),
    "ratio": ((0.13, 0.335, 0.845, 0.595), (0.13, 0.115, 0.845, 0.205)),
    "rows": ((0.36, 0.115, 0.615, 0.815),),
    "display": (
        (0.10, 0.525, 0.50, 0.405),
        (0.10, 0.105, 0.50, 0.405),
        (0.67, 0.53, 0.30, 0.30 * FIGURE_SIZE[0] / FIGURE_SIZE[1]),
    ),
}
"""Layout -> place of each axes (left, bottom, width, height) as shares of the figure."""

_MAJOR, _MINOR = 5.0, 2.5


class Canvas:
    """A figure with its axes, from the top down."""

    def __init__(self, layout: str, dpi: int) -> None:
        """Make the axes of a layout ("plain", "ratio", "rows", "display"); dpi: pixels an inch."""
        with matplotlib.rc_context(RC):
            self._figure = Figure(figsize=FIGURE_SIZE, dpi=dpi)
            places = _LAYOUTS[layout]
            self.axes = [self._figure.add_axes(place) for place in places]
            for axes, place in zip(self.axes, places, strict=True):
                axes.tick_params(which="both", length=0)
                if layout in ("plain", "ratio"):
                    # a fixed place, so that labels of all figures of a page line up
                    axes.yaxis.set_label_coords(-0.085, 1.0 if axes is self.axes[0] else 0.5)
                axes.set_gid(str(place[3] * FIGURE_SIZE[1]))
        self._dpi = dpi
        self.labelled = {axes: axes is self.axes[-1] or layout == "display" for axes in self.axes}

    def wipe(self) -> None:
        """Take off everything that was drawn."""
        for axes in self.axes:
            for artist in (*axes.lines, *axes.collections, *axes.texts, *axes.patches):
                artist.remove()
            if axes.get_legend() is not None:
                axes.get_legend().remove()
            axes.set(xlabel="", ylabel="")

    def finish(self) -> tuple[bytes, bytes, int, int]:
        """Return a PNG with a palette, a PDF, both without any metadata, and the PNG's size."""
        agg = FigureCanvasAgg(self._figure)
        agg.draw()
        image = Image.fromarray(np.asarray(agg.buffer_rgba())).convert("RGB")
        small = image.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        png, pdf = io.BytesIO(), io.BytesIO()
        small.save(png, format="PNG", compress_level=6)
        nothing = dict.fromkeys(("Creator", "Producer", "CreationDate"))
        FigureCanvasPdf(self._figure).print_pdf(pdf, metadata=nothing)
        self._figure.dpi = self._dpi  # which writing a PDF sets to 72
        return png.getvalue(), pdf.getvalue(), image.width, image.height


def scale(axes: Axes, x_log: bool = False, y_log: bool = False) -> None:
    """Set linear or logarithmic axes."""
    for now, log, change in (
        (axes.get_xscale(), x_log, axes.set_xscale),
        (axes.get_yscale(), y_log, axes.set_yscale),
    ):
        wanted = "log" if log else "linear"
        if now != wanted:
            change(wanted)


def ticks(axes: Axes, x: bool = True, y: bool = True, labels: bool = True, most: int = 8) -> None:
    """Draw tick marks on all sides for the present limits; labels: below the frame as well.

    x, y: which axes have marks. most: intervals between labels of the vertical axis.
    """
    box = axes.get_position()
    width, height = box.width * FIGURE_SIZE[0] * 72, box.height * FIGURE_SIZE[1] * 72
    for axis, wanted, length, horizontal in (
        (axes.xaxis, x, height, True),
        (axes.yaxis, y, width, False),
    ):
        if not wanted:
            continue
        major, minor = _places(axis, 8 if horizontal else most)
        axis.set_major_locator(FixedLocator(major))
        axis.set_minor_locator(NullLocator())
        if horizontal:
            axes.tick_params(axis="x", labelbottom=labels)
        marks = []
        for places, points in ((major, _MAJOR), (minor, _MINOR)):
            for start, end in ((0.0, points / length), (1.0, 1.0 - points / length)):
                across = np.array([[start], [end]]) * np.ones(len(places))
                along = np.array([places, places])
                pair = (along, across) if horizontal else (across, along)
                marks += list(np.stack(pair, axis=-1).transpose(1, 0, 2))
        transform = axes.get_xaxis_transform() if horizontal else axes.get_yaxis_transform()
        axes.add_collection(
            LineCollection(marks, colors="black", linewidths=0.9, transform=transform, zorder=5),
            autolim=False,
        )


def _places(axis: Axis, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of long and short marks within the axis' limits."""
    low, high = sorted(axis.get_view_interval())
    if axis.get_scale() == "log":
        major = LogLocator(numticks=most).tick_values(low, high)
        minor = LogLocator(subs=np.arange(2, 10) * 0.1, numticks=99).tick_values(low, high)
    else:
        locator = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10])
        major = locator.tick_values(low, high)
        step = major[1] - major[0] if len(major) > 1 else 1.0
        parts = 4 if round(step / 10 ** np.floor(np.log10(step)), 3) == 2.0 else 5
        minor = major[0] + step / parts * np.arange(-parts, parts * (len(major) + 1))
    margin = 1e-9 * (high - low)
    inside = [one[(one >= low - margin) & (one <= high + margin)] for one in (major, minor)]
    return inside[0], inside[1][~np.isin(np.round(inside[1], 9), np.round(inside[0], 9))]
