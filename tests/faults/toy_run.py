"""A small run of the whole workflow that may be killed, starved and compared."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import yaml

TESTS = Path(__file__).resolve().parents[1]
REPOSITORY = TESTS.parent
sys.path[:0] = [str(TESTS), str(REPOSITORY / "scripts")]
TIMES = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n" + (
    "1.0\t0:00:01\t100\t100\t100\t100\t0\t0\t100\t1.0\n"
)
NOT_COMPARED = ("benchmarks", "checkpoints", "logs")
"""Below results/: how long and how the jobs ran, which no two runs share."""


def write_inputs(folder: Path, training: bool) -> Path:
    """Write toy ntuples and a configuration that reads them; return the configuration.

    Once for all runs: ROOT files carry the time at which they were written.
    """
    from toys import write_pfnano

    folder.mkdir(parents=True)
    for i in range(2):
        write_pfnano(folder / f"z{i}.root", 150, 1 + i, selected=True, pileup=4.0)
    sample = {
        "source": "pfnano", "label": "Z", "files": [str(folder / "z*.root")], "files_per_part": 1,
        "is_data": False, "cross_section": 1.0, "sum_of_weights": 1.0, "selection": "zmumu",
    }  # fmt: skip
    network = {
        "samples": {"toy": 1}, "tune": "resolution", "bias": "caption", "seed": 1,
        "use_puppi": True,
    }  # fmt: skip
    values = {
        "samples": {"toy": sample},
        "trainings": {"tiny": network} if training else {},
        "train": {"epochs": 2, "compile": False},
        "performance": {"replicas": 20},
        "gate": {"require": False},
        "vary": {"samples": []},
    }
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


class ToyRun:
    """The workflow in a folder of its own."""

    def __init__(self, folder: Path, configuration: Path, cores: int = 2) -> None:
        self.folder, self.configuration, self.cores = folder, configuration, cores
        self.name = "output"
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start Snakemake in a process group of its own; its words go to a file beside."""
        command = [
            sys.executable, "-m", "snakemake", "all", "--snakefile", str(REPOSITORY / "Snakefile"),
            "--cores", str(self.cores), "--rerun-incomplete", *arguments,
            "--configfile", str(self.configuration),
        ]  # fmt: skip
        with open(self.output_path, "w") as output:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | {"NO_COLOR": "1"},
            )

    @property
    def output_path(self) -> Path:
        """Outside the folder, whose disk may be full."""
        return self.folder.with_name(f"{self.folder.name}.{self.name}.txt")

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run Snakemake to its end; return its status and its words."""
        status = self.start(*arguments).wait()
        return status, self.output_path.read_text()

    def complete(self, *arguments: str) -> str:
        """Run Snakemake, which must succeed; a lock that a killed run left is removed before."""
        locks = self.folder / ".snakemake/locks"
        if locks.is_dir() and list(locks.iterdir()):
            self.run("--unlock")
        status, output = self.run(*arguments)
        assert status == 0, output[-4000:]
        return output

    def artefacts(self) -> dict[str, str]:
        """Return path below results/ -> SHA-256 of all that must not depend on what happened."""
        results = self.folder / "results"
        return {
            str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(results.rglob("*"))
            if path.is_file() and path.relative_to(results).parts[0] not in NOT_COMPARED
        }

    def forget_times(self) -> None:
        """Give every job the same run time, and draw the page again: it shows these numbers."""
        for path in (self.folder / "results/benchmarks").rglob("*.tsv"):
            path.write_text(TIMES)
        self.complete()


def kill_tree(process: subprocess.Popen) -> None:
    """SIGKILL a process and everything it has started, before any of it can react."""
    family: dict[int, psutil.Process] = {}
    with contextlib.suppress(psutil.NoSuchProcess):
        first = psutil.Process(process.pid)
        # whoever is stopped starts nothing more: the search ends
        while new := [
            one for one in (first, *first.children(recursive=True)) if one.pid not in family
        ]:
            for one in new:
                family[one.pid] = one
                _send(one.pid, signal.SIGSTOP)
    for pid in family:
        _send(pid, signal.SIGKILL)
    process.wait()
    psutil.wait_procs(family.values(), timeout=10)


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def rules_started(output: str) -> list[str]:
    """Return the rules in the order in which Snakemake started their jobs."""
    return re.findall(r"^(?:local)?rule (\w+):$", output, re.MULTILINE)
