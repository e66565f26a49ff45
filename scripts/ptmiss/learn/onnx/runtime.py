"""ONNX Runtime, set up for one model."""

from __future__ import annotations

import onnx
import onnxruntime

from ptmiss.core.errors import UserError
from ptmiss.learn.onnx.check import reason_of
from ptmiss.learn.onnx.file import WEIGHT, OnnxModel


def session(model: OnnxModel, threads: int, with_weights: bool) -> onnxruntime.InferenceSession:
    """Return the model ready to run; with_weights: with the tensor `WEIGHT` as a second output.

    Raises `UserError` for a model that the runtime refuses.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # a failure is raised and told once, as our own error
    try:
        return onnxruntime.InferenceSession(
            _proto(model, with_weights).SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )
    except Exception as error:  # the runtime's errors have no common class of their own
        raise UserError(
            f"{model.path}: the runtime refuses this model: {reason_of(error)}"
        ) from None


def _proto(model: OnnxModel, with_weights: bool) -> onnx.ModelProto:
    if not with_weights:
        return model.proto
    proto = onnx.ModelProto()
    proto.CopyFrom(model.proto)
    kind = onnx.TensorProto.FLOAT
    proto.graph.output.append(onnx.helper.make_tensor_value_info(WEIGHT, kind, ["B", "N"]))
    return proto
