"""The stage vary: from the flags of a command to the estimates of every variation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ptmiss.tasks.met.estimators.stage import ModelFiles
from ptmiss.tasks.met.variations.names import paired
from ptmiss.tasks.met.variations.run import Sections, vary


@dataclass(frozen=True)
class Outputs:
    """Variations, and the file of each in the same order."""

    variations: Sequence[str]
    estimates: Sequence[str]


def vary_skim(
    skim: str, training: str, sections: Sections, files: ModelFiles, outputs: Outputs
) -> None:
    """Run every estimator for all variations of a skim; see `vary`."""
    vary(
        skim,
        training,
        paired(outputs.variations, outputs.estimates),
        sections,
        files.models(sections.evaluate),
    )
