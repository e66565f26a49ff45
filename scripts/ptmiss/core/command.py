"""What every command line has in common: the parser's shape, logging and the exit status."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Sequence

from ptmiss.core.apart import Named, keep_apart
from ptmiss.core.errors import UserError


class Parser(argparse.ArgumentParser):
    """A parser that knows which flags name files to read and which files to write.

    Parsing raises `UserError` for an output that is an input or another output.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._reads: list[argparse.Action] = []
        self._writes: list[argparse.Action] = []

    def reads(self, flag: str, **options: object) -> None:
        """Add a flag whose value is a file to read, or several; NAME=FILE counts as FILE."""
        self._reads.append(self.add_argument(flag, **options))

    def writes(self, flag: str, **options: object) -> None:
        """Add a flag whose value is a file or folder to write, or several."""
        self._writes.append(self.add_argument(flag, **options))

    def parse_args(
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse and compare paths; see `argparse`."""
        found = super().parse_args(args, namespace)
        keep_apart(_paths(self._reads, found), _paths(self._writes, found))
        return found


def _paths(actions: Sequence[argparse.Action], found: argparse.Namespace) -> Iterator[Named]:
    for action in actions:
        values = getattr(found, action.dest) or []
        for value in [values] if isinstance(values, str) else values:
            is_named = (action.metavar or "").startswith("NAME=")
            yield action.option_strings[0], value.partition("=")[2] if is_named else value


def parser(stage: str, description: str) -> Parser:
    """Return the parser of a stage's command, with defaults shown in its help."""
    return Parser(
        prog=stage,
        description=description,
        formatter_class=_Defaults,
        allow_abbrev=False,
    )


class _Defaults(argparse.ArgumentDefaultsHelpFormatter):
    """Shows a default where there is one: what has to be given has none."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.required or action.default in (None, [], ""):
            return action.help
        return super()._get_help_string(action)


def run(main: Callable[[], None]) -> None:
    """Run a command; a user's mistake becomes one line on stderr and exit status 1."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
