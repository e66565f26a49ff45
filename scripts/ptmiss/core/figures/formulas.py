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

_FORMULA, _DOLLAR = re.compile(r"(?<!\\)\$((?:[^$\\]|\\.)*)\$"), re.compile(r"(?<!\\)\$")
_PARSER = MathTextParser("path")


@functools.lru_cache(4096)
def settable(text: str) -> str:
    """Return text that can be drawn: a formula that matplotlib cannot set stands as it is written.

    Users write labels, and a wrong one is no reason to end a run; a warning names the formula.
    """
    if not is_math_text(text):
        return text
    text = text.replace("\u202f", " ")  # the fonts of formulas have no narrow blank
    if _can_set(text):
        return text
    better = _FORMULA.sub(_checked, text)
    if is_math_text(better) and not _can_set(better):
        return _DOLLAR.sub(r"\$", text)
    return better


def _checked(match: re.Match[str]) -> str:
    if _can_set(match[0]):
        return match[0]
    _LOG.warning("%r: this formula cannot be set and is drawn as it stands", match[0])
    return rf"\${match[1]}\$"


def _can_set(text: str) -> bool:
    try:
        _PARSER.parse(text, 72, FontProperties())
    except Exception:  # ValueError for what it knows to be wrong, others for what it does not
        return False
    return True


def drawn(text: str) -> tuple[str, bool]:
    """Return a line of text as renderers take it, and whether it has formulas."""
    return (text, True) if is_math_text(text) else (text.replace(r"\$", "$"), False)


def font(size: float, bold: bool = False) -> FontProperties:
    """Return the font of the style; size: of its letters in points."""
    return FontProperties(size=size, weight="bold" if bold else "normal")


@functools.lru_cache(4096)
def width(text: str, size: float, bold: bool = False) -> float:
    """Return the width of a text in points, of its widest line; size: of its letters in points."""
    lines = [drawn(line) for line in text.split("\n") if line]
    widths = [
        text_to_path.get_text_width_height_descent(s, font(size, bold), m)[0] for s, m in lines
    ]
    return float(max(widths, default=0.0))


def fitting(text: str, size: float, room: float) -> float:
    """Return the size at which a text fits into `room` points, at least half of the size."""
    wide = width(text, size)
    return size if wide <= room else max(math.floor(2 * size * room / wide) / 2, size / 2)
