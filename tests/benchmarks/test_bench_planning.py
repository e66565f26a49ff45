"""Planning ten thousand input files: this workflow against a bare Snakefile with two rules."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

pytestmark = [pytest.mark.benchmark_ratio, pytest.mark.workflow]

N_FILES, PER_PART = 10_000, 100
BARE_PER_PART = 66
"""So that both plans have the same number of jobs."""
BARE = f"""
from pathlib import Path

FILES = sorted(map(str, Path("in").glob("*.root")))
SIZE = {BARE_PER_PART}
PARTS = {{f"{{i // SIZE:04d}}": FILES[i : i + SIZE] for i in range(0, len(FILES), SIZE)}}


rule all:
    input:
        expand("out/second/{{part}}.txt", part=PARTS),


rule first:
    input:
        lambda wildcards: PARTS[wildcards.part],
    output:
        "out/first/{{part}}.txt",
    shell:
        "cat {{input}} > {{output}}"


rule second:
    input:
        "out/first/{{part}}.txt",
    output:
        "out/second/{{part}}.txt",
    shell:
        "cp {{input}} {{output}}"
"""


def peak(pid: int) -> float:
    """Return the largest memory in MB that a process has had so far; 0 if it has ended."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1000 if found else 0.0


def plan(folder: Path, snakefile: Path, *arguments: str) -> tuple[float, float, str]:
    """Return processor time in s, largest memory in MB and the output of a dry run."""
    command = [
        sys.executable, "-m", "snakemake", "all", "--snakefile", str(snakefile), "--cores", "2",
        "--dry-run", "--quiet", "rules", *arguments,
    ]  # fmt: skip
    with open(folder / "output.txt", "w+") as output:
        child = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        memory, done = 0.0, 0
        while not done:
            # what wait4 says of memory includes this process, which the child was forked from
            memory = max(memory, peak(child.pid))
            time.sleep(0.05)
            done, status, usage = os.wait4(child.pid, os.WNOHANG)
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    assert child.returncode == 0, text
    return usage.ru_utime + usage.ru_stime, memory, text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planning")
    (folder / "in").mkdir()
    for i in range(N_FILES):
        (folder / f"in/{i:05d}.root").touch()
    sample = {
        "source": "pfnano", "label": "many", "files": ["in/*.root"], "files_per_part": PER_PART,
        "is_data": False, "cross_section": 1.0, "sum_of_weights": 1.0, "selection": "none",
    }  # fmt: skip
    values = {"samples": {"many": sample}, "trainings": {}}
    (folder / "own.yaml").write_text(yaml.safe_dump(values))
    (folder / "Snakefile").write_text(BARE)
    return folder


def n_jobs(text: str) -> int:
    return int(re.search(r"^total +(\d+)$", text, re.MULTILINE)[1])


def test_ten_thousand_files_are_planned_quickly(repository, folder):
    ours, bare = [], []
    for _ in range(3):  # in turns, so that a busy moment hits both
        seconds, memory, text = plan(folder, repository / "Snakefile", "--configfile", "own.yaml")
        ours.append(seconds)
        seconds, _, bare_text = plan(folder, folder / "Snakefile")
        bare.append(seconds)
    assert re.search(rf"^skim +{N_FILES // PER_PART}$", text, re.MULTILINE), text
    assert abs(n_jobs(text) - n_jobs(bare_text)) < 5
    ratio = statistics.median(a / b for a, b in zip(ours, bare, strict=True))
    print(
        f"planning: {min(ours):.1f} s, {memory:.0f} MB; bare Snakefile {min(bare):.1f} s, ratio"
        f" {ratio:.2f}"
    )
    assert memory < 300
    assert min(ours) < 10
    assert ratio < 1.5
