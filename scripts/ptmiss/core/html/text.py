"""Strings that come from settings and files, made safe to show anywhere."""

from __future__ import annotations

import json
import unicodedata

DASH = "\u2013"
"""Stands where there is no number."""

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that reorder what follows: a name could pretend to be another one."""


def clean(text: str) -> str:
    """Return `text` without control, terminal and direction marks, on one line.

    Line breaks and tabs become blanks, every other control, direction, surrogate or unassigned
    character becomes the replacement character, so that it is seen that something was there.
    Escaping for HTML is the template's task, not done here.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    out = []
    for char in text:
        if char in "\n\r\t\v\f\u2028\u2029":
            out.append(" ")
        elif char in _BIDI or unicodedata.category(char) in ("Cc", "Cs", "Cn", "Co"):
            out.append("\ufffd")
        else:
            out.append(char)
    return "".join(out).strip()


def clean_lines(text: str) -> str:
    """Like `clean`, but line breaks stay and blanks at the start of a line are kept."""
    return "\n".join(
        line[: len(line) - len(line.lstrip(" "))] + clean(line) for line in text.split("\n")
    )


def shorten(text: str, length: int) -> str:
    """Return cleaned text of at most `length` characters, with an ellipsis where it was cut."""
    text = clean(text)
    return text if len(text) <= length else text[: length - 1].rstrip() + "\u2026"


def capital(text: str) -> str:
    """Return text with a capital first letter, the others as they are."""
    return text[:1].upper() + text[1:]


def plain_mathtext(text: str) -> str:
    """Return text that matplotlib draws as it stands: a dollar sign starts no formula."""
    return text.replace("$", r"\$")


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with `digits` significant digits, a dash where there is none."""
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return DASH
    if value == 0:
        return "0"
    text = f"{value:#.{digits}g}"
    if "e" in text:
        return text
    return text.rstrip(".").replace("-", "\u2212")


def count(value: float | int) -> str:
    """Return a count with thin separators between thousands."""
    return f"{round(value):,}".replace(",", "\u202f")


def script_json(value: object) -> str:
    """Return sorted JSON that can stand inside a script element.

    `<`, `>`, `&` and the two line separators of Unicode are written as escapes, so that no string
    can close the element or start a comment. NaN and infinities are refused.
    """
    text = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text
