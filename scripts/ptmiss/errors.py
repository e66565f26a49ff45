"""The error a user can cause and mend."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in an input file, a setting or a command line.

    The text is one line that names what is wrong and where, what was expected and what to do.
    Commands print it without a traceback and end with exit status 1; every other exception is a
    defect of this project and keeps its traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
