"""Which modules a stage depends on, of our package and of its task's, read from their imports.

This is what makes exactly the right stages run again after an edit: the workflow gives the names
and hashes of these files to the rule as parameters. Nothing is imported or executed to find out.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.util
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = "ptmiss"

_STATEMENT = re.compile(r"^[ \t]*(?:import|from)\b(?:[^(\n]*\([^)]*\)|[^\n]*)", re.MULTILINE)


def sources(modules: Iterable[str], root: Path) -> list[Path]:
    """Return the files that modules are or import, directly or not, sorted: of our own package and
    of those packages that one of `modules` is of.

    modules: their dotted names; root: the folder that holds our package; others are looked for as
    Python does. Imports inside functions count too. Package `__init__` files are left out: they
    hold a docstring only, which a test makes sure of. Raises ValueError for a module that does not
    exist, and for a relative import, which this search does not follow.
    """
    wanted = list(modules)
    roots = _roots(wanted, root)
    files: set[Path] = set()
    waiting = [_required(module, roots) for module in wanted]
    while waiting:
        path = waiting.pop()
        if path not in files:
            files.add(path)
            waiting += _own(path, roots)
    return sorted(files)


def fingerprints(modules: Iterable[str], root: Path) -> list[str]:
    """Return name and hash of each module of `sources`: "events/skim/select 0123456789abcdef".

    A module of another package has its package before its name.
    """
    wanted = list(modules)
    folders = [root / PACKAGE, *(folder for _, folder in _roots(wanted, root))]
    return [f"{_name(path, folders)} {_hash(path)}" for path in sources(wanted, root)]


def third_party(modules: Iterable[str], root: Path) -> set[str]:
    """Return the top-level names of all modules outside the packages of `sources`."""
    wanted = list(modules)
    names = set()
    for path in sources(wanted, root):
        names |= {module.split(".")[0] for module in _imported(path)}
    return names - {package for package, _ in _roots(wanted, root)}


Roots = tuple[tuple[str, Path], ...]
"""Packages that are followed, ours first, each with the folder that holds it."""


def _roots(modules: Iterable[str], root: Path) -> Roots:
    others = dict.fromkeys(module.split(".")[0] for module in modules)
    others.pop(PACKAGE, None)
    return ((PACKAGE, root), *((name, _folder_of(name)) for name in others))


@functools.cache
def _folder_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise ValueError(f"{package}: no package of that name is installed")
    return Path(places[0]).parent


def _name(path: Path, folders: Iterable[Path]) -> str:
    folder = next(folder for folder in folders if path.is_relative_to(folder))
    return path.relative_to(folder).with_suffix("").as_posix()


def _required(module: str, roots: Roots) -> Path:
    path = _file_of(roots, module)
    if path is None:
        raise ValueError(f"{module}: no module below {dict(roots)[module.split('.')[0]]}")
    return path


@functools.cache
def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@functools.cache
def _own(path: Path, roots: Roots) -> frozenset[Path]:
    """Return the files of the packages that a file imports itself."""
    files = (_file_of(roots, module) for module in _imported(path))
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
    ten thousand files are planned. Where such a line alone is no statement (a sentence of a
    docstring, or an import over lines with a backslash or a comment in brackets) all is.
    """
    strange = False
    for match in _STATEMENT.finditer(text):
        try:
            yield from ast.parse(match[0].strip()).body
        except SyntaxError:
            strange = True
    if strange:
        with contextlib.suppress(SyntaxError):  # of a module that is being edited, lines must do
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield node


def _file_of(roots: Roots, module: str) -> Path | None:
    parts = module.split(".")
    for package, root in roots:
        if parts[0] == package:
            path = root.joinpath(*parts).with_suffix(".py")
            return path if path.is_file() else None
    return None
