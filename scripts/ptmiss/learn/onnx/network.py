"""pTmiss of a network in an ONNX file, ours or anybody's with the interface of CMSSW's DeepMET."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged
from ptmiss.events.columns import OTHER_FLAVOUR, PUPPI, puppi_column
from ptmiss.learn.features import LIMIT, SCALE, FeatureRules, Features, features
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx import runtime
from ptmiss.learn.onnx.check import reason_of
from ptmiss.learn.onnx.file import WEIGHT
from ptmiss.learn.onnx.packing import batches, tensors

RULES_KEY = "ptmiss.features"
"""Metadata of our files: the `FeatureRules` as JSON."""

MOST_DZ = 1e30
"""Largest limit of |dz| in cm: what float32 holds."""

CMSSW_RULES = FeatureRules(
    dz_limit=LIMIT, unknown_codes=False, use_puppi=True, puppi_flavour="standard"
)
"""Features of a file that does not say: those of CMSSW's DeepMETProducer, which clips nothing and
feeds the standard PUPPI weight."""


@dataclass(frozen=True)
class Result:
    """px, py: pTmiss in GeV, float64 (n_events,); weights: float32 (n_candidates,) or None."""

    px: np.ndarray
    py: np.ndarray
    weights: np.ndarray | None


class Session(Protocol):
    """Something that runs a loaded model: the runtime itself, or a process that has it."""

    def run(self, outputs: Sequence[str], feed: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Return the outputs for input tensors by name."""


class NetworkEstimator:
    """A model ready to run.

    model: see `onnx_file.read`; threads: of the runtime; with_weights: also give candidate
    weights, which needs a file written by this project; session: that has the model loaded, with
    weights if `gives_weights` says so; None loads it here. Raises `UserError` for a model that the
    runtime refuses. counts: features repaired by reason, and candidates beyond a fixed number of
    slots. puppi: the column of the PUPPI weight, see `read_from`.
    """

    puppi = PUPPI

    def __init__(
        self,
        model: onnx_file.Interface,
        threads: int,
        with_weights: bool = False,
        session: Session | None = None,
    ) -> None:
        self.model = model
        self.rules = rules_of(model)
        self.counts: Counter[str] = Counter()
        self.has_weights = with_weights and gives_weights(model)
        self._outputs = [model.output] + [WEIGHT] * self.has_weights
        self.session = session or runtime.session(model, threads, self.has_weights)

    def read_from(self, schema: pa.Schema, skim: str | os.PathLike[str]) -> None:
        """Take the PUPPI weight that the model wants from this skim; raises `UserError` if none."""
        self.puppi = puppi_column(schema, self.rules.wanted_puppi, skim, self.model.path)

    def estimate(self, candidates: Ragged) -> Result:
        """Return the result for events with the columns `features.COLUMNS` and `puppi`."""
        made = features(candidates, self.rules, self.puppi)
        self.counts.update(made.repairs)
        return self.run(made)

    def run(self, made: Features) -> Result:
        """Return the result for events whose features are known."""
        counts = np.diff(made.offsets)
        met = np.zeros((len(counts), 2))
        weights = np.zeros(len(made.continuous), dtype=np.float32) if self.has_weights else None
        codes = np.ascontiguousarray(made.categories.T, dtype=np.float32)
        slots, fixed_batch = self.model.slots, self.model.batch
        if slots is not None:
            self.counts["beyond_slots"] += int(np.maximum(counts - slots, 0).sum())
        for batch in batches(
            counts if slots is None else np.full(len(counts), slots), events=fixed_batch
        ):
            width = slots or max(1, int(counts[batch].max()))
            shape = (fixed_batch or len(batch), width)
            met[batch] = self._call(made, codes, batch, shape, weights)
        met *= SCALE
        return Result(met[:, 0], met[:, 1], weights)

    def _call(
        self,
        made: Features,
        codes: np.ndarray,
        batch: np.ndarray,
        shape: tuple[int, int],
        weights: np.ndarray | None,
    ) -> np.ndarray:
        given = tensors(made, codes, batch, shape)
        feed = {
            name: given[ours].astype(kind, copy=False)
            for ours, (name, kind) in self.model.inputs.items()
        }
        try:
            output, *more = self.session.run(self._outputs, feed)
        except UserError:
            raise
        except Exception as error:  # the runtime's errors have no common class of their own
            raise UserError(
                f"{self.model.path}: the model fails on these events: {reason_of(error)}"
            ) from None
        for name, found, expected in zip(
            self._outputs, (output, *more), ((shape[0], 2), shape), strict=False
        ):
            if found.shape != expected or found.dtype != np.float32:
                raise UserError(
                    f"{self.model.path}: {name} has shape {found.shape}, expected {expected}"
                )
        if weights is not None:
            for row, event in enumerate(batch):
                first, last = made.offsets[event : event + 2]
                weights[first:last] = more[0][row, : last - first]
        return output[: len(batch)]


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
        )
    except (TypeError, ValueError, RecursionError):
        good = False
    if not good:
        raise UserError(
            f"{model.path}: metadata {RULES_KEY} is not understood; export the model again"
        )
    return rules
