"""The error a user can cause and mend, and how what they wrote is quoted in it."""

from __future__ import annotations

_LONGEST, _TAIL = 1200, 500
"""Characters of a message, and how many of its end stay: that is where the advice stands."""


class UserError(Exception):
    """A mistake in an input file, a setting or a command line.

    The text is one line that names what is wrong and where, what was expected and what to do.
    Commands print it without a traceback and end with exit status 1; every other exception is a
    defect of this project and keeps its traceback. Characters that a terminal would obey (control
    characters, marks that turn the direction of writing) are written as escapes, and the middle of
    a text that would fill a screen is left out.
    """

    def __init__(self, message: str) -> None:
        super().__init__(_shortened(escaped(" ".join(message.split()))))


def escaped(text: str) -> str:
    r"""Return text with each character that cannot be printed as an escape such as \x1b."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def quoted(value: object, most: int = 60) -> str:
    """Return a value as Python writes it, cut to `most` characters: for use in a message."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - _TAIL]} [...] {text[-_TAIL:]}"
