"""Text that a stage wrote: a regular file, unchanged, of a sensible size, in UTF-8."""

from __future__ import annotations

from ptmiss.core.errors import UserError
from ptmiss.core.io import manifest
from ptmiss.core.paths import PathLike

LARGEST = 1 << 28
"""Bytes: no text of ours comes near; a larger file would only fill the memory."""


def read(path: PathLike, stage: str) -> str:
    """Return the text of a file that the stage writes; raises `UserError` where there is none."""
    return decode(read_bytes(path, stage), path, stage)


def read_bytes(path: PathLike, stage: str) -> bytes:
    """Return the content of a small file that the stage writes, its sum compared."""
    return manifest.read_bytes(path, LARGEST, f"run the stage {stage}", again(stage))


def decode(content: bytes, path: PathLike, stage: str) -> str:
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
