"""The toy on a real Slurm, through the profile of the repository; one job hangs, one is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from slurm_cluster import Job, NoSlurmError, install, jobs, slurm, wait_for
from toys import write_pfnano

pytestmark = pytest.mark.slurm

PATIENCE = 1800  # seconds; on a machine with nothing else to do all is over in a fifth of it

HUNG, KILLED = "hung", "killed"
TOY = {
    "samples": {
        name: {
            "source": "pfnano", "label": name, "files": [f"{name}.root"], "files_per_part": 1,
            "is_data": False, "cross_section": 1.0, "sum_of_weights": 1.0, "selection": "none",
        }
        for name in (HUNG, KILLED)
    },
    "trainings": {},
    "vary": {"samples": []},
    "performance": {"replicas": 20},
}  # fmt: skip
SHIPPED = yaml.safe_load((Path(__file__).parents[2] / "slurm/config.yaml").read_text())
# What this site adds to the profile of the repository: its names, no accounting, a local disk. The
# first attempt at one sample has a minute, the least that Slurm knows; all others have an hour.
SITE = {
    "default-resources": {"slurm_partition": "main", "slurm_account": "toy"},
    "slurm-status-command": "squeue",
    "slurm-init-seconds-before-status-checks": 3,
    "latency-wait": 10,
    # a job for each sample
    "group-components": {"parts": 1, "estimates": 2},
    "set-resources": SHIPPED["set-resources"]
    | {
        "skim": {
            "mem_mb": "attempt * 3000",
            "runtime": f"1 if attempt == 1 and '{HUNG}' in str(input.ntuples) else 60",
            "turn": 1,
        },
    },
}


@dataclass
class Run:
    """Snakemake at work in a folder; its words are in `log`."""

    folder: Path
    process: subprocess.Popen

    @property
    def log(self) -> str:
        return (self.folder / "snakemake.log").read_text()

    def finish(self) -> str:
        """Wait for the end, which must be a good one; return the log."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.fail(f"not finished after {PATIENCE} s:\n{self.log[-4000:]}")
        assert code == 0, self.log[-4000:]
        return self.log

    def job(self, words: str) -> Job:
        """Return the running job of which a process has these words on its command line."""

        def found():
            assert self.process.poll() is None, self.log[-4000:]
            running = [job for job in jobs() if job.state == "RUNNING"]
            return next(
                (job for job in running if any(words in text for text in job.processes().values())),
                None,
            )

        return wait_for(found, PATIENCE, f"a job with {words}")


@pytest.fixture(scope="module")
def faults(repository, tmp_path_factory):
    """The run, the job that was stopped until its time was over, and the job that was killed."""
    try:
        install()
    except NoSlurmError as reason:
        pytest.skip(str(reason))
    folder = tmp_path_factory.mktemp("slurm")
    work = folder / "work"
    (work / "site").mkdir(parents=True)
    (work / "site/config.yaml").write_text(yaml.safe_dump(SITE))
    (work / "own.yaml").write_text(yaml.safe_dump(TOY))
    for seed, name in enumerate(TOY["samples"]):
        write_pfnano(work / f"{name}.root", 300, seed)
    command = [
        sys.executable, "-m", "snakemake", "--profile", "slurm", "--profile", str(work / "site"),
        "--directory", str(work), "--configfile", str(work / "own.yaml"),
    ]  # fmt: skip
    with slurm(folder), (work / "snakemake.log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=repository,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"NO_COLOR": "1"},
        )
        try:
            run = Run(work, process)
            hung = run.job(f"sample={HUNG}")
            hung.send(signal.SIGSTOP)
            killed = run.job(f"--sample {KILLED}")
            killed.send(signal.SIGKILL)
            yield run, hung, killed
        finally:
            process.kill()
            process.wait(20)


def test_the_toy_reaches_its_page_though_one_job_hangs_and_one_is_killed(faults):
    run, hung, _ = faults
    log = run.finish()
    assert log.count("message: Error in group parts") == 2
    assert "DUE TO TIME LIMIT" in log
    assert log.count("Trying to restart job") == 2

    results = run.folder / "results"
    assert "<html" in (results / "report/report.html").read_text()
    for path in ("summary.json", "performance/accepted.json"):
        assert json.loads((results / path).read_text())
    assert not [path for path in results.rglob("*") if "incomplete" in path.name]

    finished = jobs()
    assert {job.node for job in finished} == {"n1", "n2"}
    skims = [job for job in finished if job.comment == hung.comment]
    assert sorted((job.state, job.limit, job.memory) for job in skims) == [
        ("COMPLETED", "1:00:00", "6000M"),
        ("COMPLETED", "1:00:00", "6000M"),
        ("FAILED", "1:00:00", "3000M"),
        ("TIMEOUT", "1:00", "3000M"),
    ]
    # two parts share an allocation, one after the other: the memory of one, the time of both
    shared = [job for job in finished if "estimates" in job.comment]
    assert [(job.state, job.limit, job.memory) for job in shared] == [
        ("COMPLETED", "40:00", "3000M")
    ]
