"""The command line of every stage, built from its declaration: parser, logging and exit status."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import inspect
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_type_hints

from ptmiss.core.apart import Named, keep_apart
from ptmiss.core.errors import UserError
from ptmiss.core.workflow.stage import Flag, Stage


class Parser(argparse.ArgumentParser):
    """The parser of a stage, with defaults shown in its help.

    Parsing raises `UserError` for an output that is an input or another output.
    """

    def __init__(self, stage: Stage) -> None:
        super().__init__(
            prog=f"ptmiss {stage.name}",
            description=stage.summary,
            formatter_class=_Defaults,
            allow_abbrev=False,
        )
        self._flags = stage.flags
        for flag in stage.flags:
            self.add_argument(f"--{flag.name}", **_options(flag))

    def parse_args(  # type: ignore[override]  # no namespace of others
        self, args: Sequence[str] | None = None
    ) -> argparse.Namespace:
        """Parse and compare paths; see `argparse`."""
        values = super().parse_args(args)
        keep_apart(self._paths("reads", values), self._paths("writes", values))
        return values

    def _paths(self, kind: str, values: argparse.Namespace) -> Iterator[Named]:
        for flag in self._flags:
            if flag.kind == kind:
                given = getattr(values, flag.name)
                paths: list[str] = given if flag.many else [given] if given else []
                for path in paths:
                    yield f"--{flag.name}", path.partition("=")[2] if _has_names(flag) else path


class _Defaults(argparse.ArgumentDefaultsHelpFormatter):
    """Shows a default where there is one: what has to be given has none."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.required or action.default in (None, [], ""):
            return action.help
        return super()._get_help_string(action)


def _has_names(flag: Flag) -> bool:
    return flag.metavar.startswith("NAME=")


def _options(flag: Flag) -> dict[str, Any]:
    """Return what argparse is told of a flag."""
    options: dict[str, Any] = {
        "required": flag.required,
        "help": flag.help.replace("%", "%%"),
        "metavar": flag.metavar,
    }
    if flag.kind == "number":
        options["type"] = int
    if flag.many:
        options["nargs"] = "+" if flag.required else "*"
        options["default"] = []
        if _has_names(flag):
            options["action"] = "extend"
    else:
        options["default"] = flag.default
        if not flag.required:
            options |= {"nargs": "?", "const": flag.default}
    return options


def run(main: Callable[[], object]) -> None:
    """Run a command; a user's mistake becomes one line on stderr and exit status 1."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def run_stage(stage: Stage, argv: Sequence[str]) -> None:
    """Parse the flags of a stage and call its function.

    Raises `UserError` for flags that do not go together and settings that are not allowed, and what
    the function raises.
    """
    given = vars(Parser(stage).parse_args(argv))
    try:
        if stage.prepare:
            named(stage.prepare)(given["threads"])
        values = {flag.name: _value(flag, given) for flag in stage.flags}
        if stage.task:
            values["task"] = named(stage.task)
        function = named(stage.entry)
        function(**arguments(function, values))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "ptmiss"):
            raise
        extra = stage.environment or stage.name  # of an installation of the core alone
        raise UserError(
            f"{stage.name}: {package} is not installed; pip install '.[{extra}]' in a checkout"
            " brings it"
        ) from error


def _value(flag: Flag, given: Mapping[str, Any]) -> object:
    if flag.kind != "section":
        return given[flag.name]
    from ptmiss.core.settings.base import parse  # pydantic: `--help` needs none

    kind: Any = named(flag.settings)
    settings = parse(kind, given[flag.name], flag.where.format_map(given))
    return getattr(settings, "root", settings)  # a choice of classes comes as the one it is


def named(text: str) -> Callable[..., Any]:
    """Return what "module:name" names."""
    module, _, name = text.partition(":")
    return cast(Callable[..., Any], getattr(importlib.import_module(module), name))


def arguments(function: Callable[..., Any], values: Mapping[str, object]) -> dict[str, object]:
    """Return the arguments of a stage's function by name.

    A parameter that is no flag is a dataclass whose fields are; `Path` is made where it is asked
    for. Raises TypeError where function and flags do not agree.
    """
    hints = get_type_hints(function)
    result: dict[str, object] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in values:
            value = values[name]
            result[name] = Path(str(value)) if hints[name] is Path else value
        elif dataclasses.is_dataclass(hints[name]):
            group = cast(type, hints[name])
            result[name] = group(**arguments(group, values))
        elif parameter.default is parameter.empty:
            raise TypeError(f"{function.__qualname__}: {name} is no flag and no dataclass of flags")
    return result
