"""The one place that turns what damaged bytes cause into one line: file, branch, basket."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from ptmiss.core.errors import UserError


@contextlib.contextmanager
def decoding(address: str, what: str = "") -> Iterator[None]:
    """Refuse a file in which anything goes wrong inside the block: damaged bytes cause errors of
    every class, in libraries that have none of their own.

    what: the part that is read ("branch PFCands_pt, basket 3"), empty for the file as a whole. Only
    reading belongs into the block: a defect of ours inside it would be called damage of the file.
    """
    try:
        with np.errstate(all="ignore"):  # offsets that overflow are refused, not warned of
            yield
    except UserError:
        raise
    except Exception as error:
        raise unreadable(address, error, f"{what} " if what else "") from error


def unreadable(address: str, error: Exception, what: str = "") -> UserError:
    """Return the line that says what cannot be read and why; `what` ends in a space."""
    text = str(getattr(error, "message", error)).strip()  # uproot's text begins with its context
    reason = text.splitlines()[0] if text else type(error).__name__
    if isinstance(error, FileNotFoundError):
        reason = "no such file"
    if isinstance(error, ModuleNotFoundError):
        reason = f"the package {error.name} is needed for this address and is not installed"
    if isinstance(error, MemoryError | RecursionError):
        reason = "its sizes are impossible, or there is too little memory"
    reason = reason[:160].encode("ascii", "backslashreplace").decode()  # bytes of the file
    reason = "".join(letter if letter.isprintable() else "?" for letter in reason)
    return UserError(
        f"{address}: {what}cannot be read ({reason}); the file is damaged or out of reach, "
        "check it or fetch it again"
    )
