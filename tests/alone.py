"""A Python that can import nothing but its own library and the packages it is told to."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

_ALONE = """
import importlib.abc, runpy, sys
allowed = set(sys.argv[1].split(","))
sys.path[:0] = filter(None, [sys.argv[2]])
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in allowed | sys.stdlib_module_names and not top.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
sys.argv = sys.argv[3:]
"""


@functools.cache
def _brought() -> dict[str, set[str]]:
    """Distribution -> the modules it has; finding out takes seconds."""
    brought: dict[str, set[str]] = {}
    for module, owners in metadata.packages_distributions().items():
        for owner in owners:
            brought.setdefault(owner.lower().replace("_", "-"), set()).add(module)
    return brought


def modules(distributions: Iterable[str]) -> set[str]:
    """Names of the modules of distributions and of what these require."""
    brought = _brought()
    names, seen, waiting = set(), set(), list(distributions)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in seen or name not in brought:
            continue
        seen.add(name)
        names |= brought[name]
        for line in metadata.requires(name) or ():
            if "extra ==" not in line:
                waiting.append(re.match(r"[A-Za-z0-9._-]+", line)[0])
    return names


def run_alone(
    code: str,
    *arguments: object,
    allowed: Iterable[str],
    path: Path | str = "",
    folder: Path | None = None,
) -> str:
    """Run code that sees the modules `allowed` and the folder `path`; return what it prints."""
    done = subprocess.run(
        [
            sys.executable, "-I", "-W", "error", "-c", _ALONE + code,
            ",".join(sorted(allowed)), str(path), *map(str, arguments),
        ],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
