"""Style of the figures: mplhep's letters and frames at the size of the page's columns."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from mplhep import style as hep

# it reports, for every figure, that symbols like the parallel sign come from its second font
logging.getLogger("matplotlib.mathtext").setLevel(logging.WARNING)

FIGURE_SIZE = (6.0, 5.2)
"""Inches; with the page's half column of about 470 pixels a letter is about 12 pixels high."""

TEXT_SIZE, LABEL_SIZE, TICK_SIZE = 11.0, 12.0, 10.5
"""Letters of headers, of axis titles, of numbers and legends, in points."""

DASHES = (3.7, 1.6)
"""Lengths of dashes and gaps, in widths of the line."""

GREY = "0.45"
"""Colour of lines that guide the eye."""

_TICKS = {
    "labelsize": TICK_SIZE,
    "major.size": 5.0,
    "minor.size": 2.5,
    "major.width": 0.9,
    "minor.width": 0.9,
    "major.pad": 4.5,
}
_SETTINGS = hep.ROOT | {
    # a glyph that the first font lacks comes from the one that matplotlib brings, not from
    # whatever a machine has installed
    "font.sans-serif": ["TeX Gyre Heros", "DejaVu Sans"],
    "font.size": TICK_SIZE,
    "figure.figsize": FIGURE_SIZE,
    "axes.unicode_minus": True,
    "axes.linewidth": 0.9,
    "axes.labelsize": LABEL_SIZE,
    "axes.formatter.useoffset": False,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-3, 5),
    "legend.fontsize": TICK_SIZE,
    "legend.title_fontsize": TICK_SIZE,
    "legend.handlelength": 1.35,
    "legend.handletextpad": 0.5,
    "legend.columnspacing": 1.25,
    "legend.borderpad": 0.0,
    "legend.labelspacing": 0.5,
    "lines.dashed_pattern": DASHES,
    **{f"{axis}tick.{name}": value for axis in "xy" for name, value in _TICKS.items()},
}
_ROOT_LIKE = matplotlib.RcParams(_SETTINGS)


@contextmanager
def context() -> Iterator[None]:
    """Draw and save in this style; what was set before comes back afterwards."""
    with matplotlib.rc_context(_ROOT_LIKE), warnings.catch_warnings():
        # a label may hold letters that the fonts lack: the page shows them, the figure a box
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message=".*can not be subsetted")
        yield
