"""What figures are drawn on: every stroke goes into a PNG and into a PDF at once.

Matplotlib's artists take most of the time of a figure, and take it once for each file. Here its two
renderers are given the strokes themselves, of which a figure needs about a hundred.
"""

from __future__ import annotations

import functools
import io
import logging
import re
from collections.abc import Sequence

import numpy as np
from matplotlib.backend_bases import GraphicsContextBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.backends.backend_pdf import GraphicsContextPdf, Op, PdfFile, RendererPdf, pdfRepr
from matplotlib.cbook import is_math_text
from matplotlib.colors import to_rgba
from matplotlib.font_manager import FontProperties
from matplotlib.markers import MarkerStyle
from matplotlib.mathtext import MathTextParser
from matplotlib.path import Path
from matplotlib.transforms import Bbox, IdentityTransform
from PIL import Image

from ptmiss.tasks.met.report.style import FIGURE_SIZE

_LOG = logging.getLogger(__name__)

COLOURS = 64
"""Colours of a stored figure: enough for smooth letters and bands, a third of the bytes."""

_OTHERS = 16
"""Of them, those chosen to be unlike each other and not for being frequent."""

Colour = str | tuple[float, float, float, float]
Box = tuple[float, float, float, float]

_FORMULA, _DOLLAR = re.compile(r"(?<!\\)\$((?:[^$\\]|\\.)*)\$"), re.compile(r"(?<!\\)\$")

_SAME = IdentityTransform()
_CLEAR = (0.0, 0.0, 0.0, 0.0)
_NOTHING = dict.fromkeys(("Creator", "Producer", "CreationDate"))


class Surface:
    """An empty page; coordinates are pixels from the lower left corner, sizes are points."""

    def __init__(self, dpi: int) -> None:
        """dpi: pixels an inch."""
        self.point = dpi / 72.0
        self.width, self.height = (int(inches * dpi) for inches in FIGURE_SIZE)
        self._formulas = _Formulas(dpi)
        self._agg = RendererAgg(self.width, self.height, dpi)
        self._agg.mathtext_parser = self._formulas
        self._instead: dict[str, str] = {}
        self._sizes: dict[tuple[str, float, bool], tuple[float, float, float]] = {}
        self._contexts: dict[tuple[object, ...], tuple[GraphicsContextBase, ...]] = {}
        self._start()

    def _start(self) -> None:
        self._agg.clear()
        self._bytes = io.BytesIO()
        self._file = _Pdf(self._bytes, metadata=_NOTHING)
        self._file.newPage(*FIGURE_SIZE)
        self._pdf = RendererPdf(self._file, 72, FIGURE_SIZE[1], FIGURE_SIZE[0])
        self._pdf._text2path.mathtext_parser = self._formulas
        corners = ((0, 0), (self.width, 0), (self.width, self.height), (0, self.height))
        self.fill(np.array([corners], dtype=np.float64), "white")

    def finish(self) -> tuple[bytes, bytes]:
        """Return a PNG with a palette and a PDF, both without any metadata; start a new page."""
        png = io.BytesIO()
        few_colours(np.asarray(self._agg.buffer_rgba())).save(png, format="PNG", compress_level=6)
        self._pdf.finalize()
        self._file.finalize()
        self._file.close()
        found = png.getvalue(), self._bytes.getvalue()
        self._start()
        return found

    def stroke(
        self,
        lines: np.ndarray | Sequence[np.ndarray],
        colour: Colour,
        width: float,
        *,
        dashes: tuple[float, ...] = (),
        clip: Box | None = None,
        sharp: bool = False,
    ) -> None:
        """Draw lines of equal or different numbers of points, each (n, 2); width in points.

        sharp: vertical and horizontal lines begin at whole pixels.
        """
        path = _joined(lines, closed=False)
        if path is not None:
            self._draw(path, self._style(colour, width, dashes, clip, sharp), None)

    def fill(
        self, shapes: np.ndarray | Sequence[np.ndarray], colour: Colour, *, clip: Box | None = None
    ) -> None:
        """Fill polygons that do not overlap, each (n, 2)."""
        path = _joined(shapes, closed=True)
        if path is not None:
            self._draw(path, self._style(_CLEAR, 0.0, (), clip, False), to_rgba(colour))

    def circles(
        self, centres: np.ndarray, radii: np.ndarray, colour: Colour, *, clip: Box | None = None
    ) -> None:
        """Fill circles that may overlap; radii in points."""
        contexts = self._style(_CLEAR, 0.0, (), clip, False)
        face = to_rgba(colour)
        circle = Path.unit_circle()
        for (x, y), radius in zip(centres.tolist(), radii.tolist(), strict=True):
            vertices = circle.vertices * (radius * self.point) + (x, y)
            self._draw(Path(vertices, circle.codes), contexts, face)

    def markers(
        self,
        points: np.ndarray,
        marker: str,
        size: float,
        colour: Colour,
        *,
        filled: bool = True,
        edge: float = 0.4,
        clip: Box | None = None,
    ) -> None:
        """Draw a marker, named as in matplotlib, at each point of (n, 2)."""
        if not len(points):
            return
        path, transform, sharp = _marker(marker)
        face = to_rgba(colour if filled else "white")
        agg, pdf = self._style(colour, edge, (), clip, sharp)
        scaled = transform.frozen().scale(size * self.point)
        self._agg.draw_markers(agg, path, scaled, Path(points), _SAME, face)
        # as one path: a reference for each point takes longer
        vertices = (scaled.transform(path.vertices) + points[:, None, :]).reshape(-1, 2)
        codes = None if path.codes is None else np.tile(path.codes, len(points))
        if codes is None:
            codes = np.full((len(points), len(path.vertices)), Path.LINETO, dtype=Path.code_type)
            codes[:, 0] = Path.MOVETO
        self._draw_pdf(Path(vertices, codes.ravel()), pdf, face)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        side: str = "left",
        level: str = "base",
        bold: bool = False,
        upright: bool = False,
        colour: Colour = "black",
    ) -> None:
        """Write a line of text, mathtext between dollar signs.

        x, y: of its beginning, middle or end (side: "left", "centre", "right") on its base line,
        or in the middle or on top of its capital letters (level: "base", "middle", "top").
        upright: from below to above.
        """
        text, formula = self._prepared(text, size, bold)
        if not text:
            return
        along = {"left": 0.0, "centre": 0.5, "right": 1.0}[side]
        along *= self.measure(text, size, bold)[0] if along else 0.0
        across = {"base": 0.0, "middle": 0.5, "top": 1.0}[level] * 0.72 * size * self.point
        x, y = (x + across, y - along) if upright else (x - along, y - across)
        angle = 90.0 if upright else 0.0
        agg, pdf = self._style(colour, 1.0, (), None, False)
        font = _font(size, bold)
        self._agg.draw_text(agg, x, self.height - y, text, font, angle, formula)
        self._pdf.draw_text(pdf, x / self.point, y / self.point, text, font, angle, formula)

    def measure(self, text: str, size: float, bold: bool = False) -> tuple[float, float, float]:
        """Return width, height and depth of a line of text in pixels."""
        key = (text, size, bold)
        if key not in self._sizes:
            prepared, formula = self._prepared(text, size, bold)
            self._sizes[key] = (
                self._agg.get_text_width_height_descent(prepared, _font(size, bold), formula)
                if prepared
                else (0.0, 0.0, 0.0)
            )
        return self._sizes[key]

    def _prepared(self, text: str, size: float, bold: bool) -> tuple[str, bool]:
        """Return what to draw, and whether it holds formulas; one that cannot be set is drawn as it
        stands, because users write labels."""
        if is_math_text(text):
            # the fonts of formulas have no narrow blank
            text, font = text.replace("\u202f", " "), _font(size, bold)
            if text not in self._instead and not self._formulas.can_set(text, font):
                self._instead[text] = self._formulas.without_bad(text, font)
            text = self._instead.get(text, text)
        formula = is_math_text(text)
        return (text if formula else text.replace(r"\$", "$")), formula

    def _draw(self, path: Path, contexts, face) -> None:
        agg, pdf = contexts
        self._agg.draw_path(agg, path, _SAME, face)
        self._draw_pdf(path, pdf, face)

    def _draw_pdf(self, path: Path, context, face) -> None:
        points = Path(np.round(path.vertices / self.point, 2), path.codes)
        self._pdf.draw_path(context, points, _SAME, face)

    def _style(self, colour: Colour, width: float, dashes, clip: Box | None, sharp: bool):
        """Return how a stroke is drawn, for the two renderers."""
        key = (colour, width, dashes, clip, sharp)
        if key not in self._contexts:
            # what is drawn with knows its file, how it is drawn does not
            pair = GraphicsContextBase(), GraphicsContextPdf(None)
            for context, scale in zip(pair, (1.0, 1.0 / self.point), strict=True):
                context.set_foreground(to_rgba(colour), isRGBA=True)
                context.set_linewidth(width)
                context.set_snap(sharp)
                if dashes:
                    context.set_dashes(0.0, [one * width for one in dashes])
                if clip is not None:
                    context.set_clip_rectangle(Bbox(np.reshape(clip, (2, 2)) * scale))
            self._contexts[key] = pair
        return self._contexts[key]


class _Pdf(PdfFile):
    """A PDF whose numbers have three decimals; writing them takes a fraction of the time."""

    def output(self, *data: object) -> None:
        self.write(b" ".join(map(_token, data)) + b"\n")


def _token(value: object) -> bytes:
    if isinstance(value, float):
        text = b"%.3f" % value
        return text.rstrip(b"0").rstrip(b".")
    if isinstance(value, Op):
        return _OPERATORS[value]
    return pdfRepr(value)


_OPERATORS = {operator: operator.pdfRepr() for operator in Op}


def few_colours(image: np.ndarray) -> Image.Image:
    """Return an image (height, width, 4) with a palette; opacity is not kept.

    The most frequent colours, those of the ground, of letters and of bands, stay what they are to
    a few parts of 256; the rest of the palette covers what else there is. Only pixels that are not
    ground are looked at, which are few.
    """
    packed = np.ascontiguousarray(image).view(np.uint32)[..., 0]
    ink = packed != packed[0, 0]
    pixels = packed[ink]
    # 5, 6 and 5 bits: sixteen bits are counted faster than colours are sorted
    key = (pixels >> 3 & 0x1F) | (pixels >> 5 & 0x7E0) | (pixels >> 8 & 0xF800)
    often = np.bincount(key, minlength=1 << 16)
    known = np.flatnonzero(often)
    shade = np.zeros(1 << 16, dtype=np.uint32)
    shade[key] = pixels
    colours = np.concatenate([packed[:1, 0], shade[known]]).view(np.uint8).reshape(-1, 4)[:, :3]
    frequent = np.argsort(-often[known], kind="stable")[: COLOURS - _OTHERS - 1] + 1
    row = Image.fromarray(np.ascontiguousarray(colours)[None])
    row = row.quantize(_OTHERS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    others = np.reshape(row.getpalette(), (-1, 3))[:_OTHERS].astype(np.uint8)
    palette = np.concatenate([colours[:1], colours[frequent], others])
    wanted, given = colours.astype(np.float32), palette.astype(np.float32)
    nearest = ((given * given).sum(axis=1) - 2.0 * wanted @ given.T).argmin(axis=1)
    code = np.zeros(1 << 16, dtype=np.uint8)
    code[known] = nearest[1:]
    codes = np.zeros(packed.shape, dtype=np.uint8)
    codes[ink] = code[key]
    small = Image.fromarray(codes, mode="P")
    small.putpalette(palette.ravel().tolist())
    return small


class _Formulas:
    """Formulas set once and scaled for the other renderer; parsing one takes milliseconds."""

    def __init__(self, dpi: int) -> None:
        self._dpi, self._parser, self._known = dpi, MathTextParser("path"), {}
        self._bad: set[str] = set()

    def can_set(self, text: str, prop: FontProperties) -> bool:
        """Return whether a text is one that the parser understands."""
        try:
            self.parse(text, self._dpi, prop)
        except Exception:  # ValueError for what it knows to be wrong, others for what it does not
            return False
        return True

    def without_bad(self, text: str, prop: FontProperties) -> str:
        """Return text in which formulas that cannot be set are none; all, if that is not enough."""

        def checked(match: re.Match[str]) -> str:
            if match[0] not in self._bad and self.can_set(match[0], prop):
                return match[0]
            if match[0] not in self._bad:
                self._bad.add(match[0])
                _LOG.warning("%r: this formula cannot be set and is drawn as it stands", match[0])
            return rf"\${match[1]}\$"

        better = _FORMULA.sub(checked, text)
        if is_math_text(better) and not self.can_set(better, prop):
            return _DOLLAR.sub(r"\$", text)
        return better

    def parse(self, text: str, dpi: float = 72, prop: FontProperties | None = None, **_: object):
        key = (text, prop.get_size_in_points(), prop.get_weight())
        if key not in self._known:
            self._known[key] = self._parser.parse(text, self._dpi, prop)
        found = self._known[key]
        if dpi == self._dpi:
            return found
        by = dpi / self._dpi
        return type(found)(
            found.width * by,
            found.height * by,
            found.depth * by,
            [(*one, x * by, y * by) for *one, x, y in found.glyphs],
            [tuple(bound * by for bound in rect) for rect in found.rects],
        )


@functools.cache
def _font(size: float, bold: bool) -> FontProperties:
    return FontProperties(size=size, weight="bold" if bold else "normal")


@functools.cache
def _marker(name: str):
    style = MarkerStyle(name)
    return style.get_path(), style.get_transform(), name == "s"


def _joined(pieces: np.ndarray | Sequence[np.ndarray], closed: bool) -> Path | None:
    """Return one path of several lines or polygons."""
    pieces = [piece for piece in pieces if len(piece) > 1]
    if not pieces:
        return None
    codes = []
    for piece in pieces:
        own = np.full(len(piece) + closed, Path.LINETO, dtype=Path.code_type)
        own[0] = Path.MOVETO
        if closed:
            own[-1] = Path.CLOSEPOLY
        codes.append(own)
    if closed:
        pieces = [np.concatenate([piece, piece[:1]]) for piece in pieces]
    return Path(np.concatenate(pieces), np.concatenate(codes))
