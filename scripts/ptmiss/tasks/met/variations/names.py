"""Names of the systematic variations: a source and a direction."""

from __future__ import annotations

from collections.abc import Sequence

from ptmiss.core.errors import UserError

UNCLUSTERED = ("charged", "photon", "neutral", "forward")
"""Types of candidates outside jets whose energies are uncertain for different reasons."""

SOURCES = ("jes", "jer", *(f"unclustered_{kind}" for kind in UNCLUSTERED), "lepton_scale")
"""Sources that move candidates, so that estimators run again."""

WEIGHT_SOURCES = ("pileup",)
"""Sources that change the weights of events and no candidate: made from nominal estimates."""

SIGNS = {"up": 1, "down": -1}

VARIATIONS = tuple(f"{source}_{way}" for source in SOURCES for way in SIGNS)
"""Variations that have estimates of their own."""


def parse(name: str) -> tuple[str, int]:
    """Return the source of a variation and +1 or -1; raises `UserError` for an unknown name."""
    if name in VARIATIONS:
        source, _, way = name.rpartition("_")
        return source, SIGNS[way]
    if name.rpartition("_")[0] in WEIGHT_SOURCES:
        raise UserError(
            f"variation {name!r}: changes the weights of events and no candidate; the stage"
            " uncertainty makes it from nominal estimates"
        )
    raise UserError(f"variation {name!r}: not known; allowed: {', '.join(VARIATIONS)}")


def paired(variations: Sequence[str], files: Sequence[str]) -> dict[str, str]:
    """Return variation -> file; raises `UserError` unless there is one file for each of them."""
    if len(variations) != len(files):
        raise UserError(
            f"--estimates: {len(files)} files for {len(variations)} variations; give one for each"
        )
    if len(set(variations)) < len(variations):
        raise UserError(f"--variations: {' '.join(variations)}: give each once")
    return dict(zip(variations, files, strict=True))
