"""A family whose case i has a known outcome: what the harness is tested with."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from fuzz import harness


def prepare(folder: Path) -> list[int]:
    """Return what counts the cases of this process."""
    return [0]


def case(rng: np.random.Generator, state: list[int], folder: Path) -> None:
    """End as the number of the case wants it."""
    from ptmiss.core.errors import UserError

    number = [np.random.default_rng([0, i]).random() for i in range(8)].index(rng.random())
    if number == 1:
        raise UserError("a.json: damaged; delete it")
    if number == 2:
        raise ValueError("no line")
    if number == 3:
        os.abort()
    if number == 4:
        raise MemoryError
    if number == 5:
        time.sleep(20)
    if number == 6:
        raise harness.SilentDifference("x is not what its sum says")
    if number == 7:
        # of a state of the source whose messages were not cut short
        long = type("UserError", (Exception,), {})
        raise long("x" * (harness.LONGEST_LINE + 1))
