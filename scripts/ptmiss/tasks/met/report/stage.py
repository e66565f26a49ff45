"""The stage report: from a list of what a run has made to the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ptmiss.core.errors import UserError
from ptmiss.tasks.met.report.build import Outputs, build
from ptmiss.tasks.met.report.figures import Inputs
from ptmiss.tasks.met.settings.config import Config

KINDS = tuple(field.name for field in dataclasses.fields(Inputs))
"""What a run can have made, by the names of the page's inputs."""


def report(
    results: Sequence[str],
    config: Config,
    revision: str,
    stages: Sequence[str],
    threads: int,
    outputs: Outputs,
) -> None:
    """Write the page, its first figure and the summary; see `build`.

    results: KIND=FILE for each file, with the kinds of `Inputs`; stages: names in the order of the
    page. Raises `UserError` for a kind that is not known and a run without tables.
    """
    build(inputs_of(results), config, outputs, revision, stages, threads)


def inputs_of(results: Sequence[str]) -> Inputs:
    """Return the files of the page by kind; see `report`."""
    files: dict[str, list[str]] = {name: [] for name in KINDS}
    for text in results:
        kind, _, path = text.partition("=")
        if kind not in files or not path:
            raise UserError(f"--results: found {text!r}, expected KIND=FILE of {', '.join(KINDS)}")
        files[kind].append(path)
    if not files["tables"]:
        raise UserError("--results: no tables=FILE; give the table of the stage performance")
    return Inputs(**files)
