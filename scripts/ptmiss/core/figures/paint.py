"""Files of figures: the same chart gives the same bytes at any place in a sequence."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from ptmiss.core.figures import style
from ptmiss.core.figures.chart import Chart, Drawing, Picture
from ptmiss.core.figures.draw import draw

_MANY = 12
"""With fewer figures, starting processes takes longer than drawing."""

_NO_METADATA = dict.fromkeys(("Creator", "Producer", "CreationDate"))


def draw_all(charts: Iterable[Chart | Drawing], dpi: int, threads: int) -> Iterator[Picture]:
    """Return the pictures of charts in order; the bytes do not depend on the number of `threads`.

    Processes draw the first charts while the next are made, and go on while the caller does
    something else; the pictures are asked for in the end.
    """
    charts = iter(charts)
    first = list(itertools.islice(charts, _MANY))
    if threads < 2 or len(first) < _MANY or os.name != "posix":
        painter = Painter(dpi)
        return (painter.paint(chart) for chart in list(itertools.chain(first, charts)))
    # forked: the libraries, which take seconds to read, are there already
    pool = ProcessPoolExecutor(
        threads, mp_context=get_context("fork"), initializer=_start, initargs=(dpi,)
    )
    pictures = pool.map(_paint_here, itertools.chain(first, charts), chunksize=4)
    pool.shutdown(wait=False)
    return pictures


_here: list[Painter] = []  # of a worker process


def _start(dpi: int) -> None:
    _here[:] = [Painter(dpi)]


def _paint_here(chart: Chart | Drawing) -> Picture:
    return _here[0].paint(chart)


class Painter:
    """Draws charts, one after the other, on one figure: its renderer remembers formulas."""

    def __init__(self, dpi: int) -> None:
        """dpi: pixels an inch."""
        with style.context():
            self._figure = Figure(figsize=style.FIGURE_SIZE, dpi=dpi)
            self._canvas = FigureCanvasAgg(self._figure)

    def paint(self, chart: Chart | Drawing) -> Picture:
        """Return PNG and PDF of a chart, both without any metadata."""
        figure = self._figure
        with style.context():
            for panel in figure.axes:
                figure.delaxes(panel)  # `clear` would first empty each
            figure.clear()
            outside = draw(figure, chart) if isinstance(chart, Chart) else chart.draw_on(figure)
            raw, png, pdf = io.BytesIO(), io.BytesIO(), io.BytesIO()
            figure.savefig(raw, format="rgba")
            size = self._canvas.get_width_height()
            image = Image.frombytes("RGBA", size, raw.getvalue()).convert("RGB")
            # smooth letters and bands in a third of the bytes; other methods lose the light greys
            image = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
            image.save(png, format="PNG", compress_level=6)
            figure.savefig(pdf, format="pdf", metadata=_NO_METADATA)
        return Picture(png.getvalue(), pdf.getvalue(), image.width, image.height, outside)
