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
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )


def run(main: Callable[[], None]) -> None:
    """Run a command; a user's mistake becomes one line on stderr and exit status 1."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
