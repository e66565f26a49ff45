"""Foreign model files: what is accepted, and each thing that is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models import constant, pf_model
from ptmiss.core.errors import UserError
from ptmiss.learn.onnx import file as onnx_file


def refused(path: Path, text: str) -> None:
    with pytest.raises(UserError, match=text) as caught:
        onnx_file.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def saved(tmp_path: Path, model: onnx.ModelProto) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_free_and_fixed_sizes_are_recognised(tmp_path: Path) -> None:
    free = onnx_file.read(saved(tmp_path, pf_model()))
    assert (free.batch, free.slots) == (None, None)
    fixed = onnx_file.read(saved(tmp_path, pf_model(batch=1, slots=4500)))
    assert (fixed.batch, fixed.slots) == (1, 4500)


def test_metadata_is_read(tmp_path: Path) -> None:
    model = pf_model()
    helper.set_model_props(model, {"who": "me"})
    assert onnx_file.read(saved(tmp_path, model)).metadata == {"who": "me"}


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x80\x04pickle", b"\x00" * 40])
def test_a_file_of_another_kind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    refused(path, "not an ONNX file")


def test_no_file(tmp_path: Path) -> None:
    refused(tmp_path / "model.onnx", "no such file")
    refused(tmp_path, "is a folder, expected a regular file")


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, pf_model())
    whole = path.read_bytes()
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        refused(path, "model")


def test_a_large_file_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with open(path, "wb") as file:
        file.truncate(onnx_file.MAX_BYTES + 1)
    refused(path, "at most")


def external(location: str) -> onnx.TensorProto:
    tensor = TensorProto(name="far", data_type=TensorProto.FLOAT, dims=[2])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


@pytest.mark.parametrize("location", ["../../etc/passwd", "/etc/passwd", "beside.bin"])
@pytest.mark.parametrize("place", ["initializer", "node", "nested", "sparse"])
def test_data_in_another_file(tmp_path: Path, location: str, place: str) -> None:
    (tmp_path / "beside.bin").write_bytes(b"\x00" * 8)
    model = pf_model()
    tensor = external(location)
    if place == "initializer":
        model.graph.initializer.append(tensor)
    elif place == "node":
        model.graph.node.append(helper.make_node("Constant", [], ["far"], value=tensor))
    elif place == "sparse":
        model.graph.sparse_initializer.append(
            helper.make_sparse_tensor(tensor, constant("at", [0, 1]), [2])
        )
    else:
        inner = helper.make_graph([], "inner", [], [], [tensor])
        node = helper.make_node("If", ["c"], ["far"], then_branch=inner, else_branch=inner)
        model.graph.node.append(node)
    refused(saved(tmp_path, model), "in another file")


def test_external_data_without_the_flag(tmp_path: Path) -> None:
    model = pf_model()
    tensor = constant("far", [1.0], np.float32)
    tensor.external_data.add(key="location", value="/etc/passwd")
    model.graph.initializer.append(tensor)
    refused(saved(tmp_path, model), "in another file")


def test_operators_of_another_domain(tmp_path: Path) -> None:
    node = helper.make_node("RunMe", ["input"], ["x"], domain="evil")
    refused(saved(tmp_path, pf_model(nodes=[node])), "'evil'")


def test_a_domain_that_is_declared_and_not_used_does_no_harm(tmp_path: Path) -> None:
    # tf2onnx declares ai.onnx.ml in every file
    model = pf_model(opsets=[("", 18), ("ai.onnx.ml", 2), ("evil", 1)])
    accepted = onnx_file.read(saved(tmp_path, model))
    assert [opset.domain for opset in accepted.proto.opset_import] == [""]


def test_functions_of_its_own(tmp_path: Path) -> None:
    model = pf_model()
    node = helper.make_node("Neg", ["a"], ["b"])
    opset = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("", "Twice", ["a"], ["b"], [node], opset))
    refused(saved(tmp_path, model), "functions")


def test_loops(tmp_path: Path) -> None:
    body = helper.make_graph([], "body", [], [])
    loop = helper.make_node("Loop", ["n", ""], ["x"], body=body)
    refused(saved(tmp_path, pf_model(nodes=[loop])), "Loop")


def test_a_tensor_that_would_fill_the_memory(tmp_path: Path) -> None:
    node = helper.make_node("ConstantOfShape", ["huge"], ["x"])
    model = pf_model(nodes=[node], constants=[constant("huge", [1_000_000_000])])
    refused(saved(tmp_path, model), "1000000000")
    model = pf_model()
    model.graph.initializer.append(
        TensorProto(name="bomb", data_type=TensorProto.FLOAT, dims=[1 << 40])
    )
    refused(saved(tmp_path, model), "bomb")


def test_an_unknown_operator_is_not_a_valid_model(tmp_path: Path) -> None:
    node = helper.make_node("NoSuchOperator", ["input"], ["x"])
    refused(saved(tmp_path, pf_model(nodes=[node])), "not a valid ONNX model")


def renamed_input(model: onnx.ModelProto) -> None:
    model.graph.input[2].name = "input_cat9"


def missing_input(model: onnx.ModelProto) -> None:
    del model.graph.input[3]


def half_codes(model: onnx.ModelProto) -> None:
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.FLOAT16


def no_events(model: onnx.ModelProto) -> None:
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 0


def fewer_than_no_slots(model: onnx.ModelProto) -> None:
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[1].dim_value = -1


def a_thousand_events_of_a_thousand_slots(model: onnx.ModelProto) -> None:
    for value in model.graph.input:
        for dim in value.type.tensor_type.shape.dim[:2]:
            dim.dim_value = 2000


def two_inputs_of_one_meaning(model: onnx.ModelProto) -> None:
    kind = TensorProto.FLOAT
    model.graph.input.append(helper.make_tensor_value_info("input:0", kind, ["B", "N", 8]))


def output_without_a_name(model: onnx.ModelProto) -> None:
    model.graph.output.append(helper.make_tensor_value_info("", TensorProto.FLOAT, ["B", 2]))


def three_numbers(model: onnx.ModelProto) -> None:
    renamed_output(model)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 3


def seven_features(model: onnx.ModelProto) -> None:
    kind = TensorProto.FLOAT
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("input", kind, ["B", "N", 7]))


def flat_codes(model: onnx.ModelProto) -> None:
    kind = TensorProto.FLOAT
    model.graph.input[1].CopyFrom(helper.make_tensor_value_info("input_cat0", kind, ["B", "N"]))


def different_sizes(model: onnx.ModelProto) -> None:
    kind = TensorProto.FLOAT
    for i, slots in ((1, 10), (2, 20)):
        name = model.graph.input[i].name
        model.graph.input[i].CopyFrom(helper.make_tensor_value_info(name, kind, ["B", slots, 1]))


def renamed_output(model: onnx.ModelProto) -> None:
    model.graph.node[-1].output[0] = model.graph.output[0].name = "met"


def two_other_outputs(model: onnx.ModelProto) -> None:
    renamed_output(model)
    model.graph.node.append(helper.make_node("Neg", ["met"], ["more"]))
    model.graph.output.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, ["B", 2]))


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (renamed_input, "its inputs are input, input_cat0, input_cat2, input_cat9"),
        (missing_input, "its inputs are"),
        (half_codes, "input_cat0 has type FLOAT16, expected FLOAT .float32. or INT32"),
        (no_events, r"input has shape \(0, any, 8\); a fixed size is at least 1"),
        (fewer_than_no_slots, "model"),
        (a_thousand_events_of_a_thousand_slots, "at most 262144 slots together"),
        (two_inputs_of_one_meaning, "its inputs are input, input:0"),
        (output_without_a_name, "empty name"),
        (three_numbers, "model"),
        (seven_features, r"input has shape \(any, any, 7\), expected \(any, any, 8\)"),
        (flat_codes, r"input_cat0 has shape \(any, any\)"),
        (different_sizes, r"different fixed sizes \[10, 20\]"),
        (two_other_outputs, "its outputs are met, more"),
    ],
)
def test_another_interface(
    tmp_path: Path, edit: Callable[[onnx.ModelProto], None], text: str
) -> None:
    model = pf_model()
    edit(model)
    refused(saved(tmp_path, model), text)


def test_names_types_and_output_of_converters(tmp_path: Path) -> None:
    # tf2onnx ends names in ":0"; Keras calls the output as it likes and has integer categories
    model = pf_model()
    renamed_output(model)
    for value, kind in zip(model.graph.input[1:], ("FLOAT", "INT32", "INT64"), strict=True):
        value.type.tensor_type.elem_type = TensorProto.DataType.Value(kind)
    model.graph.node[0].input[0] = "input:0"
    for value in model.graph.input:
        value.name += ":0"
    accepted = onnx_file.read(saved(tmp_path, model))
    assert accepted.output == "met"
    assert accepted.inputs == {
        "input": ("input:0", "float32"),
        "input_cat0": ("input_cat0:0", "float32"),
        "input_cat1": ("input_cat1:0", "int32"),
        "input_cat2": ("input_cat2:0", "int64"),
    }
    assert "is called 'met'" in accepted.notices[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"ReduceSum", b"Reduce\xff\xfeu"),
        (b"input_cat1", b"input_c\xe9\x80\xff"),
        (b"output/BiasAdd", b"output/BiasA\xff\xff"),
    ],
)
def test_text_that_is_not_text(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(pf_model().SerializeToString().replace(old, new))
    refused(path, "not a")


def test_names_in_messages_are_legible(tmp_path: Path) -> None:
    model = pf_model()
    model.graph.input[3].name = "\x1b[2J\u202e" + "a" * 100_000
    path = saved(tmp_path, model)
    refused(path, r"its inputs are \\x1b\[2J\\u202eaaa")
    with pytest.raises(UserError) as caught:
        onnx_file.read(path)
    assert len(str(caught.value)) < 1200


def test_graphs_in_graphs_in_graphs(tmp_path: Path) -> None:
    graph = helper.make_graph([], "g", [], [])
    for _ in range(20):
        node = helper.make_node("If", ["c"], ["d"], then_branch=graph)
        graph = helper.make_graph([node], "g", [], [])
    model = pf_model(nodes=[helper.make_node("If", ["c"], ["d"], then_branch=graph)])
    refused(saved(tmp_path, model), "not a")


def test_a_type_that_does_not_exist(tmp_path: Path) -> None:
    model = pf_model()
    model.graph.input[0].type.tensor_type.elem_type = 99
    refused(saved(tmp_path, model), "not a valid ONNX model")


def test_a_constant_whose_data_are_cut_short(tmp_path: Path) -> None:
    model = pf_model()
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "bias")
    tensor.raw_data = tensor.raw_data[:3]
    refused(saved(tmp_path, model), "not a valid ONNX model")
