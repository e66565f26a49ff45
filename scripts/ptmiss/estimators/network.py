"""pTmiss of a network in an ONNX file, ours or anybody's with the interface of CMSSW's DeepMET."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import pyarrow as pa

from ptmiss.columns import OTHER_FLAVOUR, PUPPI, puppi_column
from ptmiss.errors import UserError
from ptmiss.estimators import onnx_file
from ptmiss.estimators.packing import batches, tensors
from ptmiss.model.features import LIMIT, SCALE, FeatureRules, Features, features
from ptmiss.ragged import Ragged

RULES_KEY = "ptmiss.features"
"""Metadata of our files: the `FeatureRules` as JSON."""

WEIGHT = "candidate/weight"
"""Tensor inside our files: each candidate's weight, float32 (B, N)."""

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


class NetworkEstimator:
    """A model ready to run.

    model: see `onnx_file.read`; threads: of the runtime; with_weights: also give candidate
    weights, which needs a file written by this project. Raises `UserError` for a model that the
    runtime refuses. counts: features repaired by reason, and candidates beyond a fixed number of
    slots. puppi: the column of the PUPPI weight, see `read_from`.
    """

    puppi = PUPPI

    def __init__(
        self, model: onnx_file.OnnxModel, threads: int, with_weights: bool = False
    ) -> None:
        self.model = model
        self.rules = rules_of(model)
        self.counts: Counter[str] = Counter()
        names = {output for node in model.proto.graph.node for output in node.output}
        ours = RULES_KEY in model.metadata and WEIGHT in names and model.slots is None
        self.has_weights = with_weights and ours
        self._outputs = [onnx_file.OUTPUT] + [WEIGHT] * self.has_weights
        self.session = self._session(threads)

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
        try:
            output, *more = self.session.run(self._outputs, tensors(made, codes, batch, shape))
        except Exception as error:  # the runtime's errors have no common class of their own
            reason = str(error).strip().splitlines()[0]
            raise UserError(
                f"{self.model.path}: the model fails on these events: {reason}"
            ) from None
        if output.shape != (shape[0], 2):
            raise UserError(
                f"{self.model.path}: {onnx_file.OUTPUT} has shape {output.shape}, expected"
                f" {(shape[0], 2)}"
            )
        if weights is not None:
            for row, event in enumerate(batch):
                first, last = made.offsets[event : event + 2]
                weights[first:last] = more[0][row, : last - first]
        return output[: len(batch)]

    def _session(self, threads: int) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # a failure is raised and told once, as our own error
        try:
            return onnxruntime.InferenceSession(
                self._proto().SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime's errors have no common class of their own
            reason = str(error).strip().splitlines()[0]
            raise UserError(
                f"{self.model.path}: the runtime refuses this model: {reason}"
            ) from None

    def _proto(self) -> onnx.ModelProto:
        """Return the model with the weights as an output, if they are wanted."""
        if not self.has_weights:
            return self.model.proto
        proto = onnx.ModelProto()
        proto.CopyFrom(self.model.proto)
        kind = onnx.TensorProto.FLOAT
        proto.graph.output.append(onnx.helper.make_tensor_value_info(WEIGHT, kind, ["B", "N"]))
        return proto


def rules_of(model: onnx_file.OnnxModel) -> FeatureRules:
    """Return the feature rules a file asks for; those of CMSSW if it says nothing."""
    if RULES_KEY not in model.metadata:
        return CMSSW_RULES
    try:
        rules = FeatureRules(**json.loads(model.metadata[RULES_KEY]))
        good = (
            isinstance(rules.dz_limit, int | float)
            and rules.dz_limit > 0
            and isinstance(rules.unknown_codes, bool)
            and isinstance(rules.use_puppi, bool)
            and rules.puppi_flavour in OTHER_FLAVOUR
        )
    except (TypeError, ValueError):
        good = False
    if not good:
        raise UserError(
            f"{model.path}: metadata {RULES_KEY} is not understood; export the model again"
        )
    return rules
