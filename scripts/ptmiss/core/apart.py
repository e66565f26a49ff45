"""What a command writes must be no file that it reads, and each output a file of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from ptmiss.core.errors import UserError
from ptmiss.core.paths import is_remote

Named = tuple[str, str]
"""A flag and one path given for it."""


def keep_apart(reads: Iterable[Named], writes: Iterable[Named]) -> None:
    """Raise `UserError` if an output is an input or another output, by whatever name.

    Links to a file and second names of it count as the file: that a rename would only replace one
    of the names is nothing a user can rely on. Addresses of servers are never outputs. An output
    takes the name of its checksum too.
    """
    used: dict[object, Named] = {}
    for flag, path in reads:
        if not is_remote(path):
            used.update(dict.fromkeys(_identities(path), (flag, path)))
    for flag, path in writes:
        mine = {*_identities(path), *_identities(f"{path}.sha256")}
        for key in mine:
            if key in used:
                other, its = used[key]
                same = "" if its == path else f", the same file as {its},"
                raise UserError(
                    f"{flag}: {path}{same} is given for {other} too; give each output a path of"
                    " its own"
                )
        used.update(dict.fromkeys(mine, (flag, path)))


def _identities(path: str) -> Iterator[object]:
    """Yield what all names of a file have in common: its real path, and its inode if it exists."""
    try:
        yield os.path.realpath(path)
        state = os.stat(path)
    except (OSError, ValueError):
        return  # nothing there, or its reader or writer says what is wrong with it
    yield state.st_dev, state.st_ino
