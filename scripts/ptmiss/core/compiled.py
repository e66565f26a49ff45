"""The one place that compiles kernels: numba, with a cache that notices every edit.

Numba's own cache looks at the file of a function only. A kernel that calls one of another module
would go on running the old machine code of that other module after an edit, in silence, and so
would one that uses a constant or a record of another module. So the cache lives in a folder named
by the content of all modules that hold kernels, and of those that they import.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

from ptmiss.core.resources import PACKAGE

F = TypeVar("F", bound=Callable[..., object])


def njit(**options: object) -> Callable[[F], F]:
    """Return the decorator of numba, typed: what it compiles keeps the signature it has."""
    return cast("Callable[[F], F]", numba.njit(**options))


IMPORT = re.compile(r"^from ptmiss\.([\w.]+) import (.+)", re.MULTILINE)


def kernels_hash(package: Path) -> str:
    """Return a hash of all modules below `package` that compile something, and what they import."""
    modules = {path: path.read_text("utf-8") for path in package.rglob("*.py")}
    kernels = {path: text for path, text in modules.items() if "njit" in text}
    imported = {
        package / f"{name.replace('.', '/')}.py"
        for text in kernels.values()
        for module, names in IMPORT.findall(text)
        for name in (module, *(f"{module}.{part.strip()}" for part in names.split(",")))
    }
    digest = hashlib.sha256()
    for path in sorted(kernels.keys() | (imported & modules.keys())):
        digest.update(f"{path.relative_to(package).as_posix()}\0{modules[path]}\0".encode())
    return digest.hexdigest()[:16]


def _cache_in(folder: Path) -> None:
    """Let numba keep its machine code below `folder`, if that can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a read-only installation: numba's own places serve, it is never edited
    if os.access(folder, os.W_OK):
        numba.config.CACHE_DIR = str(folder)


if not numba.config.CACHE_DIR:
    _cache_in(PACKAGE / "__pycache__" / f"kernels-{kernels_hash(PACKAGE)}")
