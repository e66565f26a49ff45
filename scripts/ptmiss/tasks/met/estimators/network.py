"""pTmiss of a network in an ONNX file, ours or anybody's with the interface of CMSSW's DeepMET."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.paths import PathLike
from ptmiss.core.ragged import Ragged
from ptmiss.events.columns import NEIGHBOURS_VERSION, OTHER_FLAVOUR, PUPPI, puppi_column
from ptmiss.learn.features import Features
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx.network import OnnxNetwork, Session, estimate_columns
from ptmiss.tasks.met.features import (
    ESTIMATE,
    LIMIT,
    PT,
    RULES_KEY,
    SCALE,
    WITH_ERRORS,
    FeatureRules,
    features,
)

MOST_DZ = 1e30
"""Largest limit of |dz| in cm: what float32 holds."""

CMSSW_RULES = FeatureRules(
    dz_limit=LIMIT, unknown_codes=False, use_puppi=True, puppi_flavour="standard"
)
"""Features of a file that does not say: those of CMSSW's DeepMETProducer, which clips nothing and
feeds the standard PUPPI weight."""


@dataclass(frozen=True)
class Result:
    """px, py: pTmiss in GeV, float64 (n_events,); weights: float32 (n_candidates,) or None; errors:
    `WITH_ERRORS` behind px and py, float64 (n_events, 3), or None."""

    px: np.ndarray
    py: np.ndarray
    weights: np.ndarray | None
    errors: np.ndarray | None = None

    def columns(self, name: str) -> dict[str, np.ndarray]:
        """Return the columns of an estimator of this name, by column."""
        columns = {f"{name}_px": self.px, f"{name}_py": self.py}
        if self.errors is not None:
            labels = (column.name for column in WITH_ERRORS[2:])
            columns |= {f"{name}_{k}": v for k, v in zip(labels, self.errors.T, strict=True)}
        return columns


class NetworkEstimator(OnnxNetwork):
    """A model of missing momentum ready to run.

    model: see `onnx_file.read`; threads: of the runtime; with_weights: also give candidate
    weights, which needs a file written by this project; session: that has the model loaded, with
    weights if `gives_weights` says so; None loads it here. Raises `UserError` for a model that the
    runtime refuses and for one that declares other columns. counts: features repaired by reason,
    and candidates beyond a fixed number of slots. puppi: the column of the PUPPI weight, see
    `read_from`.
    """

    puppi = PUPPI
    size = PT

    def __init__(
        self,
        model: onnx_file.Interface,
        threads: int,
        with_weights: bool = False,
        session: Session | None = None,
    ) -> None:
        self.rules = rules_of(model)
        self.columns, scale = estimate_columns(model) or (ESTIMATE, SCALE)
        if self.columns not in (ESTIMATE, WITH_ERRORS):
            names = ", ".join(f"{column.name} ({column.unit})" for column in self.columns)
            raise UserError(
                f"{model.path}: its estimate is {names}, which is no missing momentum (px and py in"
                " GeV); give the model of a training with the head vector_sum or event"
            )
        super().__init__(model, threads, scale, with_weights and gives_weights(model), session)

    def read_from(self, schema: pa.Schema, skim: PathLike) -> None:
        """Take the PUPPI weight that the model wants from this skim; raises `UserError` if none."""
        self.puppi = puppi_column(schema, self.rules.wanted_puppi, skim, self.model.path)

    def estimate(self, candidates: Ragged) -> Result:
        """Return the result for events with the columns `features.COLUMNS` and `puppi`."""
        seen = features(candidates, self.rules, self.puppi)
        self.counts.update(seen.repairs)
        return self.run(seen)

    def run(self, seen: Features) -> Result:
        """Return the result for events whose features are known."""
        values, weights = self.values(seen)
        errors = values[:, 2:] if values.shape[1] > 2 else None
        return Result(values[:, 0], values[:, 1], weights, errors)


def gives_weights(model: onnx_file.Interface) -> bool:
    """Say whether a file can show the weights of its candidates: one of ours, of any size."""
    return RULES_KEY in model.metadata and model.has_weights and model.slots is None


def rules_of(model: onnx_file.Interface) -> FeatureRules:
    """Return the feature rules a file asks for; those of CMSSW if it says nothing."""
    if RULES_KEY not in model.metadata:
        return CMSSW_RULES
    try:
        rules = FeatureRules(**json.loads(model.metadata[RULES_KEY]))
        good = (
            isinstance(rules.dz_limit, int | float)
            and 0 < rules.dz_limit <= MOST_DZ
            and isinstance(rules.unknown_codes, bool)
            and isinstance(rules.use_puppi, bool)
            and rules.puppi_flavour in OTHER_FLAVOUR
            and rules.neighbours in (0, NEIGHBOURS_VERSION)
            and isinstance(rules.pinned_pt, int | float)
            and (model.context > 0) == (rules.neighbours > 0)
        )
    except (TypeError, ValueError, RecursionError):
        good = False
    if not good:
        raise UserError(
            f"{model.path}: metadata {RULES_KEY} is not understood; export the model again"
        )
    return rules
