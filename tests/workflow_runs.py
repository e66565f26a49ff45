"""Starting Snakemake on the repository's workflow, in a folder of a test."""

from __future__ import annotations

import os
import re
import subprocess
import sys


def snakemake(repository, folder, *arguments):
    """Run Snakemake in `folder`; return the finished process, all its words in `stdout`."""
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile"),
        "--directory", str(folder), "--cores", "2", *arguments,
    ]  # fmt: skip
    return subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=os.environ | {"NO_COLOR": "1"},
    )


def jobs_planned(repository, folder, configuration):
    """Return rule -> number of jobs of a dry run; empty where nothing is to be done."""
    done = snakemake(repository, folder, "--dry-run", "all", "--configfile", str(configuration))
    assert done.returncode == 0, done.stdout
    table = done.stdout.rpartition("Job stats:")[2].partition("\n\n")[0]
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE))
    return {rule: int(number) for rule, number in jobs.items() if rule != "total"}
