"""Text that a stage wrote: a regular file, unchanged, of a sensible size, in UTF-8."""

from __future__ import annotations

import os
from pathlib import Path

from ptmiss.errors import UserError
from ptmiss.io import manifest
from ptmiss.io.regular import require_regular

LARGEST = 1 << 28
"""Bytes: no text of ours comes near; a larger file would only fill the memory."""


def read(path: str | os.PathLike[str], stage: str) -> str:
    """Return the text of a file that the stage writes; raises `UserError` where there is none."""
    return decode(read_bytes(path, stage), path, stage)


def read_bytes(path: str | os.PathLike[str], stage: str) -> bytes:
    """Return the content of a small file that the stage writes, its sum compared."""
    require_regular(path, again(stage))
    manifest.check(path)
    try:
        if (size := os.stat(path).st_size) > LARGEST:
            raise UserError(
                f"{path}: has {size / 1e6:.0f} MB, expected at most {LARGEST / 1e6:.0f} MB; "
                f"{again(stage)}"
            )
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the stage {stage}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {again(stage)}") from None


def decode(content: bytes, path: str | os.PathLike[str], stage: str) -> str:
    """Return bytes as text; raises `UserError` with the place of the first that is none."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not text in UTF-8 (byte {error.start}: {error.reason}); {again(stage)}"
        ) from None


def again(stage: str) -> str:
    """Return what to do about a damaged file of a stage."""
    return f"delete it and run the stage {stage} again"
