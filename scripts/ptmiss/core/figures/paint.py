"""Files of figures: the same chart gives the same bytes at any place in a sequence."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfFile, RendererPdf
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ptmiss.core.figures import style
from ptmiss.core.figures.chart import Chart, Drawing, Picture
from ptmiss.core.figures.draw import draw
from ptmiss.core.figures.palette import reduced

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
    """Draws charts, one after the other, on one figure: its renderers remember formulas."""

    def __init__(self, dpi: int) -> None:
        """dpi: pixels an inch."""
        self._dpi = dpi
        with style.context():
            self._figure = Figure(figsize=style.FIGURE_SIZE, dpi=dpi)
            self._canvas = FigureCanvasAgg(self._figure)
        self._writer: RendererPdf | None = None

    def paint(self, chart: Chart | Drawing) -> Picture:
        """Return PNG and PDF of a chart, both without any metadata."""
        figure = self._figure
        with style.context():
            for panel in figure.axes:
                figure.delaxes(panel)  # `clear` would first empty each
            figure.clear()
            figure.set_dpi(self._dpi)
            outside = draw(figure, chart) if isinstance(chart, Chart) else chart.draw_on(figure)
            self._canvas.draw()
            image = reduced(np.asarray(self._canvas.buffer_rgba()), _colours(figure))
            png = io.BytesIO()
            image.save(png, format="PNG", compress_level=6)
            pdf = self._pdf()
        return Picture(png.getvalue(), pdf, image.width, image.height, outside)

    def _pdf(self) -> bytes:
        """Return the figure as PDF; `savefig` would set every formula anew for each file."""
        raw = io.BytesIO()
        file = PdfFile(raw, metadata=_NO_METADATA)
        width, height = style.FIGURE_SIZE
        file.newPage(width, height)
        writer = self._writer = self._writer or RendererPdf(file, self._dpi, height, width)
        writer.file = file
        writer.gc = writer.new_gc()
        self._figure.set_dpi(72.0)  # a point is the unit of PDF
        self._figure.draw(writer)
        writer.finalize()
        file.finalize()
        file.close()
        return raw.getvalue()


def _colours(figure: Figure) -> list[tuple[int, ...]]:
    """Return the colours of all lines as red, green and blue, of those that are seen through on
    white."""
    found = set()
    for line in figure.findobj(Line2D):
        *rgb, alpha = to_rgba(line.get_color(), line.get_alpha())
        found.add(tuple(round(255.0 * (1.0 + alpha * (part - 1.0))) for part in rgb))
    return sorted(found)
