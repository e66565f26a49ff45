"""What every command line has in common: the parser's shape, logging and the exit status."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable

from ptmiss.errors import UserError


def parser(stage: str, description: str) -> argparse.ArgumentParser:
    """Return the parser of a stage's command, with defaults shown in its help."""
    return argparse.ArgumentParser(
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
