"""A network in two: what it sees of the candidates, and the candidates it sums.

In a DeepMET one tensor holds both. To permute a feature that only the weights feel, the layers that
make each candidate's weight and bias get inputs of their own; the momenta of the sum, the pinned
leptons and the pads stay those of the true candidates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime

from ptmiss.core.errors import UserError
from ptmiss.learn.features import Features
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx.packing import batches, tensors
from ptmiss.tasks.met.estimators.network import rules_of
from ptmiss.tasks.met.features import SCALE

CANDIDATE_OUTPUTS = "candidate/outputs"
"""Tensor inside our files: weight and two biases of each candidate, before pinning."""

SEEN = "seen/"
"""Prefix of the second set of inputs and of the layers behind them."""


def separated(proto: onnx.ModelProto, path: str) -> onnx.ModelProto:
    """Return a model with the further inputs `SEEN` + name, which its layers see.

    With both sets of inputs equal it gives what the model gives. Raises `UserError` for a model
    that was not written by this project.
    """
    old = list(proto.graph.node)
    producer = {output: i for i, node in enumerate(old) for output in node.output}
    if CANDIDATE_OUTPUTS not in producer:
        raise UserError(
            f"{path}: has no tensor {CANDIDATE_OUTPUTS}, so what it sees cannot be told from what"
            " it sums; give a model that the stage export wrote"
        )
    layers = _behind(CANDIDATE_OUTPUTS, old, producer)
    rest = _behind(onnx_file.OUTPUT, old, producer, stop=CANDIDATE_OUTPUTS)
    inputs = {value.name for value in proto.graph.input}
    own = {*inputs, *(name for i in layers for name in old[i].output)}
    nodes = [_renamed(old[i], own) for i in layers]
    nodes += [_renamed(old[i], {CANDIDATE_OUTPUTS}, outputs=False) for i in rest]
    out = onnx.ModelProto()
    out.CopyFrom(proto)
    del out.graph.node[:], out.graph.value_info[:]
    out.graph.node.extend(nodes)
    for value in proto.graph.input:
        more = out.graph.input.add()
        more.CopyFrom(value)
        more.name = SEEN + value.name
    used = {name for node in nodes for name in node.input}
    constants = [tensor for tensor in proto.graph.initializer if tensor.name in used]
    del out.graph.initializer[:]
    out.graph.initializer.extend(constants)
    return out


def _behind(
    wanted: str, nodes: Sequence[onnx.NodeProto], producer: dict[str, int], stop: str = ""
) -> list[int]:
    """Return in order the nodes that `wanted` follows from, not going beyond the tensor `stop`."""
    places: set[int] = set()
    waiting = [wanted]
    while waiting:
        name = waiting.pop()
        number = producer.get(name)
        if number is None or name == stop or number in places:
            continue
        places.add(number)
        waiting.extend(nodes[number].input)
    return sorted(places)


def _renamed(node: onnx.NodeProto, names: set[str], outputs: bool = True) -> onnx.NodeProto:
    new = onnx.NodeProto()
    new.CopyFrom(node)
    for fields in (new.input, *((new.output,) if outputs else ())):
        for i, name in enumerate(fields):
            if name in names:
                fields[i] = SEEN + name
    if outputs:
        new.name = SEEN + node.name
    return new


class SeparateNetwork:
    """A separated model ready to run; rules: of its features. Raises as `separated` does."""

    def __init__(self, model: onnx_file.OnnxModel, threads: int) -> None:
        self.rules, self._context = rules_of(model), model.context
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(
            separated(model.proto, model.path).SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )

    def run(self, features: Features, seen: Sequence[Features]) -> np.ndarray:
        """Return pTmiss in GeV, float64 (len(seen), 2, n_events), of the events `made`.

        seen: for each result the features that the layers see, of the same candidates.
        """
        counts = np.diff(features.offsets)
        met = np.zeros((len(seen), 2, len(counts)))
        codes = [
            np.ascontiguousarray(other.categories.T, np.float32) for other in (features, *seen)
        ]
        for batch in batches(counts):
            shape = (len(batch), max(1, int(counts[batch].max())))
            feed = tensors(features, codes[0], batch, shape, context=self._context)
            for i, other in enumerate(seen):
                more = tensors(other, codes[1 + i], batch, shape, context=self._context)
                feed.update({SEEN + name: tensor for name, tensor in more.items()})
                met[i][:, batch] = self._session.run([onnx_file.OUTPUT], feed)[0][:, :2].T
        return met * SCALE
