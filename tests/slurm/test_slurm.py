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

SAMPLE = {
    "source": "simulated", "setting": "nominal", "events": 50, "folds": list(range(10)),
    "selection": "none",
}  # fmt: skip
TOY = {
    "samples": {
        "ttbar": {**SAMPLE, "label": "ttbar", "process": "ttbar"},
        "ww": {**SAMPLE, "label": "WW", "process": "ww"},
    },
    "trainings": {},
    "simulate": {"events_per_part": 50, "minbias": {"events": 400, "parts": 1}},
    "performance": {"replicas": 20},
}
# A file of the user's own, for a job that takes a few seconds when nothing holds it.
FILE = {
    "samples": {
        "mine": {
            "source": "pfnano", "label": "mine", "files": ["mine.root"], "files_per_part": 1,
            "is_data": False, "cross_section": 1.0, "sum_of_weights": 1.0, "selection": "none",
        },
    },
    "trainings": {},
}  # fmt: skip
# What this site adds to the profile of the repository: its names, no accounting, a local disk.
SITE = {
    "default-resources": {"slurm_partition": "main", "slurm_account": "toy"},
    "slurm-status-command": "squeue",
    "slurm-init-seconds-before-status-checks": 3,
    "latency-wait": 10,
    # two jobs, one for each node
    "group-components": {"parts": 1, "estimates": 2},
}
# Slurm counts in minutes: the first attempt has one, the second two.
ONE_MINUTE = {"set-resources": {"skim": {"mem_mb": "attempt * 3000", "runtime": "attempt * 1"}}}


@dataclass
class Run:
    """Snakemake at work in a folder; its words are in `log`."""

    folder: Path
    process: subprocess.Popen

    @property
    def log(self) -> str:
        return (self.folder / "snakemake.log").read_text()

    def finish(self, seconds: float) -> str:
        """Wait for the end, which must be a good one; return the log."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"not finished after {seconds} s:\n{self.log[-4000:]}")
        assert code == 0, self.log[-4000:]
        return self.log

    def job(self, command: str) -> Job:
        """Return the job of this run that is now running a command of the workflow."""

        def found():
            assert self.process.poll() is None, self.log[-4000:]
            for job in jobs():
                if job.state == "RUNNING" and any(
                    command in text and str(self.folder) in os.readlink(f"/proc/{number}/cwd")
                    for number, text in job.processes().items()
                ):
                    return job
            return None

        return wait_for(found, 300, f"a job that runs {command}")


def start(repository, folder, configuration, site, *targets) -> Run:
    """Start `snakemake --profile slurm` with a site's profile, working in `folder`."""
    (folder / "site").mkdir(parents=True)
    (folder / "site/config.yaml").write_text(yaml.safe_dump(site))
    (folder / "own.yaml").write_text(yaml.safe_dump(configuration))
    command = [
        sys.executable, "-m", "snakemake", "--profile", "slurm", "--profile", str(folder / "site"),
        "--directory", str(folder), *targets, "--configfile", str(folder / "own.yaml"),
    ]  # fmt: skip
    with (folder / "snakemake.log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=repository,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"NO_COLOR": "1"},
        )
    return Run(folder, process)


@pytest.fixture(scope="module")
def runs(repository, tmp_path_factory):
    """Two runs side by side: in one a job hangs beyond its time limit, in one a job is killed."""
    try:
        install()
    except NoSlurmError as reason:
        pytest.skip(str(reason))
    folder = tmp_path_factory.mktemp("slurm")
    (folder / "own").mkdir()
    write_pfnano(folder / "own/mine.root", 50)
    with slurm(folder):
        target = "results/skim/mine/0000.parquet"
        own = start(repository, folder / "own", FILE, SITE | ONE_MINUTE, target)
        toy = start(repository, folder / "toy", TOY, SITE)
        try:
            hung = own.job("scripts/skim.py")
            hung.send(signal.SIGSTOP)
            killed = toy.job("scripts/simulate.py")
            killed.send(signal.SIGKILL)
            yield {"own": (own, hung), "toy": (toy, killed)}
        finally:
            for run in (own, toy):
                run.process.kill()
                run.process.wait(20)


def attempts(job: Job) -> list[Job]:
    """Return all attempts at what `job` was to do, oldest first."""
    return [other for other in jobs() if other.comment == job.comment]


def test_a_job_beyond_its_time_limit_is_reported_and_retried_with_more_of_all(runs):
    run, hung = runs["own"]
    log = run.finish(300)
    assert f"SLURM-job '{hung.number}' failed, SLURM status is: 'TIMEOUT'" in log
    assert "Trying to restart job" in log
    assert (run.folder / "results/skim/mine/0000.parquet").stat().st_size > 0
    assert [(job.state, job.limit, job.memory) for job in attempts(hung)] == [
        ("TIMEOUT", "1:00", "3000M"),
        ("COMPLETED", "2:00", "6000M"),
    ]


def test_the_toy_reaches_its_page_though_a_job_of_a_node_is_killed(runs):
    run, killed = runs["toy"]
    log = run.finish(450)
    assert f"SLURM-job '{killed.number}' failed, SLURM status is: 'FAILED'" in log
    results = run.folder / "results"
    assert "<html" in (results / "report/report.html").read_text()
    for path in ("summary.json", "performance/accepted.json"):
        assert json.loads((results / path).read_text())
    assert not [path for path in results.rglob("*") if "incomplete" in path.name]
    assert [job.state for job in attempts(killed)] == ["FAILED", "COMPLETED"]
    assert {job.node for job in jobs()} == {"n1", "n2"}
