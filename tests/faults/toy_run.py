"""A small run of the whole workflow that may be killed, starved and compared."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import yaml
from warm import write_client

TESTS = Path(__file__).resolve().parents[1]
REPOSITORY = TESTS.parent
SCRIPTS = str(REPOSITORY / "scripts")
sys.path[:0] = [str(TESTS), SCRIPTS]
OWN_ENVIRONMENT = {"NO_COLOR": "1", "GIT_DIR": os.devnull}
"""The page shows the state of the source, which an edit may change between two runs: here none."""
NOT_COMPARED = ("benchmarks", "checkpoints", "logs")
"""Below results/: how long and how the jobs ran, which no two runs share."""


TOYS = ("classical", "network", "systematics", "simulated")
"""From ntuples to the page; with a network; with variations and calibration; with simulation."""

NETWORK = {
    "samples": {"zmumu": 1}, "tune": "resolution", "bias": "caption", "seed": 1,
    "use_puppi": True,
}  # fmt: skip
LITTLE_PILEUP = {"nominal": {"pileup_mean": 2.0, "pileup_width": 1.0}}
NTUPLES = {
    "source": "pfnano", "label": "Z", "files_per_part": 1, "is_data": False,
    "cross_section": 1.0, "sum_of_weights": 1.0, "selection": "zmumu",
}  # fmt: skip
DATA = {
    "source": "pfnano", "label": "data", "files_per_part": 1, "is_data": True,
    "cross_section": 1.0, "sum_of_weights": 1.0, "selection": "zmumu",
}  # fmt: skip
SIMULATED = {
    "source": "simulated", "label": "tt", "process": "ttbar", "setting": "nominal",
    "events": 40, "folds": list(range(10)), "selection": "none",
}  # fmt: skip


def write_inputs(folder: Path, toy: str) -> Path:
    """Write toy ntuples and a configuration that reads them; return the configuration.

    Once for all runs: ROOT files carry the time at which they were written.
    """
    from toys import write_pfnano

    folder.mkdir(parents=True)
    samples = {}
    if toy == "simulated":
        samples["ttbar"] = SIMULATED
    else:
        for i in range(2):
            write_pfnano(folder / f"z{i}.root", 60, 1 + i, selected=True, pileup=4.0)
        samples["zmumu"] = NTUPLES | {"files": [str(folder / "z*.root")]}
    if toy == "systematics":
        write_pfnano(folder / "data.root", 120, 3, selected=True, pileup=4.0)
        samples["data"] = DATA | {"files": [str(folder / "data.root")]}
    values = {
        "samples": samples,
        "trainings": {"tiny": NETWORK} if toy == "network" else {},
        "simulate": {"minbias": {"events": 20, "parts": 1}, "settings": LITTLE_PILEUP},
        "train": {"epochs": 1, "compile": False},
        "performance": {"replicas": 20},
        "vary": {"samples": ["zmumu"] if toy == "systematics" else []},
        "gate": {"require": False},
    }
    if toy == "systematics":
        closure = {"estimators": ["pf"], "reduction": 1.0}
        values["calibration"] = {
            "data": "data", "replicas": 20, "min_events": 10, "qt_edges": [0, 20, 1000],
            "jets": [0], "closure": closure, "require_closure": False,
        }  # fmt: skip
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@contextlib.contextmanager
def libraries_read(folder: Path, toy: str) -> Iterator[Server]:
    """Give a server of Python processes that have read the libraries that a toy needs."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(folder.resolve(), toy)
    try:
        yield server
    finally:
        server.process.stdin.close()
        server.process.wait()


class Server:
    """The process of `warm.py`."""

    def __init__(self, folder: Path, toy: str) -> None:
        self.client, address = folder / "python", str(folder / "socket")
        write_client(self.client, address)
        with open(folder / "server.txt", "w") as words:
            self.process = subprocess.Popen(
                [sys.executable, str(TESTS / "faults/warm.py"), SCRIPTS, address, toy],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
            )
        assert self.process.stdout.readline(), (folder / "server.txt").read_text()

    def kill_clients(self) -> None:
        """SIGKILL all that was started through this server, before any of it can react."""
        here = psutil.Process(self.process.pid)
        here.suspend()  # it must not serve whoever is about to die
        family: dict[int, psutil.Process] = {}
        # whoever is stopped starts nothing more: the search ends
        while new := [one for one in _below(here) if one.pid not in family]:
            for one in new:
                family[one.pid] = one
                _send(one.pid, signal.SIGSTOP)
        for pid in family:
            _send(pid, signal.SIGKILL)
        while any(_runs(one) for one in family.values()):
            time.sleep(0.01)
        here.resume()
        psutil.wait_procs(family.values(), timeout=10)


def _below(process: psutil.Process) -> list[psutil.Process]:
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        found = process.children(recursive=True)
    return found


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


class ToyRun:
    """The workflow in a folder of its own."""

    def __init__(self, folder: Path, configuration: Path, server: Server, cores: int = 2) -> None:
        self.folder, self.configuration, self.cores = folder, configuration, cores
        self.server = server
        self.name = "output"
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start Snakemake in a process group of its own; its words go to a file beside."""
        command = [
            str(self.server.client), str(TESTS / "faults/timeless.py"), "all", *arguments,
            "--snakefile", str(REPOSITORY / "Snakefile"), "--cores", str(self.cores),
            "--rerun-incomplete", "--configfile", str(self.configuration),
        ]  # fmt: skip
        with open(self.output_path, "w") as output:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | OWN_ENVIRONMENT | {"PYTHON_OF_JOBS": str(self.server.client)},
            )

    @property
    def output_path(self) -> Path:
        """Outside the folder, whose disk may be full."""
        return self.folder.with_name(f"{self.folder.name}.{self.name}.txt")

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run Snakemake to its end; return its status and its words."""
        status = self.start(*arguments).wait()
        return status, self.words()

    def kill(self, process: subprocess.Popen) -> None:
        """SIGKILL a run and everything it has started."""
        self.server.kill_clients()
        process.wait()

    def words(self) -> str:
        """Return what the last run of Snakemake has said so far."""
        return self.output_path.read_text()

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


def rules_started(output: str) -> list[str]:
    """Return the rules in the order in which Snakemake started their jobs."""
    return [rule for rule, started in steps(output) if started]


def rules_running(output: str) -> list[str]:
    """Return the rules of the jobs that had started and not ended."""
    running: list[str] = []
    for rule, started in steps(output):
        (running.append if started else running.remove)(rule)
    return running


def steps(output: str) -> list[tuple[str, bool]]:
    """Return the rule of each job that started (true) or ended (false), in their order."""
    found = re.findall(
        r"^(?:local)?rule (\w+):$|^Finished jobid: \d+ \(Rule: (\w+)\)$", output, re.MULTILINE
    )
    return [(started or ended, bool(started)) for started, ended in found]
