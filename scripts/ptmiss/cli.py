"""The command `ptmiss`: one subcommand a stage."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ptmiss.core.command import run, run_stage
from ptmiss.core.errors import UserError
from ptmiss.core.workflow.stage import Stage
from ptmiss.stages import DEFAULT_TASK, stages_of


def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage that the command line names; `argv` is that of the process by default."""
    run(lambda: dispatch(sys.argv[1:] if argv is None else argv))


def stage(name: str) -> None:
    """Run a stage with the command line of the process: what the files in `scripts` do."""
    main([name, *sys.argv[1:]])


def dispatch(argv: Sequence[str]) -> None:
    """Run a stage: its name, then its flags. Raises `UserError` for a name that is none.

    `--task NAME`, anywhere, says which task's stages are meant.
    """
    tasks = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    tasks.add_argument("--task", default=DEFAULT_TASK)
    chosen, rest = tasks.parse_known_args(argv)
    stages = stages_of(chosen.task)
    if not rest or rest[0] in ("-h", "--help"):
        print(overview(stages))
    elif rest[0] in stages:
        run_stage(stages[rest[0]], rest[1:])
    else:
        raise UserError(f"{rest[0]!r}: no stage; there are {', '.join(stages)}; see ptmiss --help")


def overview(stages: dict[str, Stage]) -> str:
    """Return the list of stages with their summaries."""
    width = max(map(len, stages))
    rows = "\n".join(f"  {name:{width}}  {stage.summary}" for name, stage in stages.items())
    return (
        "usage: ptmiss STAGE [--task NAME] [flags]; ptmiss STAGE --help lists the flags\n\n" + rows
    )
