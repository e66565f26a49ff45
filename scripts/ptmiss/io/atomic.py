"""Files that appear whole or not at all, each with its checksum beside it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ptmiss.errors import UserError
from ptmiss.io import manifest

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], recorded: bool = True) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` if the block succeeds.

    The temporary file is removed if the block fails, so that no half-written file is ever seen
    under the final name. The name is fixed (no process id or clock in it): a file left behind by
    a killed process is overwritten by the next attempt. The final file's suffix is kept, because
    some writers choose the format by it. recorded: also write the file's SHA-256 beside it (see
    `io.manifest`). The old record goes before the file changes and the new one comes after it, so
    that at no moment a whole file has a wrong record. Raises `UserError` if the disk is full.
    """
    final = Path(path)
    record = manifest.record_of(final)
    temporary = final.with_name(f".{final.stem}.incomplete{final.suffix}")
    note = manifest.record_of(temporary)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb+") as handle:
            os.fsync(handle.fileno())
            if recorded:
                digest = hashlib.file_digest(handle, "sha256").hexdigest()
        if recorded:
            _write_safely(note, manifest.line(digest, final.name))
        record.unlink(missing_ok=True)
        os.replace(temporary, final)
        if recorded:
            os.replace(note, record)
    except Exception as error:
        if _is_full(error) and not isinstance(error, UserError):
            raise UserError(
                f"{final}: the disk is full; free some space and run the workflow again"
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
        note.unlink(missing_ok=True)


def _write_safely(path: Path, text: str) -> None:
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())


def _is_full(error: BaseException | None) -> bool:
    """Tell whether a full disk is behind an error; libraries wrap it in classes of their own."""
    while error is not None:
        if getattr(error, "errno", None) in _FULL or "No space left on device" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: object) -> None:
    """Write `value` as sorted, indented JSON; NaN and infinities are refused."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file that a stage wrote; raises `UserError` naming one that is damaged."""
    manifest.check(path)
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: not readable JSON ({error}); delete it and run the workflow again"
        ) from None
