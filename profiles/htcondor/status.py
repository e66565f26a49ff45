#!/usr/bin/env python3
"""Print running, success or failed for the HTCondor job given by its number."""

import subprocess
import sys

REMOVED, COMPLETED, HELD = "3", "4", "5"


def query(command: str, job: str) -> list[str]:
    """Return JobStatus and ExitCode as condor_q or condor_history know them, or nothing."""
    done = subprocess.run(
        [command, job, "-limit", "1", "-autoformat", "JobStatus", "ExitCode"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.split() if done.returncode == 0 else []


def verdict(status: str, code: str) -> str:
    """Return what Snakemake wants to hear of a job's state; a held job would wait forever."""
    if status == COMPLETED:
        return "success" if code == "0" else "failed"
    return "failed" if status in (REMOVED, HELD) else "running"


def main() -> None:
    """Ask the queue, then the history: a finished job leaves the one before it is in the other."""
    job = sys.argv[1]
    known = query("condor_q", job) or query("condor_history", job)
    print(verdict(known[0], known[1]) if len(known) == 2 else "running")


if __name__ == "__main__":
    main()
