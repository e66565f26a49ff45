"""Lines of text in a figure, formulas among the words, drawn once for all figures of a page."""

from __future__ import annotations

import functools
import math
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import RendererAgg

from ptmiss.core.figures.formulas import drawn, font, width

ASCENT = 0.73
"""Height of letters above their line, in sizes of the letters."""

LINE = 1.2
"""From line to line, in sizes of the letters."""


Style = Literal["", "bold", "turned"]
"""Letters as they are, bold, or as a text that runs upwards."""


class Letters(Artist):
    """A line of text at a place in points from the lower left corner of the figure.

    Matplotlib's `Text` measures each text for each file and paints it letter by letter, which
    takes a third of the time of a page; here the picture of a text is kept, and PDF gets letters.
    """

    def __init__(
        self,
        place: tuple[float, float],
        text: str,
        size: float,
        align: float = 0.0,
        style: Style = "",
    ) -> None:
        """place: on the line below the letters; size: of letters in points; align: share of the
        width that lies before the place."""
        super().__init__()
        self._place, self._align, self._turned = place, align, style == "turned"
        self._look = (text, size, style == "bold")
        self.set_zorder(3.0)

    def draw(self, renderer: RendererBase) -> None:
        """Draw on a picture, or as letters in a PDF."""
        gc = renderer.new_gc()
        if isinstance(renderer, RendererAgg):
            x, y = (renderer.dpi / 72.0 * at for at in self._place)
            image, wide, below = _image(*self._look, renderer.dpi)
            before = self._align * wide + _EDGE
            if self._turned:
                image = np.rot90(image, -1)  # rows run upwards here
                x, y = x - (image.shape[1] - below), y - before
            else:
                x, y = x - before, y - below
            renderer.draw_image(gc, round(x), round(y), image)
        else:
            x, y = self._place
            before = self._align * width(*self._look)
            x, y = (x, y - before) if self._turned else (x - before, y)
            text, is_formula = drawn(self._look[0])
            letters = font(*self._look[1:])
            renderer.draw_text(gc, x, y, text, letters, 90.0 * self._turned, is_formula)
        gc.restore()


_EDGE = 2
"""Pixels around the picture of a text."""


@functools.lru_cache(4096)
def _image(text: str, size: float, bold: bool, dpi: float) -> tuple[np.ndarray, float, int]:
    """Return pixels (rows from below, columns, RGBA) of a text, its width, and how many rows lie
    below the line that the letters stand on."""
    text, is_formula = drawn(text)
    letters = font(size, bold)
    wide, high, deep = RendererAgg(1, 1, dpi).get_text_width_height_descent(
        text, letters, is_formula
    )
    below = math.ceil(deep) + _EDGE
    rows = math.ceil(high - deep) + _EDGE + below
    page = RendererAgg(math.ceil(wide) + 2 * _EDGE, rows, dpi)
    page.draw_text(page.new_gc(), _EDGE, rows - below, text, letters, 0.0, is_formula)
    return np.asarray(page.buffer_rgba())[::-1].copy(), wide, below
