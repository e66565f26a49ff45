"""Export: parity on every event or no file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from network_toys import FORMS, RULES, network, toy_features, write_dataset, write_training
from ptmiss.core.errors import UserError
from ptmiss.core.ragged import offsets_of
from ptmiss.learn.export import ExportInputs, ExportOutputs, build, export
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx import parity, triton, writer
from ptmiss.learn.settings.export import ExportSettings
from ptmiss.learn.training.storage import save_model
from ptmiss.tasks.met import features as ft
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.tasks.met.learning import TASK

# Keras 3.15 converts variables in a way that numpy 2 announces to change
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SETTINGS = ExportSettings(
    parity_events=2000,
    parity_limit=1e-3,
    server_name="deepmet",
    max_batch_size=100,
    preferred_batch_sizes=(8, 16),
)
LAYOUT = TASK.dataset.features
# fewer than a user may ask for: where the number does not matter, tests need not take seconds
QUICK = SETTINGS.model_copy(update={"parity_events": 60})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "validation.parquet", toy_features())
    write_training(tmp_path, network())
    return tmp_path


def run(folder: Path, settings: ExportSettings = QUICK) -> Path:
    out = folder / "onnx"
    inputs = [folder / name for name in ("model.keras", "training.json", "validation.parquet")]
    outputs = ExportOutputs(out / "model.onnx", out / "config.pbtxt", out / "parity.json")
    export(ExportInputs(*inputs), TASK, settings, outputs, threads=1)
    return out


def refused(folder: Path, text: str) -> None:
    with pytest.raises(UserError, match=text) as caught:
        run(folder)
    assert "\n" not in str(caught.value)
    assert not (folder / "onnx").exists() or list((folder / "onnx").iterdir()) == []


def test_three_files_that_agree_with_each_other(folder: Path) -> None:
    out = run(folder, SETTINGS)
    content = (out / "model.onnx").read_bytes()
    result = json.loads((out / "parity.json").read_text())
    assert result["events"] >= 2000
    assert result["distinct_events"] == 50
    assert set(result["largest_difference_gev"]) == {"keras", "batch", "padding", "permutation"}
    assert all(0 <= value <= 1e-3 for value in result["largest_difference_gev"].values())
    assert result["onnx_sha256"] == hashlib.sha256(content).hexdigest()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert f'value: "{md5}"' in (out / "config.pbtxt").read_text()
    assert sorted(path.name for path in out.iterdir()) == [
        "config.pbtxt", "config.pbtxt.sha256", "model.onnx", "model.onnx.sha256", "parity.json",
        "parity.json.sha256",
    ]  # fmt: skip


def test_the_file_says_what_it_is(folder: Path) -> None:
    model = onnx_file.read(run(folder) / "model.onnx")
    record = json.loads((folder / "training.json").read_text())
    assert model.metadata["licence"] == "BSD-3-Clause"
    assert model.metadata["ptmiss.weights_sha256"] == record["weights_sha256"]
    assert json.loads(model.metadata["ptmiss.continuous"]) == list(ft.CONTINUOUS)
    assert json.loads(model.metadata["ptmiss.codes"])["pdg_id"] == list(ft.PDG_IDS)
    assert NetworkEstimator(model, 1).rules == RULES


def test_the_same_network_gives_the_same_bytes(folder: Path) -> None:
    first = {path.name: path.read_bytes() for path in run(folder).iterdir()}
    assert {path.name: path.read_bytes() for path in run(folder).iterdir()} == first


@pytest.mark.parametrize("bias", FORMS)
def test_every_bias_form_has_parity(bias: str) -> None:
    model, made = network(bias), toy_features(20)
    proto = build(model, TASK, {"training": "toy", "weights_sha256": "0"})
    estimator = NetworkEstimator(onnx_file.accept(proto, "m"), 1)

    def trained(x, codes, event, n):
        return model.flat(x, codes, event, n).numpy()

    worst = parity.compare(made, trained, estimator, np.random.default_rng(1))
    assert max(worst.values()) < 3e-4


def edit(proto: onnx.ModelProto, name: str, factor: float) -> onnx.ModelProto:
    for tensor in proto.graph.initializer:
        if tensor.name == name:
            values = onnx.numpy_helper.to_array(tensor) * np.float32(factor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))
            return proto
    raise AssertionError(name)


def test_a_network_that_differs_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = writer.write
    monkeypatch.setattr(writer, "write", lambda *a: edit(right(*a), "dense1/kernel", 1.01))
    refused(folder, "not written, because the exported network differs: keras .* GeV on one of")


def test_a_network_in_which_pads_count_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = writer.write

    def with_counting_pads(*arguments: object) -> onnx.ModelProto:
        proto = right(*arguments)
        node = next(node for node in proto.graph.node if node.name == "is_held")
        node.input[1] = node.input[0]
        return proto

    monkeypatch.setattr(writer, "write", with_counting_pads)
    refused(folder, "differs: .*padding .* GeV")


def test_a_result_that_is_not_finite_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = writer.write
    monkeypatch.setattr(writer, "write", lambda *a: edit(right(*a), "dense3/kernel", np.nan))
    refused(folder, "not finite")


def test_a_record_of_another_network_is_refused(folder: Path) -> None:
    save_model(network(seed=4), folder / "model.keras")
    refused(folder, r"training\.json: the record of toy is of another network")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"training": "toy"}'])
def test_a_record_of_another_kind_is_refused(folder: Path, text: str) -> None:
    (folder / "training.json").write_text(text)
    refused(folder, r"training\.json: not (JSON|what the stage train writes)")


def test_an_empty_dataset_is_refused(folder: Path) -> None:
    write_dataset(folder / "validation.parquet", toy_features(0))
    refused(folder, r"validation\.parquet: the dataset is empty")


def block(counts: list[int]) -> ft.Features:
    n = sum(counts)
    x = np.zeros((n, 8), np.float32)
    x[:, ft.PT], x[:, ft.PX] = 1.0, 1.0
    return ft.Features(offsets_of(np.array(counts)), x, np.zeros((n, 3), np.int32), {})


def test_few_events_come_again_rotated() -> None:
    given = list(parity.enough_events(iter([block([1, 2]), block([3])]), 8, LAYOUT))
    assert [copy for _, copy in given] == [0, 0, 1, 1, 2]
    third = given[2][0].continuous
    np.testing.assert_allclose(
        third[:, ft.PX] + 1j * third[:, ft.PY], np.exp(1j * parity.GOLDEN_ANGLE), atol=1e-6
    )
    assert list(parity.enough_events(iter([]), 8, LAYOUT)) == []


def test_many_events_are_not_all_read() -> None:
    def endless():
        while True:
            yield block([1] * 250)

    given = [len(one.offsets) - 1 for one, _ in parity.enough_events(endless(), 320, LAYOUT)]
    assert sum(given) == 350


def test_padding_and_permuting_keep_the_candidates() -> None:
    made, rng = toy_features(5), np.random.default_rng(1)
    for changed in (parity.padded(made, rng), parity.permuted(made, rng)):
        assert not np.array_equal(changed.continuous, made.continuous)
        for i in range(5):
            before = made.continuous[made.offsets[i] : made.offsets[i + 1]]
            after = changed.continuous[changed.offsets[i] : changed.offsets[i + 1]]
            after = after[after[:, ft.PT] != 0]
            np.testing.assert_array_equal(np.sort(before, 0), np.sort(after, 0))


def test_server_configuration() -> None:
    text = triton.config("abc", SETTINGS, onnx_file.CMSSW)
    for line in (
        'name: "deepmet"', 'platform: "onnxruntime_onnx"', "max_batch_size: 100",
        "preferred_batch_size: [ 8, 16 ]", "dims: [ -1, 8 ]", 'name: "input_cat2"',
        'name: "output/BiasAdd"', "dims: [ 2 ]", 'key: "MD5:1/model.onnx"', 'value: "abc"',
    ):  # fmt: skip
        assert line in text
    assert text.count("dims: [ -1, 1 ]") == 3
    assert text.count("{") == text.count("}")
    assert text.count("[") == text.count("]")
