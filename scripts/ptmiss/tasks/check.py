"""Whether a configuration is one, in one line: `make check CONFIG=own.yaml`.

Snakemake reads a file of `--configfile` before anything of the workflow, and ends in its own words
where it cannot: a text that is not UTF-8, lists nested without end, a date of month 13.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ptmiss.core.command import run
from ptmiss.core.resources import DEFAULT_CONFIGURATION
from ptmiss.tasks.choice import read


def main(paths: Sequence[str]) -> None:
    """Check files, each over those before it and all over the default configuration."""
    read(DEFAULT_CONFIGURATION, paths)
    print("The settings are valid.")


if __name__ == "__main__":
    run(lambda: main(sys.argv[1:]))
