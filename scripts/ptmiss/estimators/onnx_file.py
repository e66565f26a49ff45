"""ONNX files from anywhere, checked before a runtime sees them.

A model file is a program written by somebody else. What is refused here: data outside the file
(path escapes: CVE-2022-25882, CVE-2024-27318), operators that only foreign code provides, loops,
tensors of absurd size, and every interface but that of DeepMET in CMSSW.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from ptmiss.errors import UserError
from ptmiss.io import manifest

INPUTS = {"input": 8, "input_cat0": 1, "input_cat1": 1, "input_cat2": 1}
"""Name -> last dimension of the inputs of CMSSW's DeepMETProducer, all float32 (B, N, ...)."""

OUTPUT = "output/BiasAdd"
"""Name of the output, float32 (B, 2): missing px and py in units of 50 GeV."""

MAX_BYTES = 64 << 20
"""Largest file; a DeepMET has 60 kB."""

MAX_ELEMENTS = 1 << 27
"""Most elements of a tensor whose size is known beforehand (0.5 GB of float32)."""

_STANDARD = ("", "ai.onnx")
_LOOPS = ("Loop", "Scan")


@dataclass(frozen=True)
class OnnxModel:
    """A checked model. batch, slots: the fixed sizes of B and N, None where any size goes."""

    path: str
    proto: onnx.ModelProto
    batch: int | None
    slots: int | None
    metadata: dict[str, str]


def read(path: str | os.PathLike[str]) -> OnnxModel:
    """Read and check a file; raises `UserError` in one line for anything unsafe or unsuitable."""
    file = Path(path)
    if not file.is_file():
        raise UserError(f"{path}: no such file; give an ONNX file or run the stage export")
    size = file.stat().st_size
    if size > MAX_BYTES:
        raise UserError(f"{path}: {size} bytes, but a model has at most {MAX_BYTES}")
    manifest.check(path)
    try:
        proto = onnx.load_model_from_string(file.read_bytes())
    except DecodeError:
        raise UserError(f"{path}: not an ONNX file (damaged, or of another format)") from None
    return accept(proto, path)


def accept(proto: onnx.ModelProto, path: str | os.PathLike[str]) -> OnnxModel:
    """Return a model that passes `check` and has DeepMET's interface; else raise `UserError`."""
    check(proto, path)
    batch, slots = _interface(proto.graph, path)
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    return OnnxModel(str(path), proto, batch, slots, metadata)


def check(proto: onnx.ModelProto, path: str | os.PathLike[str]) -> None:
    """Raise `UserError` unless the model is self-contained, standard and of reasonable size."""
    if not proto.HasField("graph") or not proto.graph.node:
        raise UserError(f"{path}: not an ONNX file, or one without a graph")
    for opset in proto.opset_import:
        if opset.domain not in _STANDARD:
            raise UserError(
                f"{path}: uses operators of domain {opset.domain!r}; only the standard ones of ONNX"
                " are accepted, export the model without extensions"
            )
    if proto.functions:
        raise UserError(f"{path}: defines functions of its own; export the model with them inlined")
    for graph in _graphs(proto.graph):
        _check_graph(graph, path)
    try:
        onnx.checker.check_model(proto)
        inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path}: not a valid ONNX model: {reason}") from None
    for graph in _graphs(inferred.graph):
        for value in (*graph.value_info, *graph.input, *graph.output):
            shape = value.type.tensor_type.shape.dim
            _check_size([dim.dim_value or 1 for dim in shape], value.name, path)


def _check_graph(graph: onnx.GraphProto, path: str | os.PathLike[str]) -> None:
    for node in graph.node:
        if node.domain not in _STANDARD:
            raise UserError(
                f"{path}: operator {node.op_type} of domain {node.domain!r} is not standard ONNX;"
                " export the model without extensions"
            )
        if node.op_type in _LOOPS:
            raise UserError(f"{path}: operator {node.op_type} is refused, a DeepMET has no loops")
    for tensor in _tensors(graph):
        if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise UserError(
                f"{path}: tensor {tensor.name!r} lies in another file, which is refused;"
                " save the model as one file"
            )
        _check_size(list(tensor.dims), tensor.name, path)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yield a graph and all graphs inside its nodes."""
    waiting = [graph]
    while waiting:
        current = waiting.pop()
        yield current
        for node in current.node:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    waiting.append(attribute.g)
                waiting.extend(attribute.graphs)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield the constants of one graph, those of its nodes' attributes included."""
    yield from graph.initializer
    sparse = list(graph.sparse_initializer)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("sparse_tensor"):
                sparse.append(attribute.sparse_tensor)
            sparse.extend(attribute.sparse_tensors)
    for tensor in sparse:
        yield tensor.values
        yield tensor.indices


def _check_size(dims: list[int], name: str, path: str | os.PathLike[str]) -> None:
    elements = 1
    for dim in dims:
        elements *= dim
    if min(dims, default=0) < 0 or elements > MAX_ELEMENTS:
        raise UserError(
            f"{path}: tensor {name!r} has shape {dims}, more than {MAX_ELEMENTS} elements or none"
        )


def _interface(
    graph: onnx.GraphProto, path: str | os.PathLike[str]
) -> tuple[int | None, int | None]:
    """Return the fixed B and N (None: any); raises unless the interface is that of DeepMET."""
    constants = {tensor.name for tensor in graph.initializer}
    found = {value.name: value for value in graph.input if value.name not in constants}
    if set(found) != set(INPUTS):
        raise UserError(
            f"{path}: its inputs are {', '.join(sorted(found)) or 'none'};"
            f" a DeepMET has {', '.join(INPUTS)}"
        )
    sizes = [_shape(found[name], 3, last, path) for name, last in INPUTS.items()]
    outputs = {value.name: value for value in graph.output}
    if OUTPUT not in outputs:
        raise UserError(
            f"{path}: its outputs are {', '.join(sorted(outputs)) or 'none'};"
            f" a DeepMET has {OUTPUT}"
        )
    _shape(outputs[OUTPUT], 2, 2, path)
    fixed = [{size[axis] for size in sizes} - {None} for axis in (0, 1)]
    for values in fixed:
        if len(values) > 1:
            raise UserError(f"{path}: its inputs have different fixed sizes {sorted(values)}")
    batch, slots = (next(iter(values), None) for values in fixed)
    return batch, slots


def _shape(
    value: onnx.ValueInfoProto, rank: int, last: int, path: str | os.PathLike[str]
) -> list[int | None]:
    """Return the dimensions of an input or output (None: any); raises where they do not fit."""
    tensor = value.type.tensor_type
    kind = onnx.TensorProto.DataType.Name(tensor.elem_type)
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        raise UserError(f"{path}: {value.name} has type {kind}, expected FLOAT (float32)")
    if not tensor.HasField("shape"):
        return [None] * rank
    dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    if len(dims) != rank or dims[-1] not in (None, last):
        shape = ", ".join("any" if dim is None else str(dim) for dim in dims)
        expected = ", ".join([*["any"] * (rank - 1), str(last)])
        raise UserError(f"{path}: {value.name} has shape ({shape}), expected ({expected})")
    return dims
