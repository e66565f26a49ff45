"""Which files belong to a sample: what the user wrote under `files`, turned into a sorted list.

Standard library only: the Snakefile imports this module in every job.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ptmiss.core.errors import UserError
from ptmiss.core.io.regular import require_regular
from ptmiss.core.paths import REMOTE, is_remote, path_problem

_PATTERN = re.compile(
    r"^root://[^/]*(/[^?*]*\*|/[^?]*\?(?![\w.-]+=)|/[^?\[]*\[[^]]+\])|^http[^?]*\*"
)
"""An address with `*`; of root:// also with a `?` that begins no query, or `[...]` in its path."""

_LONGEST_LIST = 100_000_000
"""Bytes: a million names of a hundred letters."""


def require_file(path: str, setting: str) -> None:
    """Raise `UserError` if a file that a setting names is not there, or is none."""
    require_regular(path)
    if not Path(path).exists():
        raise UserError(f"{setting}: no such file: {path}; correct the path")


def expand(entries: Sequence[str]) -> tuple[str, ...]:
    """Return all files of a sample, sorted, each once.

    entries: paths, globs (`*`, `?`, `[...]`, `**` for any depth), addresses (root://, http://,
    https://; kept as they are, without a pattern), or `@list.txt`, a text file with one of the
    former a line, where empty lines and lines that begin with `#` do not count and relative paths
    start at the list's own folder. Raises `UserError` for a file that does not exist or is none (a
    pipe, a device), a pattern without a match or in an address, an unreadable or empty list, a file
    that is named twice, and a name that Snakemake cannot carry.
    """
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    addresses: list[str] = []
    for entry in entries:
        for address in _expand_entry(entry):
            key = address if is_remote(address) else _identity(address, folders)
            if key in files:
                raise UserError(
                    f"files: {address} is named twice (by {files[key]} and by {entry}); each file "
                    "may be read once, remove one of the two"
                )
            problem = path_problem(address)
            if problem:
                raise UserError(
                    f"files: the name {address!r} {problem}; rename the file, or name a link to it"
                )
            files[key] = entry
            addresses.append(address)
    if not addresses:
        raise UserError("files: nothing is listed; name at least one file")
    return tuple(sorted(addresses))


def _identity(path: str, folders: dict[str, str]) -> str:
    """Return what all names of a file have in common; `folders` remembers those of its folder."""
    if os.path.islink(path):
        return os.path.realpath(path)
    folder, name = os.path.split(path)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    return os.path.join(folders[folder], name)


def _expand_entry(entry: str) -> Iterable[str]:
    if entry.startswith("@"):
        return _from_list(entry)
    return _from_pattern(entry, f"files: {entry}")


def _from_list(entry: str) -> list[str]:
    path = Path(entry[1:])
    require_regular(path, "name a text file")
    try:
        if path.stat().st_size > _LONGEST_LIST:
            raise UserError(
                f"files: {entry}: the list has more than 100 MB; write a regular file with a name"
                " a line"
            )
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file in UTF-8"
        raise UserError(f"files: {entry}: cannot read the list ({reason})") from None
    addresses = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        where = f"files: {entry} line {number}: {text}"
        if text.startswith("@"):
            raise UserError(f"{where}: a list inside a list is not supported; write the files here")
        if not is_remote(text):
            text = os.path.join(path.parent, text)  # an absolute path stays what it is
        addresses += _from_pattern(text, where)
    if not addresses:
        raise UserError(f"files: {entry}: the list names no file")
    return addresses


def _is_folder(path: str, where: str) -> bool:
    """Return whether a path is a folder; `UserError` where it is no file either."""
    if os.path.isdir(path):
        return True
    try:
        os.stat(path)
    except OSError as error:
        raise UserError(
            f"{where}: {path}: cannot be read ({error.strerror}); correct it or remove it"
        ) from None
    require_regular(path, "name a file")
    return False


def _from_pattern(text: str, where: str) -> list[str]:
    if is_remote(text):
        if _PATTERN.match(text):  # planning must give the same with and without a network
            raise UserError(
                f"{where}: a pattern in an address is not expanded, for planning asks no server; "
                "list the files once (xrdfs HOST ls FOLDER) and name that list: @list.txt"
            )
        return [text]
    if "://" in text:
        allowed = ", ".join(REMOTE)
        raise UserError(f"{where}: unknown kind of address; allowed are paths and {allowed}")
    if "\0" in text:
        raise UserError(f"{where}: a name cannot hold a null character; correct it")
    text = os.path.expanduser(text)
    if os.path.lexists(text):  # before globbing: a name may hold brackets
        if _is_folder(text, where):
            raise UserError(f"{where}: is a folder; write {text.rstrip('/')}/*.root")
        return [text]
    if glob.has_magic(text):
        matches = [
            path
            for path in glob.glob(text, recursive=True)
            if not (path.endswith(".sha256") or _is_folder(path, where))  # checked with their files
        ]
        if matches:
            return sorted(matches)
        raise UserError(f"{where}: no file matches this pattern; correct it or remove it")
    raise UserError(f"{where}: no such file; correct the path or remove it")
