"""LaTeX that users write in labels and titles: set in figures, as letters on the page."""

from __future__ import annotations

import re
import unicodedata

from ptmiss.core.html.text import clean, plain_mathtext, shorten

_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho"
    " sigma tau upsilon phi chi psi omega"
)
_UNSEEN = "! mathrm mathit mathbf mathsf text rm it bf left right"
_GREEK = {
    name: unicodedata.lookup(f"GREEK SMALL LETTER {'LAMDA' if name == 'lambda' else name.upper()}")
    for name in _NAMES.split()
}
_SIGNS = {
    **_GREEK,
    **{name.capitalize(): sign.upper() for name, sign in _GREEK.items()},
    "to": "\u2192",
    "rightarrow": "\u2192",
    "ell": "\u2113",
    "pm": "\u00b1",
    "times": "\u00d7",
    "cdot": "\u00b7",
    "ge": "\u2265",
    "geq": "\u2265",
    "le": "\u2264",
    "leq": "\u2264",
    "sim": "~",
    "approx": "\u2248",
    "infty": "\u221e",
    "hbar": "\u0127",
    "sqrt": "\u221a",
    "prime": "\u2032",
    "varepsilon": "\u03b5",
    "varphi": "\u03c6",
    "bar": "\u0304",
    "overline": "\u0304",
    "tilde": "\u0303",
    "widetilde": "\u0303",
    "hat": "\u0302",
    "vec": "\u20d7",
    "dot": "\u0307",
    **dict.fromkeys(["quad", ",", ";", ":", " "], " "),
    **{sign: sign for sign in "%&#_"},
    **dict.fromkeys(_UNSEEN.split(), ""),
}

_FORMULA = re.compile(r"(?<!\\)\$((?:[^$\\]|\\.)+)\$")
_COMMAND = re.compile(r"\\([A-Za-z]+|.) ?")
_ACCENT = re.compile(r"([\u0300-\u036f\u20d7])\s*\{?(\w)")


def readable(text: str) -> str:
    """Return text with simple LaTeX between dollar signs as letters: of `$t\\bar{t}$` t and t-bar.

    For the page, which shows no formulas. A formula with a command that is not known here stays as
    it stands, and so does everything outside dollar signs.
    """
    return _FORMULA.sub(_letters, text)


def _letters(match: re.Match[str]) -> str:
    formula = match[1]
    if any(name not in _SIGNS for name in _COMMAND.findall(formula)):
        return match[0]
    text = _COMMAND.sub(lambda command: _SIGNS[command[1]], formula.replace("~", " "))
    return re.sub(r"[{}]", "", _ACCENT.sub(r"\2\1", text))


def in_figure(text: str, length: int) -> str:
    """Return text for a figure, with formulas where all of it reads in `length` characters and as
    letters, cut, where it does not: half a formula is none."""
    text = clean(text)
    letters = readable(text)
    text = text if len(letters) <= length else shorten(letters, length)
    dollars = len(re.findall(r"(?<!\\)\$", text))
    return plain_mathtext(text) if dollars % 2 else text
