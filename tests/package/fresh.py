"""Install the package into a fresh environment, with its dependencies; measure it and try it.

    python tests/package/fresh.py

needs Python alone (`make test-package`, and the versions of Python in continuous integration).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("scripts", "resources", "config.yaml", "pyproject.toml", "setup.py", "README.md")
HEAVY = {"awkward", "numba", "pandas", "scipy", "snakemake", "tensorflow-cpu", "uproot"}


def copied(folder: Path) -> Path:
    """A copy of what a wheel is built from: setuptools leaves its own folders beside it."""
    for name in (*SOURCES, "LICENSE"):
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def main(folder: Path) -> None:
    """Install below `folder` and print what was measured; ends with an error where it fails."""

    def timed(*command: object) -> tuple[float, str]:
        start = time.perf_counter()
        done = subprocess.run(
            [str(word) for word in command], cwd=folder, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"{command}:\n{done.stdout}")
        return time.perf_counter() - start, done.stdout

    source = folder / "source"
    source.mkdir()
    copied(source)
    timed(sys.executable, "-m", "venv", "fresh")
    programs = folder / "fresh" / "bin"
    pip = (programs / "python", "-m", "pip", "--disable-pip-version-check")
    before = sum(os.times()[2:4])  # of the processes started here
    install, _ = timed(*pip, "install", "--quiet", source)
    busy = sum(os.times()[2:4]) - before
    empty, _ = timed(programs / "python", "-c", "pass")
    imported, _ = timed(programs / "python", "-c", "import ptmiss")
    overview, stages = timed(programs / "ptmiss", "--help")
    skim, flags = timed(programs / "ptmiss", "skim", "--help")
    _, listed = timed(*pip, "list", "--format", "json")
    names = sorted(entry["name"] for entry in json.loads(listed) if entry["name"] != "pip")
    print(f"pip install: {install:.1f} s, of a processor {busy:.1f} s")
    print(f"Python: {empty:.2f} s, with ptmiss: {imported:.2f} s")
    print(f"ptmiss --help: {overview:.2f} s; ptmiss skim --help: {skim:.2f} s")
    print(f"{len(names)} packages: {', '.join(names)}")
    if imported > 0.5 or "skim" not in stages or "--ntuples" not in flags or HEAVY & set(names):
        sys.exit("error: not light, or not complete")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        main(Path(name))
