"""Shifts of all sources to one uncertainty upwards and one downwards."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping


def envelope(up: float, down: float) -> tuple[float, float]:
    """Return by how much a source raises (>= 0) and lowers (<= 0) a number.

    up, down: shifts of the two directions. Where both have the same sign the source is one-sided:
    the larger one counts, and there is nothing on the other side.
    """
    return max(up, down, 0.0), min(up, down, 0.0)


def in_quadrature(shifts: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Return the sum in quadrature of independent sources, upwards and downwards apart."""
    sides = [envelope(up, down) for up, down in shifts]
    # 0.0 - x, so that nothing is 0 and not -0
    return math.hypot(*(up for up, _ in sides)), 0.0 - math.hypot(*(down for _, down in sides))


def shifts_of(nominal: float, varied: Mapping[str, float | None]) -> dict[str, tuple[float, float]]:
    """Return source -> shifts (up, down); varied: variation -> number, None where it has none."""
    shifts = {}
    for variation, up in varied.items():
        source, _, way = variation.rpartition("_")
        if way == "up":
            down = varied.get(f"{source}_down")
            if up is not None and down is not None:
                shifts[source] = (up - nominal, down - nominal)
    return shifts
