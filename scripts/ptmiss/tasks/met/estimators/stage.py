"""The stage evaluate: from the flags of a command to the pTmiss of every estimator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ptmiss.core.errors import UserError
from ptmiss.core.paths import PathLike
from ptmiss.tasks.met.estimators.evaluate import Models, evaluate, external_models
from ptmiss.tasks.met.estimators.table import NOMINAL
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings


@dataclass(frozen=True)
class ModelFiles:
    """ONNX files of networks. model: of the training, or None; external: texts NAME=FILE."""

    model: str | None
    external: Sequence[str]
    threads: int

    def models(self, settings: EvaluateSettings) -> Models:
        """Return them with those of the settings; see `external_models` for what is refused."""
        return Models(self.model, external_models(self.external, settings), self.threads)


@dataclass(frozen=True)
class Outputs:
    """Estimates to write, and weights of candidates where wanted."""

    estimates: PathLike
    weights: PathLike | None


def evaluate_skim(
    skim: str,
    training: str,
    variation: str,
    settings: EvaluateSettings,
    files: ModelFiles,
    outputs: Outputs,
) -> None:
    """Compute pTmiss with every estimator for the events of a skim; see `evaluate`.

    Raises `UserError` for another variation than the nominal one.
    """
    if variation != NOMINAL:
        raise UserError(f"variation {variation!r}: expected {NOMINAL!r}; vary.py makes all others")
    models = files.models(settings)
    evaluate(skim, training, settings, outputs.estimates, models, outputs.weights)
