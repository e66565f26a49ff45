"""Is it a file? Opening a pipe waits for ever for its writer, reading a device never ends.

Standard library only: planning asks this of every input.
"""

from __future__ import annotations

import os
import stat

from ptmiss.core.errors import UserError
from ptmiss.core.paths import PathLike

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def require_regular(path: PathLike, remedy: str = "give the path of a regular file") -> None:
    """Raise `UserError` if there is something else than a file behind a path, before it is opened.

    Links are followed. A path where nothing is passes: its reader explains better what is missing.
    remedy: what to do, the end of the message. A path that cannot be asked (a name too long, a
    loop of links, a folder without permission) is refused with the system's reason.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    except ValueError as error:  # a NUL in the name
        raise UserError(f"{os.fspath(path)!r}: cannot be read ({error}); {remedy}") from None
    if stat.S_ISREG(mode):
        return
    kind = next((text for is_kind, text in _KINDS if is_kind(mode)), "no file")
    raise UserError(f"{path}: is {kind}, expected a regular file; {remedy}")
