#!/usr/bin/env python3
"""Submit Snakemake's job script to HTCondor and print the job's number."""

import json
import os
import subprocess
import sys
from pathlib import Path

DESCRIPTION = """\
universe = vanilla
executable = /bin/bash
arguments = "'{script}'"
initialdir = {folder}
getenv = True
batch_name = {name}
request_cpus = {threads}
request_memory = {mem_mb}MB
+MaxRuntime = {seconds}
periodic_remove = JobStatus == 2 && time() - EnteredCurrentStatus > {seconds}
on_exit_remove = True
output = {logs}/$(Cluster).out
error = {logs}/$(Cluster).err
log = {logs}/$(Cluster).log
{more}queue
"""


def properties(script: Path) -> dict:
    """Return what Snakemake wrote about the job into its script."""
    for line in script.read_text(encoding="utf-8").splitlines():
        if line.startswith("# properties = "):
            return json.loads(line.removeprefix("# properties = "))
    raise SystemExit(f"{script}: no line '# properties = ', not a job script of Snakemake")


def description(script: Path, logs: Path) -> str:
    """Return the submit description of a job script."""
    job = properties(script)
    resources = job["resources"]
    more = [line.strip() for line in os.environ.get("PTMISS_CONDOR", "").split(";") if line.strip()]
    if resources.get("gpu"):
        more.append(f"request_gpus = {resources['gpu']}")
    return DESCRIPTION.format(
        script=script,
        folder=Path.cwd(),
        name=job.get("rule") or job["groupid"],
        threads=job.get("threads", 1),
        mem_mb=resources["mem_mb"],
        seconds=60 * resources["runtime"],
        logs=logs,
        more="".join(f"{line}\n" for line in more),
    )


def main() -> None:
    """Submit the script that is the last argument."""
    script = Path(sys.argv[-1]).resolve()
    logs = Path(".snakemake/condor_logs").resolve()
    logs.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["condor_submit", "-terse", "-"],
        input=description(script, logs),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    # "12.0 - 12.0": first and last job of the cluster
    print(done.stdout.split()[0])


if __name__ == "__main__":
    main()
