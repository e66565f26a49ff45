"""SHA-256 sums beside files: written with every artefact, checked whenever one is read.

`name.sha256` beside a file holds its sum in the form of `sha256sum`, so that `sha256sum --check`
understands it too. An input from elsewhere is checked in the same way if there is one beside it;
ROOT files need that, because many of them carry no checksum of their own.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from pathlib import Path, PurePosixPath

from ptmiss.core.errors import UserError
from ptmiss.core.io.regular import require_regular
from ptmiss.core.paths import PathLike

SUFFIX = ".sha256"

_LONGEST = 10_000  # characters of a record that are looked at: a sum and a name need less


def record_of(path: PathLike) -> Path:
    """Return where the sum of a file is kept."""
    return Path(f"{os.fspath(path)}{SUFFIX}")


def line(digest: str, name: str) -> str:
    """Return the content of a record: one line as `sha256sum` writes it."""
    return f"{digest}  {name}\n"


def check(path: PathLike) -> None:
    """Raise `UserError` if a file is not what the record beside it says, or is no regular file.

    A file without a record passes, and so does a missing one, which its reader explains better.
    """
    require_regular(path)
    record = record_of(path)
    if not os.path.exists(path):
        return
    require_regular(record, "delete it or make it anew with sha256sum")
    try:
        with open(record, encoding="utf-8") as handle:
            text = handle.read(_LONGEST)
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{record}: cannot be read ({error}); delete it or correct it") from None
    match = re.match(r"\\?([0-9a-fA-F]{64})\s", text)
    if match is None:
        raise UserError(
            f"{record}: found {text[:20]!r}, expected a SHA-256 sum and a name; delete it or make "
            "it anew with sha256sum"
        )
    expected, digest = match[1].lower(), _digest_of(path)
    if digest != expected:
        raise UserError(
            f"{path}: damaged or changed, SHA-256 is {digest[:12]}..., expected {expected[:12]}... "
            f"as in {record.name}; delete it and run the workflow again, or fetch it again"
        )


def read_bytes(path: PathLike, limit: int, missing: str, remedy: str) -> bytes:
    """Return the content of a file that is what its record says.

    Parameters
    ----------
    path
        Of a regular file.
    limit
        The most bytes that it may have.
    missing, remedy
        What to do where there is no file, and about one that is too large or unreadable.

    Raises
    ------
    UserError
        If there is no such file, or it cannot be read or is another one.
    """
    require_regular(path, remedy)
    try:
        if (size := os.stat(path).st_size) > limit:
            raise UserError(f"{path}: has {size:,} bytes, expected at most {limit:,}; {remedy}")
        check(path)
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {missing}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None


def sha256_of(path: PathLike) -> str:
    """Return the SHA-256 of a local file in hexadecimal.

    Raises `UserError` if the file is unreadable or is not what the record beside it says.
    """
    check(path)
    return _digest_of(path)


def _digest_of(path: PathLike) -> str:
    try:
        state = os.stat(path)
        return _digest(os.fspath(path), state.st_ino, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None


@functools.lru_cache(maxsize=4096)
def _digest(path: str, _inode: int, _size: int, _time: int) -> str:
    """Hash a file once, however often it is opened; the rest of the key tells that it changed."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def base_name(address: str) -> str:
    """Return the last part of a path or address: what an artefact may say about its inputs."""
    return PurePosixPath(address.split("?", 1)[0] if "://" in address else address).name
