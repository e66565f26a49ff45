"""Estimates of a network in an ONNX file, for events whose features are known."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.learn.features import EstimateColumn, Features
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx import runtime
from ptmiss.learn.onnx.check import reason_of
from ptmiss.learn.onnx.interface import ESTIMATE_KEY, WEIGHT
from ptmiss.learn.onnx.packing import batches, tensors


class Session(Protocol):
    """Something that runs a loaded model: the runtime itself, or a process that has it."""

    def run(self, outputs: Sequence[str], feed: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Return the outputs for input tensors by name."""


class OnnxNetwork:
    """A model ready to run.

    model: see `onnx_file.read`; threads: of the runtime; scale: of its output; with_weights: also
    give the tensor `WEIGHT`; session: that has the model loaded, with weights if they are wanted;
    None loads it here. Raises `UserError` for a model that the runtime refuses. counts: candidates
    beyond a fixed number of slots.
    """

    size: int | None = None
    """Position of the feature that says which candidates are left out where slots are fixed."""

    def __init__(
        self,
        model: onnx_file.Interface,
        threads: int,
        scale: float,
        with_weights: bool = False,
        session: Session | None = None,
    ) -> None:
        self.model, self.scale, self.has_weights = model, scale, with_weights
        self.counts: Counter[str] = Counter()
        self._outputs = [model.output] + [WEIGHT] * with_weights
        if session is None:
            if not isinstance(model, onnx_file.OnnxModel):
                raise TypeError("a model without its graph needs a session that has it loaded")
            session = runtime.session(model, threads, with_weights)
        self.session: Session = session

    def values(self, features: Features) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the estimates, float64 (n_events, k), and weights, float32 (n_candidates,)."""
        counts = np.diff(features.offsets)
        estimates = np.zeros((len(counts), self.model.width))
        n = len(features.continuous)
        weights = np.zeros(n, dtype=np.float32) if self.has_weights else None
        codes = np.ascontiguousarray(features.categories.T, dtype=np.float32)
        slots, fixed_batch = self.model.slots, self.model.batch
        if slots is not None:
            self.counts["beyond_slots"] += int(np.maximum(counts - slots, 0).sum())
        for batch in batches(
            counts if slots is None else np.full(len(counts), slots), events=fixed_batch
        ):
            width = slots or max(1, int(counts[batch].max()))
            shape = (fixed_batch or len(batch), width)
            given = tensors(features, codes, batch, shape, self.size, self.model.context)
            output, *more = self._call(given, shape)
            estimates[batch] = output[: len(batch)]
            if weights is not None:
                for row, event in enumerate(batch):
                    first, last = features.offsets[event : event + 2]
                    weights[first:last] = more[0][row, : last - first]
        estimates *= self.scale
        return estimates, weights

    def _call(self, given: Mapping[str, np.ndarray], shape: tuple[int, int]) -> list[np.ndarray]:
        """Return the outputs for input tensors of this shape, after checking theirs."""
        feed = {
            name: given[ours].astype(kind, copy=False)
            for ours, (name, kind) in self.model.inputs.items()
        }
        try:
            outputs = list(self.session.run(self._outputs, feed))
        except UserError:
            raise
        except Exception as error:  # the runtime's errors have no common class of their own
            raise UserError(
                f"{self.model.path}: the model fails on these events: {reason_of(error)}"
            ) from None
        expected = [(shape[0], self.model.width), shape]
        for name, array, size in zip(self._outputs, outputs, expected, strict=False):
            if array.shape != size or array.dtype != np.float32:
                raise UserError(
                    f"{self.model.path}: {name} has shape {array.shape}, expected {size}"
                )
        return outputs


def estimate_columns(model: onnx_file.Interface) -> tuple[tuple[EstimateColumn, ...], float] | None:
    """Return the columns that a file of ours declares, and the scale; None for one that does not.

    Raises `UserError` for a declaration that is not understood.
    """
    if ESTIMATE_KEY not in model.metadata:
        return None
    try:
        values = json.loads(model.metadata[ESTIMATE_KEY])
        columns = tuple(EstimateColumn(name=n, unit=u) for n, u in values["columns"])
        scale = float(values["scale"])
    except (TypeError, ValueError, KeyError, RecursionError):
        columns, scale = (), 0.0
    if len(columns) != model.width or not 0.0 < scale < float("inf"):
        raise UserError(
            f"{model.path}: metadata {ESTIMATE_KEY} is not understood; export the model again"
        )
    return columns, scale
