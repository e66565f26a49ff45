"""Model files, spoiled, read and run on three events the way the stage evaluate does."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from onnx import TensorProto, helper

from fuzz import harness
from graph_toys import random_model
from models import OUTPUT, candidates_of, constant, pf_model
from ptmiss.core.ragged import Ragged
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.tasks.met.estimators import evaluate as stage
from ptmiss.tasks.met.estimators import network
from toys import make_toy

SECONDS, SECONDS_OF_GOOD = 0.7, 60.0
"""Of a call of a model; a case makes up to eight of them, and a hang is one of ten seconds."""

CASES_PER_PROCESS = 200
WITH_SUM = 0.1
"""Share of cases whose file keeps the sum of the good one."""

MEMORY_BYTES = 1 << 30
NUMBERS = (0, 1, -1, 2, 7, 13, 255, 1 << 14, 1 << 20, (1 << 31) - 1, 1 << 31, 1 << 40,
           (1 << 63) - 1, -(1 << 63))  # fmt: skip
TEXTS = ("", "x", "input", "input_cat0", OUTPUT, "Loop", "If", "MatMul", "Cast", "\x00", "\u202e",
         "../../x", "a" * 5000, "evil", "B", "N", "Identity", "NonZero", "Expand")  # fmt: skip


@dataclass
class State:
    """Good models, events, and the process that is reused."""

    models: list[bytes]
    events: Ragged
    settings: object
    child: object = None
    cases: int = 0


def run(seed: int, count: int, folder: Path) -> Counter:
    """Count the outcomes of `count` cases."""
    return harness.run("fuzz.family_onnx", seed, count, folder)


def prepare(folder: Path) -> State:
    """Make good models; all are taken."""
    folder.mkdir(parents=True, exist_ok=True)
    models = [pf_model(), pf_model(batch=2, slots=60), random_model(is_log=True), converted()]
    toy = make_toy(3, 1, pileup=1.0, per_collision=5.0, per_hard=5.0)
    state = State(
        [one.SerializeToString() for one in models], candidates_of(toy), _settings(SECONDS_OF_GOOD)
    )
    for content in state.models if _is_outside() else state.models[:3]:
        path = folder / "good.onnx"
        path.write_bytes(content)
        estimate(state, path)
    if state.child is not None:
        state.child.close()
    state.child, state.settings = None, _settings(SECONDS)
    return state


def case(rng: np.random.Generator, state: State, folder: Path) -> None:
    """Spoil one model."""
    good = _pick(rng, state.models)
    kind = rng.random()
    if kind < 0.35:
        content = _bytes(rng, good)
    else:
        model = onnx.load_model_from_string(good)
        if kind < 0.85:
            for _ in range(int(rng.integers(1, 5))):
                _edit(rng, model)
        else:
            _pick(rng, ATTACKS)(rng, model)
        content = model.SerializeToString()
    with harness.own_folder(folder, "case") as own:
        path = own / "model.onnx"
        path.write_bytes(content)
        with_sum = rng.random() < WITH_SUM
        if with_sum:
            digest = hashlib.sha256(good).hexdigest()
            Path(f"{path}.sha256").write_text(f"{digest}  model.onnx\n")
        estimate(state, path)
        if with_sum and content != good:
            raise harness.SilentDifference(f"{len(content)} bytes, not those of the sum")


def estimate(state: State, path: Path) -> None:
    """Read and run a model; too many estimates that are not finite are an error."""
    if not _is_outside():  # a state of the source that runs every model itself
        network.NetworkEstimator(onnx_file.read(path), 1).estimate(state.events)
        return
    from ptmiss.learn.onnx.child import Child

    state.cases += 1
    if state.child is not None and (
        state.cases % CASES_PER_PROCESS == 0 or not state.child.is_alive
    ):
        state.child.close()
        state.child = None
    if state.child is None:
        state.child = Child(1, state.settings.limits)
    child = state.child
    try:
        found = stage.outside(child, "theirs", path, state.settings)
        results, _ = stage.estimate_all(state.events, ["pf"], {"theirs": found})
        counts = {"events": 3, "theirs": stage.not_finite(results, "theirs")}
        stage.check_finite(path, counts, {"theirs": found}, state.settings.limits)
    finally:
        if child.is_alive and _most_memory(child.pid) > MEMORY_BYTES:
            raise MemoryError(f"the process of the model took {_most_memory(child.pid)} bytes")


def _is_outside() -> bool:
    return hasattr(stage, "outside")


def _settings(seconds: float) -> object:
    if not _is_outside():
        return SimpleNamespace()
    from ptmiss.learn.settings.models import ModelLimits
    from ptmiss.tasks.met.settings.evaluate import EvaluateSettings

    limits = ModelLimits(memory_mb=800, seconds=seconds, not_finite=0.001)
    return EvaluateSettings(estimators=("pf",), external={}, limits=limits)


def _most_memory(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return 1024 * int(lines.get("VmHWM", "0 kB").split()[0])


def converted() -> onnx.ModelProto:
    """Return a model with the names and types of a converter."""
    model = pf_model(opsets=[("", 18), ("ai.onnx.ml", 2)])
    for value in model.graph.input:
        if value.name != "input":
            value.type.tensor_type.elem_type = TensorProto.INT64
        value.name += ":0"
    model.graph.node[0].input[0] = "input:0"
    model.graph.node[-1].output[0] = model.graph.output[0].name = "Identity:0"
    return model


def _bytes(rng: np.random.Generator, content: bytes) -> bytes:
    """Return content with bits turned, cut, longer, or overwritten."""
    data = bytearray(content)
    kind = rng.integers(6)
    first = int(rng.integers(len(data)))
    if kind == 0:
        del data[first:]
    elif kind == 1:
        for _ in range(int(rng.integers(1, 9))):
            data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        data[first:first] = rng.bytes(int(rng.integers(1, 50)))
    elif kind == 3:
        del data[first : first + int(rng.integers(1, 200))]
    elif kind == 4:
        data[first : first + 9] = _pick(rng, (b"\xff" * 9, b"\x00" * 9, b"\xff" * 8 + b"\x01"))
    else:
        for _ in range(int(rng.integers(1, 4))):
            data[rng.integers(min(len(data), 400))] = rng.integers(256)
    return bytes(data)


def _edit(rng: np.random.Generator, message: Message) -> None:
    """Change one field somewhere below a message."""
    while True:
        fields = [field for field, _ in message.ListFields()]
        if not fields or rng.random() < 0.05:
            field = _pick(rng, message.DESCRIPTOR.fields)  # one that is not set
        else:
            field = _pick(rng, fields)
        if field.message_type is None:
            _change(rng, message, field)
            return
        if not field.is_repeated:
            if rng.random() < 0.1:
                message.ClearField(field.name)
                return
            message = getattr(message, field.name)
            continue
        items = getattr(message, field.name)
        if not len(items) or rng.random() < 0.2:
            _change_list(rng, items)
            return
        message = items[int(rng.integers(len(items)))]


def _change_list(rng: np.random.Generator, items) -> None:
    kind = rng.integers(4)
    if kind == 0 or not len(items):
        items.add()
    elif kind == 1:
        del items[int(rng.integers(len(items)))]
    elif kind == 2:
        items.add().CopyFrom(_pick(rng, items))
    else:
        _pick(rng, items).CopyFrom(_pick(rng, items))


def _change(rng: np.random.Generator, message: Message, field: FieldDescriptor) -> None:
    old = getattr(message, field.name)
    if field.is_repeated:
        kind, values = rng.integers(4), list(old)
        if kind == 0 and values:
            del values[int(rng.integers(len(values)))]
        elif kind == 1 and values:
            values.append(_pick(rng, values))
        elif kind == 2 and values:
            values[int(rng.integers(len(values)))] = _value(rng, field, values[0])
        else:
            values.append(_value(rng, field, None))
        del old[:]
        old.extend(values)
    elif rng.random() < 0.1:
        message.ClearField(field.name)
    else:
        setattr(message, field.name, _value(rng, field, old))


def _value(rng: np.random.Generator, field: FieldDescriptor, old):
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING and field.type == FieldDescriptor.TYPE_BYTES:
        content = bytes(old or b"")
        cut = int(rng.integers(len(content) + 1))
        return _pick(rng, (content[:cut], content + rng.bytes(4), rng.bytes(len(content)), b"",
                           b"\xff" * len(content), b"\xff\xfe"))  # fmt: skip
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return _pick(rng, TEXTS)
    if kind in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return float(_pick(rng, (0.0, -1.0, np.nan, np.inf, 1e38, 1e-45)))
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return not old
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return _pick(rng, field.enum_type.values).number
    bits = 32 if kind in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32) else 64
    signed = kind in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64)
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    near = int(old or 0) + int(rng.integers(-2, 3))
    return min(max(_pick(rng, (*NUMBERS, near, near, near)), low), high)


def _pick(rng: np.random.Generator, values):
    return values[int(rng.integers(len(values)))]


def _behind(model: onnx.ModelProto, nodes: list[onnx.NodeProto], last: str) -> None:
    """Let the output follow from the tensor `last`, a single number, as well."""
    graph = model.graph
    name = graph.output[0].name
    for node in graph.node:
        node.output[:] = ["sum" if output == name else output for output in node.output]
    graph.node.extend([
        *nodes,
        helper.make_node("IsNaN", [last], ["never"]),
        helper.make_node("Where", ["never", last, "sum"], [name]),
    ])  # fmt: skip


def _large_shape(rng: np.random.Generator, model: onnx.ModelProto) -> None:
    first = model.graph.input[0].name
    side = int(_pick(rng, (10, 1000, 1 << 13, 1 << 14, 1 << 17)))
    model.graph.initializer.extend([
        constant("f/none", 0.0, np.float32), constant("f/sides", [side, side]),
    ])  # fmt: skip
    _behind(model, [
        helper.make_node("ReduceSum", [first], ["f/any"], keepdims=0),
        helper.make_node("Mul", ["f/any", "f/none"], ["f/zero"]),
        helper.make_node("Cast", ["f/zero"], ["f/offset"], to=TensorProto.INT64),
        helper.make_node("Add", ["f/offset", "f/sides"], ["f/square"]),
        helper.make_node("Expand", ["f/any", "f/square"], ["f/large"]),
        helper.make_node("ReduceMax", ["f/large"], ["f/most"], keepdims=0),
    ], "f/most")  # fmt: skip


def _products(rng: np.random.Generator, model: onnx.ModelProto) -> None:
    size, count = int(_pick(rng, (8, 100, 600, 3000))), int(_pick(rng, (1, 10, 200)))
    model.graph.initializer.append(constant("f/square", [size, size]))
    _behind(model, [
        helper.make_node("ReduceMax", [model.graph.input[0].name], ["f/top"], keepdims=0),
        helper.make_node("Expand", ["f/top", "f/square"], ["f0"]),
        *(helper.make_node("MatMul", [f"f{i}", "f0"], [f"f{i + 1}"]) for i in range(count)),
        helper.make_node("ReduceMax", [f"f{count}"], ["f/most"], keepdims=0),
    ], "f/most")  # fmt: skip


def _nested(rng: np.random.Generator, model: onnx.ModelProto) -> None:
    graph = helper.make_graph([], "g", [], [])
    for _ in range(int(_pick(rng, (1, 5, 15, 24)))):
        node = helper.make_node("If", ["c"], ["d"], then_branch=graph, else_branch=graph)
        if len(node.SerializeToString()) > 1 << 20:
            break
        graph = helper.make_graph([node], "g", [], [])
    model.graph.node.append(helper.make_node("If", ["c"], ["d"], then_branch=graph))


def _names(rng: np.random.Generator, model: onnx.ModelProto) -> None:
    value = _pick(rng, (*model.graph.input, *model.graph.output))
    if rng.random() < 0.5:
        value.name = _pick(rng, TEXTS)
        return
    kind = int(_pick(rng, (0, TensorProto.FLOAT, TensorProto.STRING, 99)))
    shape = _pick(rng, (None, [], ["B", 2], [0, 2], [-1, 2]))
    more = helper.make_tensor_value_info(_pick(rng, TEXTS), kind, shape)
    _pick(rng, (model.graph.input, model.graph.output)).append(more)


def _unnamed(rng: np.random.Generator, model: onnx.ModelProto) -> None:
    node = _pick(rng, [node for node in model.graph.node if node.output])
    node.output[int(rng.integers(len(node.output)))] = ""


def _sizes(rng: np.random.Generator, model: onnx.ModelProto) -> None:
    axis, size = int(rng.integers(2)), int(_pick(rng, NUMBERS))
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[axis].dim_value = size


def _weights(rng: np.random.Generator, model: onnx.ModelProto) -> None:
    tensor = _pick(rng, model.graph.initializer)
    kind = rng.integers(4)
    if kind == 0:
        tensor.raw_data = tensor.raw_data[: int(rng.integers(len(tensor.raw_data) + 1))]
    elif kind == 1:
        tensor.raw_data = rng.bytes(len(tensor.raw_data))
    elif kind == 2:
        del tensor.dims[:]
        tensor.dims.extend(int(_pick(rng, NUMBERS)) for _ in range(int(rng.integers(4))))
    else:
        tensor.data_type = int(rng.integers(30))


def _foreign(rng: np.random.Generator, model: onnx.ModelProto) -> None:
    kind = rng.integers(4)
    if kind == 0:
        model.graph.node.append(helper.make_node("RunMe", ["input"], ["x"], domain="evil"))
    elif kind == 1:
        body = helper.make_graph([], "body", [], [])
        model.graph.node.append(helper.make_node("Loop", ["n", ""], ["x"], body=body))
    elif kind == 2:
        tensor = model.graph.initializer.add(name="far", data_type=TensorProto.FLOAT, dims=[2])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/passwd")
    else:
        node = helper.make_node("Neg", ["a"], ["b"])
        opset = [helper.make_opsetid("", 18)]
        model.functions.append(helper.make_function("", "F", ["a"], ["b"], [node], opset))


def _opset(rng: np.random.Generator, model: onnx.ModelProto) -> None:
    model.ir_version = int(_pick(rng, (0, 1, 3, 8, 10, 13, 99)))
    model.opset_import[0].version = int(_pick(rng, (0, 1, 6, 11, 13, 15, 18, 22, 25, 99, -1)))


def _features(rng: np.random.Generator, model: onnx.ModelProto) -> None:
    texts = ("{", "[" * 2000, "null", '{"dz_limit": 1e999, "unknown_codes": true, "use_puppi": 1}',
             '{"dz_limit": %s, "unknown_codes": true, "use_puppi": true}' % ("9" * 400),
             '{"dz_limit": 1e-300, "unknown_codes": true, "use_puppi": true}', "\x00",
             "x" * 2_000_000)  # fmt: skip
    entry = model.metadata_props.add(key="ptmiss.features")
    entry.value = _pick(rng, texts)


ATTACKS: tuple[Callable[[np.random.Generator, onnx.ModelProto], None], ...] = (
    _large_shape, _products, _nested, _names, _names, _unnamed, _sizes, _sizes, _weights, _weights,
    _foreign, _opset, _features,
)  # fmt: skip
"""What was found to hurt, in variations."""
