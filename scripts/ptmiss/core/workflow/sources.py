"""Which modules of the package a stage depends on, read from its import statements.

This is what makes exactly the right stages run again after an edit: the workflow gives the names
and hashes of these files to the rule as parameters. Nothing is imported or executed to find out.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = "ptmiss"

_STATEMENT = re.compile(r"^[ \t]*(?:import|from)\b(?:[^(\n]*\([^)]*\)|[^\n]*)", re.MULTILINE)


def sources(modules: Iterable[str], root: Path) -> list[Path]:
    """Return the files of the package that modules are or import, directly or not, sorted.

    modules: their dotted names; root: the folder that holds the package. Imports inside functions
    count too. Package `__init__` files are left out: they hold a docstring only, which a test makes
    sure of. Raises ValueError for a module that the package does not have, and for a relative
    import, which this search does not follow.
    """
    found: set[Path] = set()
    waiting = [_required(module, root) for module in modules]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _own(path, root)
    return sorted(found)


def fingerprints(modules: Iterable[str], root: Path) -> list[str]:
    """Return name and hash of each module of `sources`: "skim/select 0123456789abcdef"."""
    package = root / PACKAGE
    return [
        f"{path.relative_to(package).with_suffix('').as_posix()} {_hash(path)}"
        for path in sources(modules, root)
    ]


def third_party(modules: Iterable[str], root: Path) -> set[str]:
    """Return the top-level names of all modules outside the package that `sources` import."""
    names = set()
    for path in sources(modules, root):
        names |= {module.split(".")[0] for module in _imported(path)}
    return names - {PACKAGE}


def _required(module: str, root: Path) -> Path:
    path = _file_of(root, module)
    if path is None:
        raise ValueError(f"{module}: no module below {root / PACKAGE}")
    return path


@functools.cache
def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@functools.cache
def _own(path: Path, root: Path) -> frozenset[Path]:
    """Return the files of the package below `root` that a file imports itself."""
    files = (_file_of(root, module) for module in _imported(path))
    return frozenset(file for file in files if file is not None)


@functools.cache  # the stages share most modules, and every job of a cluster reads them
def _imported(path: Path) -> set[str]:
    """Return dotted names that may be modules: for `from a.b import c` both a.b and a.b.c."""
    names: set[str] = set()
    for node in _imports(path.read_text(encoding="utf-8")):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{path}: relative import; write it as an absolute one")
            module = node.module or ""
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return names


def _imports(text: str) -> Iterator[ast.stmt]:
    """Yield the import statements of a module.

    Only lines that begin like one are parsed: whole modules would take half of the time in which
    ten thousand files are planned. A sentence of a docstring that begins so is no statement.
    """
    for match in _STATEMENT.finditer(text):
        with contextlib.suppress(SyntaxError):
            yield from ast.parse(match[0].strip()).body


def _file_of(root: Path, module: str) -> Path | None:
    parts = module.split(".")
    if parts[0] != PACKAGE:
        return None
    path = root.joinpath(*parts).with_suffix(".py")
    return path if path.is_file() else None
