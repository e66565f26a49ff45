"""Any ONNX model with DeepMET's interface as an estimator."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models import OUTPUT, candidates_of, pf_model
from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx.interface import WEIGHT
from ptmiss.tasks.met.estimators.network import (
    CMSSW_RULES,
    RULES_KEY,
    NetworkEstimator,
    Result,
)
from ptmiss.tasks.met.features import features
from toys import Toy, make_toy, met_of

SMALL = {"pileup": 3.0, "per_collision": 10.0, "per_hard": 10.0}


def estimator(model: onnx.ModelProto, with_weights: bool = False) -> NetworkEstimator:
    return NetworkEstimator(onnx_file.accept(model, "model.onnx"), 1, with_weights)


@pytest.fixture(scope="module")
def toy() -> Toy:
    return make_toy(40, 5, selected=True, **SMALL)


def assert_is_pf(result: Result, toy: Toy) -> None:
    px, py = met_of(toy)
    assert result.px.dtype == result.py.dtype == np.float64
    np.testing.assert_allclose(result.px, px, atol=2e-4)
    np.testing.assert_allclose(result.py, py, atol=2e-4)


@pytest.mark.parametrize(("batch", "slots"), [("B", "N"), (1, "N"), ("B", 400), (3, 400), (1, 400)])
def test_weights_of_1_are_pf_in_the_original_order(
    toy: Toy, batch: str | int, slots: str | int
) -> None:
    assert toy.counts.max() <= 400
    model = estimator(pf_model(batch, slots))
    assert_is_pf(model.estimate(candidates_of(toy)), toy)
    assert model.counts["beyond_slots"] == 0


def exact(counts: list[int]) -> Ragged:
    """Candidates of 50 GeV along x: a number that float32 holds exactly."""
    n = sum(counts)
    columns = {
        "cand_pt": np.full(n, 50.0), "cand_eta": np.zeros(n), "cand_phi": np.zeros(n),
        "cand_mass": np.zeros(n), "cand_d0": np.zeros(n), "cand_dz": np.zeros(n),
        "cand_puppi": np.ones(n), "cand_charge": np.zeros(n), "cand_pdg_id": np.full(n, 22),
        "cand_from_pv": np.full(n, 3),
    }  # fmt: skip
    return Ragged(offsets_of(np.array(counts, dtype=np.int64)), columns)


def test_small_exact_numbers() -> None:
    result = estimator(pf_model()).estimate(exact([3, 0, 1]))
    assert result.px.tolist() == [-150.0, 0.0, -50.0]
    assert result.py.tolist() == [0.0, 0.0, 0.0]
    assert result.weights is None


def test_no_events() -> None:
    result = estimator(pf_model()).estimate(exact([]))
    assert result.px.shape == (0,)


def test_a_model_with_fixed_slots_gets_its_pads_and_they_count_if_it_counts_them() -> None:
    # the shipped graphs give each slot a small bias, pad or not: they must see all their slots
    model = estimator(pf_model(slots=100, pad_bias=0.01))
    result = model.estimate(exact([3, 0]))
    np.testing.assert_allclose(result.px, [-150.0 - 50.0, -50.0], rtol=1e-6)


def test_candidates_beyond_the_fixed_slots_are_dropped_softest_first_and_counted() -> None:
    events = exact([3, 2])
    events["cand_pt"][:3] = [50.0, 25.0, 100.0]
    model = estimator(pf_model(slots=2))
    result = model.estimate(events)
    assert result.px.tolist() == [-150.0, -100.0]
    assert model.counts["beyond_slots"] == 1


def test_categories_arrive_under_their_own_names_in_cmssw_order() -> None:
    # this model answers (charge + 10 pdgId + 100 fromPV codes summed, 0): swapping any two shows
    nodes = [
        helper.make_node("Concat", ["input_cat0", "input_cat1", "input_cat2"], ["codes"], axis=2),
        helper.make_node("MatMul", ["codes", "digits"], ["pair"]),
        helper.make_node("ReduceSum", ["pair", "candidates"], [OUTPUT], keepdims=0),
    ]
    model = pf_model()
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    digits = np.array([[1, 0], [10, 0], [100, 0]], dtype=np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(digits, "digits"))
    events = exact([1])
    events["cand_charge"][:], events["cand_pdg_id"][:], events["cand_from_pv"][:] = 1, 11, 2
    # codes: charge +1 -> 2, pdgId 11 -> 6, fromPV 2 -> 2
    assert estimator(model).estimate(events).px.tolist() == [50.0 * (2 + 60 + 200)]


def test_unknown_codes_fall_back_to_known_ones_for_a_model_that_has_no_others() -> None:
    model = estimator(pf_model())
    events = exact([2])
    events["cand_pdg_id"][0] = 999
    model.estimate(events)
    assert model.rules == CMSSW_RULES
    assert model.counts["unknown_pdg_id"] == 1
    assert features(events, model.rules).categories[:, 1].max() <= 10


def with_rules(model: onnx.ModelProto, text: str) -> onnx.ModelProto:
    helper.set_model_props(model, {RULES_KEY: text})
    return model


RULES = json.dumps({"dz_limit": 2.0, "unknown_codes": True, "use_puppi": False})


def test_the_file_says_which_features_it_wants() -> None:
    model = estimator(with_rules(pf_model(), RULES))
    assert (model.rules.dz_limit, model.rules.unknown_codes, model.rules.use_puppi) == (2, 1, 0)


@pytest.mark.parametrize(
    "text",
    ["{", "{}", "[]", "[" * 5000, '{"dz_limit": "x", "unknown_codes": true, "use_puppi": true}',
     '{"dz_limit": %s, "unknown_codes": true, "use_puppi": true}' % ("9" * 400)],
)  # fmt: skip
def test_metadata_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="not understood"):
        estimator(with_rules(pf_model(), text))


def weighing_model() -> onnx.ModelProto:
    """Give its candidates their pt / 50 GeV as weight."""
    shape = onnx.numpy_helper.from_array(np.array([0, -1], dtype=np.int64), "shape")
    picks = onnx.numpy_helper.from_array(np.array([4], dtype=np.int64), "pt")
    nodes = [
        helper.make_node("Gather", ["input", "pt"], ["w"], axis=2),
        helper.make_node("Reshape", ["w", "shape"], [WEIGHT]),
    ]
    return pf_model(nodes=nodes, constants=[shape, picks])


def test_candidate_weights_come_in_the_order_of_the_candidates(toy: Toy) -> None:
    model = with_rules(weighing_model(), RULES)
    result = estimator(model, with_weights=True).estimate(candidates_of(toy))
    np.testing.assert_array_equal(result.weights, toy.candidates["pt"] / np.float32(50))
    assert_is_pf(result, toy)
    assert estimator(model).estimate(candidates_of(toy)).weights is None


def test_a_foreign_model_has_no_weights_to_show(toy: Toy) -> None:
    assert not estimator(weighing_model(), with_weights=True).has_weights


def test_a_model_that_fails_on_the_events_says_so_in_one_line() -> None:
    node = helper.make_node("Reshape", ["input", "wrong"], ["x"])
    add = helper.make_node("ReduceMax", ["x"], ["y"], keepdims=1)
    model = pf_model()
    wrong = onnx.numpy_helper.from_array(np.array([7, 13], dtype=np.int64), "wrong")
    model.graph.initializer.append(wrong)
    model.graph.node.extend([node, add])
    model.graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1]))
    with pytest.raises(UserError, match=r"model\.onnx: .* fails on these events") as caught:
        estimator(model).estimate(exact([2]))
    assert "\n" not in str(caught.value)


def test_a_model_that_the_runtime_refuses() -> None:
    model = pf_model(opsets=[("", 18)])
    model.ir_version = 10
    model.graph.node.append(
        helper.make_node("StringNormalizer", ["text"], ["t"], case_change_action="LOWER")
    )
    text = helper.make_tensor("text", TensorProto.STRING, [2, 2], [b"a"] * 4)
    model.graph.initializer.append(text)
    model.graph.output.append(helper.make_tensor_value_info("t", TensorProto.STRING, None))
    with pytest.raises(UserError, match=r"model\.onnx"):
        estimator(model).estimate(exact([1]))


def test_an_output_of_another_shape_is_refused() -> None:
    model = pf_model()
    model.graph.node[2].input[1] = "axis"
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["X", "Y"])
    )
    with pytest.raises(UserError, match="has shape"):
        estimator(model).estimate(exact([3, 3]))
