"""Many dry runs of Snakemake at the price of few: its import is paid once, each plan is a fork."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """A job of a plan; wildcards: "sample=z, part=0000"; reason: as Snakemake says it."""

    rule: str
    wildcards: str
    reason: str
    inputs: frozenset[str]
    outputs: frozenset[str]

    @property
    def is_root(self) -> bool:
        """Whether something else than a job before it makes it run."""
        causes = self.reason.split("; ")
        return not all(cause.startswith("Input files updated by another job") for cause in causes)


class Planner:
    """A server process that plans; close it when done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def run(self, *arguments: str) -> str:
        """Run Snakemake with these arguments; return all its words. It must succeed."""
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        status, text = json.loads(self._process.stdout.readline())
        assert status == 0, text
        return text

    def plan(self, *arguments: str) -> list[Job]:
        """Return the jobs of a dry run, without the rule `all`."""
        return jobs_of(self.run("--dry-run", *arguments))

    def close(self) -> None:
        """End the server."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def jobs_of(text: str) -> list[Job]:
    """Return the jobs that the output of a dry run lists, without the rule `all`."""
    jobs = []
    for block in re.split(r"^(?:local)?rule (?=\w+:$)", text, flags=re.MULTILINE)[1:]:
        fields = dict(re.findall(r"^    (\w+): (.*)$", block, re.MULTILINE))
        rule = block.partition(":")[0]
        if rule != "all":
            jobs.append(
                Job(
                    rule,
                    fields.get("wildcards", ""),
                    fields.get("reason", ""),
                    frozenset(fields.get("input", "").split(", ")),
                    frozenset(fields["output"].split(", ")),
                )
            )
    return jobs


def _serve() -> None:
    import pydantic  # noqa: F401 - paid here once instead of in every plan
    import yaml  # noqa: F401
    from snakemake.cli import main

    # what the server says must not be mixed with what a plan prints
    answers = os.fdopen(os.dup(1), "w")
    output = Path(".planned.txt")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            with open(output, "w") as handle:
                os.dup2(handle.fileno(), 1)
                os.dup2(handle.fileno(), 2)
            status = 1
            try:
                main(json.loads(line))
            except SystemExit as end:
                status = end.code or 0
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        _, status = os.waitpid(child, 0)
        print(json.dumps([status, output.read_text()]), file=answers, flush=True)


if __name__ == "__main__":
    _serve()
