"""The one place that compiles kernels: numba, with a cache that notices every edit.

Numba's own cache looks at the file of a function only. A kernel that calls one of another module
would go on running the old machine code of that other module after an edit, in silence. So the
cache lives in a folder named by the content of all modules that hold kernels.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

from ptmiss.core.resources import PACKAGE

F = TypeVar("F", bound=Callable[..., object])


def njit(**options: object) -> Callable[[F], F]:
    """Return the decorator of numba, typed: what it compiles keeps the signature it has."""
    return cast("Callable[[F], F]", numba.njit(**options))


def kernels_hash(package: Path) -> str:
    """Return a hash of all modules below `package` that compile something."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        content = path.read_bytes()
        if b"njit" in content:
            digest.update(path.relative_to(package).as_posix().encode() + b"\0" + content + b"\0")
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
