"""Stages run in this process, and files of Python that lie outside of the package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from ptmiss.core.command import run_stage
from ptmiss.core.workflow.rules import COMMAND
from ptmiss.core.workflow.sources import third_party
from ptmiss.stages import stages_of


def command(name: str, *arguments: object) -> None:
    """Run a stage with these flags; a user's mistake is a `UserError`."""
    run_stage(stages_of()[name], list(map(str, arguments)))


def imported(name: str) -> set[str]:
    """Return the packages that a stage imports, by the names of their modules."""
    scripts = Path(__file__).parents[1] / "scripts"
    return third_party([COMMAND, *stages_of()[name].modules()], scripts)


def module_of(script: Path) -> ModuleType:
    """Return a file of Python as a module that nothing else has imported."""
    spec = importlib.util.spec_from_file_location(f"file_{script.stem}", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
