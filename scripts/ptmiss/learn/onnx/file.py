"""ONNX files from anywhere: read, checked (`onnx_check`), and what they want to be fed.

The interface is that of DeepMET in CMSSW unless another is wanted. Converters change names and
types, so what has one meaning only is accepted: names that end in ":0", a single output of so many
numbers under any name, categories as float32, int32 or int64. Every other interface is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from ptmiss.core.errors import UserError
from ptmiss.core.io import manifest
from ptmiss.core.paths import PathLike
from ptmiss.learn.onnx import check as onnx_check
from ptmiss.learn.onnx import interface

WEIGHT = interface.WEIGHT


@dataclass(frozen=True)
class Wanted:
    """The interface that a file must have.

    what: it is then, for messages; inputs: name -> last dimension, (B, N, ...); output, width: name
    and k of the output, float32 (B, k).
    """

    what: str
    inputs: dict[str, int]
    output: str
    width: int


INPUTS = {"input": 8, "input_cat0": 1, "input_cat1": 1, "input_cat2": 1}
"""Name -> last dimension of the inputs of CMSSW's DeepMETProducer, (B, N, ...)."""

OUTPUT = interface.OUTPUT

CMSSW = Wanted("DeepMET", INPUTS, OUTPUT, 2)
"""The interface of CMSSW's DeepMETProducer, which models of others have. The output is missing px
and py in units of 50 GeV."""

MAX_BYTES = 64 << 20
"""Largest file; a DeepMET has 60 kB."""

MAX_SLOTS = 1 << 18
"""Most candidate slots of one call where a file fixes them; CMSSW's graphs have 4500."""

CODE_TYPES = {"FLOAT": "float32", "INT32": "int32", "INT64": "int64"}
"""Types that categories are given in: name in ONNX -> in numpy."""


@dataclass(frozen=True)
class Interface:
    """What a model wants and gives.

    batch, slots: the fixed sizes of B and N, None where any size goes; metadata: of the file;
    inputs: name that is wanted -> (name in the file, numpy type); output: name in the file; width:
    numbers of an estimate;
    has_weights: whether the tensor `WEIGHT` is there; notices: what a user should know, one line
    each; context: features of what lies around a candidate, 0 for none.
    """

    path: str
    batch: int | None
    slots: int | None
    metadata: dict[str, str]
    inputs: dict[str, tuple[str, str]]
    output: str
    width: int
    has_weights: bool
    notices: tuple[str, ...]
    context: int


@dataclass(frozen=True)
class OnnxModel(Interface):
    """A checked model."""

    proto: onnx.ModelProto

    @property
    def opset(self) -> int:
        """Version of its standard operators."""
        return int(max(entry.version for entry in self.proto.opset_import))


def read(path: PathLike, wanted: Wanted | None = None) -> OnnxModel:
    """Read and check a file; raises `UserError` in one line for anything unsafe or unsuitable."""
    return parse(read_bytes(path), path, wanted)


def read_bytes(path: PathLike) -> bytes:
    """Return the content of a file of reasonable size that is what the sum beside it says."""
    missing = "give an ONNX file or run the stage export"
    return manifest.read_bytes(path, MAX_BYTES, missing, "give the path of an ONNX file")


def parse(content: bytes, path: PathLike, wanted: Wanted | None = None) -> OnnxModel:
    """Return the model of a file's content; path: for messages. Raises `UserError` as `read`."""
    try:
        proto = onnx.load_model_from_string(content)
    except Exception:  # DecodeError, and what strings that are not UTF-8 and deep nesting raise
        raise UserError(f"{path}: not an ONNX file (damaged, or of another format)") from None
    return accept(proto, path, wanted)


def accept(proto: onnx.ModelProto, path: PathLike, wanted: Wanted | None = None) -> OnnxModel:
    """Return a model that passes `onnx_check` and has this interface, or raise `UserError`.

    wanted: None for that of CMSSW, or of our networks that see more.
    """
    try:
        onnx_check.check(proto, path)
        wanted = wanted or _expected(proto)
        return _model(onnx_check.without_unused_domains(proto), path, wanted)
    except UserError as error:
        raise UserError(onnx_check.legible(str(error))) from None
    except Exception as error:  # damaged strings, unknown types, deep recursion: no valid model
        reason = onnx_check.reason_of(error)
        raise UserError(f"{path}: not a valid ONNX model: {reason}") from None


def _expected(proto: onnx.ModelProto) -> Wanted:
    """Return CMSSW's interface, with the input `CONTEXT` and with uncertainties where a file of
    ours says that it has these."""
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    inputs, width, what = dict(INPUTS), CMSSW.width, CMSSW.what
    for value in proto.graph.input:
        dims = value.type.tensor_type.shape.dim
        if value.name == interface.CONTEXT and len(dims) == 3 and dims[2].dim_value > 0:
            inputs[interface.CONTEXT], what = dims[2].dim_value, "network with neighbours"
    if interface.ESTIMATE_KEY in metadata and proto.graph.output:
        dims = proto.graph.output[0].type.tensor_type.shape.dim
        width = dims[1].dim_value if len(dims) == 2 and dims[1].dim_value > 0 else width
    return Wanted(what, inputs, OUTPUT, width)


def _model(proto: onnx.ModelProto, path: PathLike, wanted: Wanted) -> OnnxModel:
    graph = proto.graph
    inputs, sizes = _inputs(graph, path, wanted)
    output, notices = _output(graph, path, wanted)
    fixed = [{size[axis] for size in sizes if size[axis] is not None} for axis in (0, 1)]
    for values in fixed:
        if len(values) > 1:
            listed = sorted(filter(None, values))
            raise UserError(f"{path}: its inputs have different fixed sizes {listed}")
    batch, slots = (next(iter(values), None) for values in fixed)
    if (batch or 1) * (slots or 1) > MAX_SLOTS:
        raise UserError(
            f"{path}: takes {batch or 'any number of'} events of {slots or 'any number of'} slots,"
            f" at most {MAX_SLOTS} slots together are accepted; export it with free sizes"
        )
    return OnnxModel(
        path=str(path),
        batch=batch,
        slots=slots,
        metadata={entry.key: entry.value for entry in proto.metadata_props},
        inputs=inputs,
        output=output,
        width=wanted.width,
        has_weights=any(WEIGHT in node.output for node in graph.node),
        notices=notices,
        context=wanted.inputs.get(interface.CONTEXT, 0),
        proto=proto,
    )


def _inputs(
    graph: onnx.GraphProto, path: PathLike, wanted: Wanted
) -> tuple[dict[str, tuple[str, str]], list[list[int | None]]]:
    constants = {tensor.name for tensor in graph.initializer}
    values = [value for value in graph.input if value.name not in constants]
    by_name = {_bare(value.name): value for value in values}
    if set(by_name) != set(wanted.inputs) or len(values) != len(wanted.inputs):
        names = ", ".join(sorted(value.name for value in values)) or "none"
        expected = ", ".join(wanted.inputs)
        raise UserError(f"{path}: its inputs are {names}; a {wanted.what} has {expected}")
    inputs, sizes = {}, []
    for name, last in wanted.inputs.items():
        types = CODE_TYPES if name.startswith(interface.CATEGORY) else {"FLOAT": "float32"}
        kind, shape = _shape(by_name[name], types, 3, last, path)
        inputs[name] = by_name[name].name, kind
        sizes.append(shape)
    return inputs, sizes


def _output(graph: onnx.GraphProto, path: PathLike, wanted: Wanted) -> tuple[str, tuple[str, ...]]:
    """Return the name of the output and notices."""
    outputs = {value.name: value for value in graph.output}
    name = next((name for name in outputs if _bare(name) == wanted.output), None)
    notices: tuple[str, ...] = ()
    if name is None and len(graph.output) == 1:
        (name,) = outputs
        notices = (
            f"its output is called {onnx_check.legible(name)!r} and not {wanted.output}: taken for"
            " missing px and py in units of 50 GeV",
        )
    if name is None:
        raise UserError(
            f"{path}: its outputs are {', '.join(sorted(outputs)) or 'none'};"
            f" a {wanted.what} has {wanted.output}, or a single one of"
            f" {_count(wanted.width)} an event"
        )
    _shape(outputs[name], {"FLOAT": "float32"}, 2, wanted.width, path)
    return name, notices


def _count(number: int) -> str:
    return {1: "one number", 2: "two numbers"}.get(number, f"{number} numbers")


def _bare(name: str) -> str:
    """Return a tensor's name without the number of TensorFlow's output."""
    return name.removesuffix(":0")


def _shape(
    value: onnx.ValueInfoProto, types: dict[str, str], rank: int, last: int, path: PathLike
) -> tuple[str, list[int | None]]:
    """Return type and dimensions of an input or output (None: any); raises where they misfit."""
    tensor = value.type.tensor_type
    kind = onnx.TensorProto.DataType.Name(tensor.elem_type)
    if kind not in types:
        expected = " or ".join(f"{name} ({numpy})" for name, numpy in types.items())
        raise UserError(f"{path}: {value.name} has type {kind}, expected {expected}")
    if not tensor.HasField("shape"):
        return types[kind], [None] * rank
    dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    shape = ", ".join("any" if dim is None else str(dim) for dim in dims)
    if len(dims) != rank or dims[-1] not in (None, last):
        expected = ", ".join([*["any"] * (rank - 1), str(last)])
        raise UserError(f"{path}: {value.name} has shape ({shape}), expected ({expected})")
    if any(dim is not None and dim < 1 for dim in dims):
        raise UserError(
            f"{path}: {value.name} has shape ({shape}); a fixed size is at least 1, export"
            " the model with free or true sizes"
        )
    return types[kind], dims
