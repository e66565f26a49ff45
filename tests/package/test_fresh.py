"""A fresh environment: installed with its dependencies, measured, and used from another folder."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from test_wheel import copied

pytestmark = pytest.mark.fresh


def test_an_installation_from_scratch(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    copied(source)
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "fresh")], check=True)
    python = str(tmp_path / "fresh" / "bin" / "python")

    def timed(*command: str) -> tuple[float, str]:
        start = time.perf_counter()
        done = subprocess.run(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return time.perf_counter() - start, done.stdout

    options = ("--quiet", "--disable-pip-version-check", "--no-cache-dir")
    install, _ = timed(python, "-m", "pip", "install", *options, str(source))
    timed(python, "-c", "import ptmiss")
    bare, _ = timed(python, "-c", "pass")
    imported, _ = timed(python, "-c", "import ptmiss")
    overview, text = timed(str(tmp_path / "fresh/bin/ptmiss"), "--help")
    skim, flags = timed(str(tmp_path / "fresh/bin/ptmiss"), "skim", "--help")
    assert "skim" in text
    assert "--ntuples" in flags
    _, listed = timed(python, "-m", "pip", "list", "--format", "json", *options[1:2])
    names = [entry["name"] for entry in json.loads(listed) if entry["name"] != "pip"]
    assert not {"numba", "pandas", "scipy", "tensorflow-cpu", "uproot", "snakemake"} & set(names)
    size = sum(path.stat().st_size for path in (tmp_path / "fresh").rglob("*") if path.is_file())
    print(
        f"\npip install: {install:.1f} s, {size / 1e6:.0f} MB; import ptmiss: {imported:.2f} s (an "
        f"empty program: {bare:.2f}); ptmiss --help: {overview:.2f} s; ptmiss skim --help: "
        f"{skim:.2f} s\n{len(names)} packages: {', '.join(names)}"
    )
    assert imported < 0.5
