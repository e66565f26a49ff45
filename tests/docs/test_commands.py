"""Commands of the texts, tried as a reader would: in a copy of the repository, word for word.

What is substituted is said in `TRIED`, where each command of each text has a line.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from texts import ROOT, Block, blocks, texts

from toys import write_pfnano

DRY = "as it stands, with --dry-run added; with a stand-in for conda where it is asked for"
RUN = "as it stands"
MAKE = "make --dry-run: the target exists and its lines are printed"
WORDS = "not run: bash reads it without complaint"


@dataclass(frozen=True)
class Way:
    """How a command is tried. quick: in `make test`, else in `make test-readme`."""

    how: str
    quick: bool = False


TRIED = {
    "make run": Way(MAKE, True),
    "make test": Way(MAKE, True),
    "make lint": Way(MAKE, True),
    "make benchmark": Way(MAKE, True),
    "make docs": Way(MAKE, True),
    "make test-readme": Way(MAKE, True),
    "make env": Way(MAKE, True),
    "make test-faults": Way(MAKE, True),
    "make test-fuzz": Way(MAKE, True),
    "make test-remote": Way(MAKE, True),
    "make test-scale": Way(MAKE, True),
    "make test-runtimes": Way(MAKE, True),
    "make check CONFIG=own.yaml": Way(MAKE, True),
    "make test-package": Way(MAKE, True),
    "make coverage": Way(MAKE, True),
    "make clean": Way(MAKE, True),
    "snakemake -n all": Way(RUN, True),
    "snakemake --cores 32 all": Way(DRY),
    "snakemake --sdm conda --cores 32 all": Way(DRY),
    "snakemake --cores 8 all --configfile own.yaml": Way(RUN, True),
    "snakemake -n all --configfile own.yaml": Way(RUN, True),
    "snakemake --profile slurm": Way(DRY),
    "snakemake --profile slurm --profile my_site": Way(DRY),
    "snakemake --profile slurm --profile profiles/conda": Way(DRY),
    "snakemake --profile profiles/htcondor": Way(DRY),
    "snakemake --profile profiles/conda --cores 32 all": Way(DRY),
    "snakemake -n all --configfile short.yaml": Way(RUN),
    "snakemake --cores all all --configfile short.yaml": Way(DRY),
    "snakemake --cores all all --configfile resources/configurations/validation.yaml": Way(DRY),
    "snakemake --cores 2 all --configfile slices.yaml": Way(DRY),
    "snakemake --cores 1 results/skim/zmumu/0000.parquet": Way(DRY),
    "snakemake --cores 2 --keep-going all": Way(DRY),
    "snakemake --unlock": Way(RUN),
    # tests/package installs a wheel and tries the command
    "pip install .": Way(WORDS),
    "pip install '.[skim]'": Way(WORDS),
    "pip install '.[all]'": Way(WORDS),
    "ptmiss --help": Way(WORDS),
    "ptmiss skim --help": Way(WORDS),
    # the kind that it names is the reader's
    '.venv/bin/python -m pytest tests/unit/test_model_kinds.py -k "edgeconv or every_kind"': Way(
        WORDS
    ),
    # these need programs or files that only a finished run or the reader has
    "pip install pre-commit": Way(WORDS),
    "pre-commit install": Way(WORDS),
    "snakemake --touch --cores 1 all": Way(WORDS),
    "snakemake all --report results/snakemake-report.zip": Way(WORDS),
    "snakemake --cores 8 all --configfile delphes.yaml": Way(WORDS),
    "snakemake --cores 8 all --configfile external.yaml": Way(WORDS),
    "python scripts/import_graph.py --graph deepmet.pb --onnx models/shipped.onnx --slots 4500": (
        Way(WORDS)
    ),
    "ls results/report/report.html results/summary.json": Way(WORDS),
    "head -c 600 results/skim/zmumu/0000.ledger.json": Way(WORDS),
    "correction summary results/calibration/mixed/corrections.json.gz": Way(WORDS),
    "correction merge results/calibration/ttbar/corrections.json.gz "
    "results/calibration/mixed/corrections.json.gz > both.json": Way(WORDS),
    "export PTMISS_CONDOR='accounting_group = my_group; +MyQueue = \"long\"'": Way(WORDS),
    "apptainer build ptmiss.sif apptainer/ptmiss.def": Way(WORDS),
    "apptainer exec ptmiss.sif snakemake --cores 32 all": Way(WORDS),
    "python docs/apply_corrections.py results/calibration/mixed/corrections.json.gz deepmet": Way(
        WORDS
    ),
    "python docs/calibrated_met.py results/calibration/mixed/corrections.json.gz deepmet": Way(
        WORDS
    ),
    "mkdir -p repository/deepmet/1": Way(WORDS),
    "cp results/models/mixed/onnx/model.onnx repository/deepmet/1/": Way(WORDS),
    "cp results/models/mixed/onnx/config.pbtxt repository/deepmet/": Way(WORDS),
    "tritonserver --model-repository repository --strict-model-config true": Way(WORDS),
}
"""Command -> how it is tried. A command that is not here fails the first test."""

OWN = "snakemake --cores 8 all --configfile own.yaml"
LEFT_OUT = ("results", ".git", ".venv", ".snakemake", ".cache", "__pycache__", ".*_cache")


def all_blocks() -> list[Block]:
    return [block for path in texts() for block in blocks(path.read_text(encoding="utf-8"))]


def all_commands() -> set[str]:
    return {
        command for block in all_blocks() if block.kind == "bash" for command in block.commands()
    }


def yaml_of(name: str) -> str:
    """Return the configuration that a text tells the reader to save under this name."""
    pages = {
        "own.yaml": "README.md", "short.yaml": "docs/tutorial.md",
        "slices.yaml": "docs/how-to/slices.md",
        "my_site/config.yaml": "docs/how-to/batch-systems.md",
    }  # fmt: skip
    found = blocks((ROOT / pages[name]).read_text(encoding="utf-8"))
    return next(block.text for block in found if block.kind == "yaml")


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command by bash; snakemake is that of this Python, as in an activated environment."""
    path = os.pathsep.join(
        [str(Path(sys.executable).parent), str(folder / "stand-in" / "bin"), os.environ["PATH"]]
    )
    return subprocess.run(
        ["bash", "-euc", command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=os.environ
        | {"PATH": path, "NO_COLOR": "1", "LOCAL_CHANNEL_HOME": str(folder / "stand-in")},
    )


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A copy of the repository with the files that the texts tell a reader to write."""
    folder = tmp_path_factory.mktemp("reader") / "ptmiss"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for name in ("own.yaml", "short.yaml", "slices.yaml", "my_site/config.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(yaml_of(name), encoding="utf-8")
    conda = folder / "stand-in" / "bin" / "conda"
    conda.parent.mkdir(parents=True)
    conda.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/local_channel.py "$@"\n')
    conda.chmod(0o755)
    # the reader's ntuples: a toy of two files
    for i in range(2):
        (folder / "ntuples" / "dy").mkdir(parents=True, exist_ok=True)
        write_pfnano(folder / "ntuples" / "dy" / f"{i}.root", 60, i + 1, pileup=3.0)
    return folder


def test_each_command_has_a_way_to_be_tried():
    assert all_commands() - set(TRIED) == set()
    assert set(TRIED) - all_commands() == set(), "no text has these any more"


def test_bash_reads_every_block():
    for block in all_blocks():
        if block.kind == "bash":
            done = subprocess.run(["bash", "-n"], input=block.text, text=True, check=False)
            assert done.returncode == 0, block.text


def test_targets_of_make(clone):
    for command, way in TRIED.items():
        if way.how == MAKE:
            done = run(f"{command} --dry-run", clone)
            assert done.returncode == 0, done.stdout
    assert "snakemake --cores all all" in run("make run --dry-run", clone).stdout
    assert not (clone / ".venv").exists()


def tried(quick: bool) -> list[str]:
    return [
        command for command, way in TRIED.items() if way.how in (DRY, RUN) and way.quick == quick
    ]


def try_it(command: str, clone: Path) -> str:
    if TRIED[command].how == DRY:
        command += " --dry-run"
    done = run(command, clone)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@pytest.mark.workflow
@pytest.mark.parametrize("command", [name for name in tried(quick=True) if name != OWN])
def test_quick_command(clone, command):
    said = try_it(command, clone)
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", said.rpartition("Job stats:")[2], re.MULTILINE))
    assert jobs["report"] == "1"
    if "own.yaml" in command:
        assert jobs["skim"] == "1"  # two files, ten a part
        assert "simulate" not in jobs


@pytest.mark.readme
@pytest.mark.parametrize("command", tried(quick=False))
def test_dear_command(clone, command):
    try_it(command, clone)


@pytest.mark.slow
@pytest.mark.workflow
def test_own_ntuples_to_the_page(clone):
    try_it(OWN, clone)
    assert (clone / "results" / "report" / "report.html").is_file()
    assert (clone / "results" / "summary.json").is_file()
