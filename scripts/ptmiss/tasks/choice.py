"""From what the user wrote to a checked configuration: which task, over which defaults."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ptmiss.core.errors import UserError, quoted
from ptmiss.core.settings import files, merging
from ptmiss.core.settings.configuration import Configuration
from ptmiss.tasks import registry
from ptmiss.tasks.base import Task

Values = Mapping[str, object]

KEY = "task"


@dataclass(frozen=True)
class Chosen:
    """A task with a configuration of it. values: the same as plain values, for people to read."""

    task: Task
    config: Configuration
    values: dict[str, object]


def choose(default: Values, own: Values) -> Chosen:
    """Return task and checked configuration.

    default: the configuration of the repository; own: what the user wrote over it, which may name
    another task. That one has its own defaults, and nothing of `default` counts then. Raises
    `UserError` in one line.
    """
    name = own.get(KEY, default.get(KEY))
    if not isinstance(name, str):
        raise UserError(
            f"setting {KEY}: found {quoted(name)}, expected one of {', '.join(registry.places())}"
        )
    task = registry.task(name)
    kind = task.configuration()
    if name != default.get(KEY):
        default = {} if task.defaults is None else files.read(task.defaults)
    values = merging.merged(default, own, kind)
    _refuse_sections_of_others(task, values)
    return Chosen(task, kind.load(values, own), values)


def read(config: Path, paths: Sequence[str]) -> Chosen:
    """Return what files of the user say, each over those before it and all over `config`."""
    own: dict[str, object] = {}
    for path in paths:
        own = merging.joined(own, files.read(path))
    return choose(files.read(config), own)


def _refuse_sections_of_others(task: Task, values: Values) -> None:
    own = task.configuration().model_fields
    for section in values:
        if section not in own and (other := _task_with(section)):
            raise UserError(
                f"setting {section}: the task {task.name!r} has no such section, {other!r} has;"
                f" take it out, or write `task: {other}`"
            )


def _task_with(section: str) -> str:
    """Return the first task that has a section; empty if none has."""
    for name in registry.places():
        with contextlib.suppress(Exception):  # a broken package of another task is no concern here
            if section in registry.task(name).configuration().model_fields:
                return name
    return ""
