"""Files that appear whole or not at all, each with its checksum beside it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ptmiss.core.errors import UserError
from ptmiss.core.io import manifest
from ptmiss.core.io.regular import require_regular
from ptmiss.core.paths import PathLike

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def replacing(path: PathLike, recorded: bool = True) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` if the block succeeds.

    The temporary file is empty and new: whatever has its name, such as a file that a killed process
    left behind or a link to somewhere else, is removed and never written through. It is removed if
    the block fails, so that no half-written file is ever seen under the final name. The name is
    fixed (no process id or clock in it). The final file's suffix is kept, because some writers
    choose the format by it. recorded: also write the file's SHA-256 beside it (see
    `io.manifest`). The old record goes before the file changes and the new one comes after it, so
    that at no moment a whole file has a wrong record. Raises `UserError` for a path that cannot
    become a file and if the disk is full.
    """
    final = Path(path)
    record = manifest.record_of(final)
    _refuse_other_kinds(final, record)
    temporary = final.with_name(f".{final.stem}.incomplete{final.suffix}")
    note = manifest.record_of(temporary)
    with _one_line(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        _create(temporary)
    try:
        yield temporary
        with _one_line(final):
            with os.fdopen(os.open(temporary, os.O_RDWR | os.O_NOFOLLOW), "rb+") as handle:
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
            raise _full_disk(final) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
        note.unlink(missing_ok=True)


@contextlib.contextmanager
def fresh_folder(path: PathLike) -> Iterator[Path]:
    """Yield a new, empty folder at `path`, and remove it with all that is in it afterwards.

    Whatever has the name, such as the folder of a killed process, is removed; a link is not
    followed. Raises `UserError` where no folder can be made.
    """
    folder = Path(path)
    with _one_line(folder):
        _remove(folder)
        folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        # a network's disk may keep names of open files for a while; the next entry removes them
        with contextlib.suppress(OSError):
            _remove(folder)


@contextlib.contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Turn what the system says while something is made at `path` into one line."""
    try:
        yield
    except OSError as error:
        if _is_full(error):
            raise _full_disk(path) from error
        reason = error.strerror or str(error)
        raise UserError(
            f"{path}: cannot be written ({reason}); give another path or correct its folder"
        ) from error


def _full_disk(path: Path) -> UserError:
    return UserError(f"{path}: the disk is full; free some space and run the workflow again")


def _refuse_other_kinds(final: Path, record: Path) -> None:
    """Raise `UserError` before any work is done for what no file can replace."""
    if final.name in ("", ".."):
        raise UserError(f"{str(final)!r}: cannot be written, it names no file; give another path")
    for path in (final, record):
        require_regular(path, "give another path, or remove what is there")


def _create(path: Path) -> None:
    """Create an empty file in place of whatever has the name, following no link."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    os.close(os.open(path, flags, 0o666))


def _remove(path: Path) -> None:
    """Remove a file, a link (not what it points to) or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write_safely(path: Path, text: str) -> None:
    _create(path)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_NOFOLLOW), "w", encoding="utf-8") as handle:
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


def write_text(path: PathLike, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: PathLike, value: object) -> None:
    """Write `value` as sorted, indented JSON; NaN and infinities are refused."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")
