"""Is an ONNX file safe to hand to a runtime: self-contained, standard and of reasonable size?

What is refused here: data outside the file (path escapes: CVE-2022-25882, CVE-2024-27318),
operators that only foreign code provides, functions, loops, tensors of absurd size, names that are
empty (they crash the runtime), and whatever onnx's own checker and shape inference refuse.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from ptmiss.core.errors import UserError
from ptmiss.core.paths import PathLike

MAX_ELEMENTS = 1 << 27
"""Most elements of a tensor whose size is known beforehand (0.5 GB of float32)."""

_STANDARD = ("", "ai.onnx")
_LOOPS = ("Loop", "Scan")
_LONGEST = 300


def reason_of(error: BaseException) -> str:
    """Return the first line of an error's text, legible; its class where it has no text."""
    lines = str(error).strip().splitlines()
    return legible(lines[0], _LONGEST) if lines else type(error).__name__


def legible(text: str, most: int = 1000) -> str:
    """Return a text that holds names out of a file: characters that do not print are escaped, and
    what is longer than `most` is left out."""
    printable = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text[:most])
    return printable if len(text) <= most else f"{printable}... ({len(text)} characters)"


def check(proto: onnx.ModelProto, path: PathLike) -> None:
    """Raise `UserError` unless the model is self-contained, standard and of reasonable size."""
    if not proto.HasField("graph") or not proto.graph.node:
        raise UserError(f"{path}: not an ONNX file, or one without a graph")
    if proto.functions:
        raise UserError(f"{path}: defines functions of its own; export the model with them inlined")
    for graph in _graphs(proto.graph):
        _check_graph(graph, path)
    try:
        onnx.checker.check_model(proto)
        inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True)
    except Exception as error:  # besides its own two errors whatever C++ and protobuf raise
        raise UserError(f"{path}: not a valid ONNX model: {reason_of(error)}") from None
    for graph in _graphs(inferred.graph):
        for value in (*graph.value_info, *graph.input, *graph.output):
            shape = value.type.tensor_type.shape.dim
            _check_size([dim.dim_value or 1 for dim in shape], value.name, path)


def without_unused_domains(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model declaring the standard operators alone: after `check` no node has others.

    Converters declare domains that no node uses, and a runtime may not know them.
    """
    if all(opset.domain in _STANDARD for opset in proto.opset_import):
        return proto
    kept = [opset for opset in proto.opset_import if opset.domain in _STANDARD]
    out = onnx.ModelProto()
    out.CopyFrom(proto)
    del out.opset_import[:]
    out.opset_import.extend(kept)
    return out


def _check_graph(graph: onnx.GraphProto, path: PathLike) -> None:
    if not all(value.name for value in (*graph.input, *graph.output)):
        raise UserError(f"{path}: an input or output has an empty name; export the model again")
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


def _check_size(dims: list[int], name: str, path: PathLike) -> None:
    elements = 1
    for dim in dims:
        elements *= dim
    if min(dims, default=0) < 0 or elements > MAX_ELEMENTS:
        raise UserError(
            f"{path}: tensor {name!r} has shape {dims}, more than {MAX_ELEMENTS} elements or none"
        )
