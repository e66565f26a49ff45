"""Texts of users in figures: formulas that can be set, and how wide they are."""

from __future__ import annotations

import functools
import logging
import math
import re

from matplotlib.cbook import is_math_text
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from matplotlib.textpath import text_to_path

_LOG = logging.getLogger(__name__)

_FORMULA = re.compile(r"(?<!\\)(\$(?:[^$\\]|\\.)*\$)")
_PARSER = MathTextParser("path")


def settable(text: str) -> str:
    """Return text that can be drawn: a formula that matplotlib cannot set stands as it is written.

    Users write labels, and a wrong one is no reason to end a run; a warning names the formula.
    """
    return _FORMULA.sub(_checked, text) if is_math_text(text) else text


def _checked(match: re.Match[str]) -> str:
    formula = match[0].replace("\u202f", " ")  # the fonts of formulas have no narrow blank
    return formula if can_set(formula) else rf"\${match[0][1:-1]}\$"


@functools.lru_cache(4096)
def can_set(formula: str) -> bool:
    """Return whether matplotlib knows how to set a formula; a warning tells what it does not."""
    try:
        _PARSER.parse(formula, 72, FontProperties())
    except Exception:  # ValueError for what it knows to be wrong, others for what it does not
        _LOG.warning("%r: this formula cannot be set and is drawn as it stands", formula)
        return False
    return True


@functools.lru_cache(4096)
def width(text: str, size: float, bold: bool = False) -> float:
    """Return the width of a text in points, of its widest line; size: of its letters in points."""
    last = [pieces(line, size, bold)[-1] for line in text.split("\n")]
    return max(start + _advance(end, is_formula, size, bold) for end, is_formula, start in last)


@functools.lru_cache(4096)
def pieces(text: str, size: float, bold: bool = False) -> list[tuple[str, bool, float]]:
    """Return words and formulas of a line one after the other: what to draw, whether it is a
    formula, and where it begins in points. Few formulas with many words around are set once."""
    split = _FORMULA.split(text) if is_math_text(text) else [text]
    found, start = [], 0.0
    for i, piece in enumerate(split):
        drawn = piece if i % 2 else piece.replace(r"\$", "$")
        if drawn:
            found.append((drawn, bool(i % 2), start))
            start += _advance(*found[-1][:2], size, bold)
    return found or [("", False, 0.0)]


@functools.lru_cache(4096)
def _advance(text: str, is_formula: bool, size: float, bold: bool) -> float:
    font = FontProperties(size=size, weight="bold" if bold else "normal")
    if is_formula:
        return float(_PARSER.parse(text, 72, font).width)
    with_end, end = (
        text_to_path.get_text_width_height_descent(f"{some}.", font, False)[0]
        for some in (text, "")
    )
    return float(with_end - end)  # blanks at the end count


def fitting(text: str, size: float, room: float) -> float:
    """Return the size at which a text fits into `room` points, at least half of the size."""
    wide = width(text, size)
    return size if wide <= room else max(math.floor(2 * size * room / wide) / 2, size / 2)
