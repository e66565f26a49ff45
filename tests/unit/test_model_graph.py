"""The ONNX graph against a plain numpy network, and what must hold for any weights."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from graph_toys import EPSILON, ROWS, build, random_model, random_weights
from ptmiss.core.ragged import offsets_of
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx.interface import WEIGHT
from ptmiss.learn.onnx.writer import OPSET
from ptmiss.tasks.met import features as ft
from ptmiss.tasks.met.estimators.network import NetworkEstimator

FORMS = ("caption", "training_code", "shipped")


def random_events(counts: list[int], seed: int = 1) -> ft.Features:
    rng = np.random.default_rng(seed)
    n = sum(counts)
    x = rng.normal(0, 1, (n, 8)).astype(np.float32)
    pt, phi = rng.exponential(0.2, n), rng.uniform(-np.pi, np.pi, n)
    x[:, ft.PT], x[:, ft.PX], x[:, ft.PY] = pt, pt * np.cos(phi), pt * np.sin(phi)
    codes = np.stack([rng.integers(0, rows, n) for rows in ROWS], axis=1).astype(np.int32)
    return ft.Features(offsets_of(np.array(counts)), x, codes, {})


def plain(weights: dict[str, np.ndarray], bias: str, pinned_pt: float, events: ft.Features):
    """Return pTmiss in GeV, (n_events, 2), and the weight of each candidate, all in float64."""
    w = {name: values.astype(np.float64) for name, values in weights.items()}
    x, codes = events.continuous.astype(np.float64), events.categories
    h = x
    if "is_log" in w:
        log = np.sign(x) * np.log(1 + np.abs(x) * w["inverse_scale"])
        h = np.where(w["is_log"] > 0, log, x) * w["gain"]
    h = np.concatenate([h, *(w[f"embedding{k}"][codes[:, k]] for k in range(3))], axis=1)
    for i in range(3):
        h = np.tanh(h @ w[f"kernel{i}"] + w[f"bias{i}"])
        h = (h - w[f"mean{i}"]) / np.sqrt(w[f"variance{i}"] + EPSILON)
        h = h * w[f"gamma{i}"] + w[f"beta{i}"]
    out = h @ w["kernel_out"] + w["bias_out"]
    weight, b, p = out[:, :1], out[:, 1:], x[:, 6:]
    pinned = ft.is_pinned(events.continuous, codes, pinned_pt)[:, None]
    free = (x[:, ft.PT, None] != 0) & ~pinned
    met = []
    for first, last in zip(events.offsets[:-1], events.offsets[1:], strict=True):
        one = slice(first, last)
        wf, bf, pf = weight[one], b[one], p[one]
        if bias == "caption":
            value = -((wf * pf + bf) * free[one]).sum(0)
        elif bias == "training_code":
            value = ((wf - 1) * (pf + bf) * free[one]).sum(0)
        else:
            terms = (wf - 1) * np.concatenate([bf, pf], axis=1) * free[one]
            value = terms.sum(0) @ w["sum_kernel"] + w["sum_bias"]
        met.append(value - (pf * pinned[one]).sum(0))
    each = weight if bias == "caption" else 1 - weight
    return np.array(met) * ft.SCALE, np.where(pinned, 1.0, each * free)[:, 0]


def estimator(
    bias: str = "caption", is_log: bool = False, pinned_pt: float = 10.0, seed: int = 1
) -> NetworkEstimator:
    proto = random_model(bias, is_log, pinned_pt, seed)
    return NetworkEstimator(onnx_file.accept(proto, "model.onnx"), 1, with_weights=True)


def run(network: NetworkEstimator, events: ft.Features) -> np.ndarray:
    result = network.run(events)
    return np.stack([result.px, result.py], axis=1)


@pytest.mark.parametrize("bias", FORMS)
@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize("pinned_pt", [10.0, np.inf])
def test_equals_a_plain_network(bias: str, is_log: bool, pinned_pt: float) -> None:
    events = random_events([30, 0, 1, 200, 57])
    events.continuous[5:15, ft.PT] = 0.0
    expected, weights = plain(random_weights(1, is_log), bias, pinned_pt, events)
    network = estimator(bias, is_log, pinned_pt)
    np.testing.assert_allclose(run(network, events), expected, rtol=2e-5, atol=2e-3)
    np.testing.assert_allclose(network.run(events).weights, weights, rtol=1e-3, atol=1e-4)


def lepton(pt: float, pdg_id: int = 13, from_pv: int = 3) -> ft.Features:
    events = random_events([1])
    x = events.continuous
    x[0, ft.PT], x[0, ft.PX], x[0, ft.PY] = pt / ft.SCALE, pt / ft.SCALE, 0.0
    events.categories[0] = [1, ft.PDG_IDS.index(pdg_id), from_pv]
    return events


@pytest.mark.parametrize("pdg_id", [-13, -11, 11, 13])
@pytest.mark.parametrize("from_pv", [2, 3])
def test_a_prompt_lepton_counts_exactly_once_whatever_the_weights(
    pdg_id: int, from_pv: int
) -> None:
    events = lepton(30.0, pdg_id, from_pv)
    assert run(estimator(seed=2), events)[0, 0] == -np.float64(np.float32(0.6)) * 50
    assert run(estimator("training_code"), events)[0, 1] == 0.0


@pytest.mark.parametrize(
    "events",
    [lepton(9.99), lepton(10.0), lepton(30.0, 211), lepton(30.0, from_pv=1), lepton(30.0, 22)],
)
def test_others_are_weighted(events: ft.Features) -> None:
    assert abs(run(estimator(), events)[0, 0] + events.continuous[0, ft.PX] * 50) > 0.01


@pytest.mark.parametrize("bias", FORMS)
def test_slots_without_pt_count_exactly_nothing(bias: str) -> None:
    network = estimator(bias)
    pads = random_events([40])
    pads.continuous[:, ft.PT] = 0.0
    none = random_events([0])
    np.testing.assert_array_equal(run(network, pads), run(network, none))
    constant = random_weights()["sum_bias"] if bias == "shipped" else np.zeros(2)
    np.testing.assert_allclose(run(network, none)[0], constant * ft.SCALE, rtol=1e-6)


@pytest.mark.parametrize("bias", FORMS)
@pytest.mark.parametrize("shape", [(3, 0), (1, 0), (0, 5), (0, 0)])
def test_an_empty_event_and_an_empty_batch_have_a_result(bias: str, shape: tuple[int, int]) -> None:
    session = estimator(bias).session
    feed = {name: np.zeros((*shape, n), np.float32) for name, n in onnx_file.INPUTS.items()}
    met, weights = session.run([onnx_file.OUTPUT, WEIGHT], feed)
    constant = random_weights()["sum_bias"] if bias == "shipped" else np.zeros(2)
    assert met.shape == (shape[0], 2)
    assert weights.shape == shape
    np.testing.assert_array_equal(met, np.tile(constant.astype(np.float32), (shape[0], 1)))
    alone = run(estimator(bias), random_events([0] * shape[0]))
    np.testing.assert_array_equal(alone, met.astype(np.float64) * ft.SCALE)


def test_codes_outside_the_tables_add_no_embedding_and_pin_nothing() -> None:
    events = random_events([3])
    weights = random_weights()
    for k in range(3):
        weights[f"embedding{k}"] = np.vstack([weights[f"embedding{k}"], np.zeros((1, 8))])
    events.categories[:] = ROWS
    expected, _ = plain(weights, "caption", 0.0, events)
    network = estimator(pinned_pt=0.0)
    for codes in (ROWS, (-1, -1, -1), (99, 99, 99), (-7, 50, -1)):
        events.categories[:] = codes
        np.testing.assert_allclose(run(network, events), expected, rtol=2e-5, atol=2e-3)


def test_equal_weights_give_equal_bytes_and_others_do_not() -> None:
    def content(seed: int) -> bytes:
        proto = build(random_weights(seed), "caption", 10.0, EPSILON, {"b": "2", "a": "1"})
        return proto.SerializeToString(deterministic=True)

    assert content(1) == content(1)
    assert content(1) != content(2)


@pytest.mark.parametrize("bias", FORMS)
def test_interface_is_that_of_cmssw(bias: str) -> None:
    model = build(random_weights(), bias, 10.0, EPSILON, {"licence": "BSD-3-Clause"})
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", OPSET)]
    assert (OPSET, model.ir_version) == (11, 6)  # of ONNX Runtime 1.0; frameworks stay for years
    accepted = onnx_file.accept(model, "model.onnx")
    assert (accepted.batch, accepted.slots) == (None, None)
    assert accepted.metadata == {"licence": "BSD-3-Clause"}
    assert [value.name for value in model.graph.input] == [
        "input", "input_cat0", "input_cat1", "input_cat2",
    ]  # fmt: skip
    assert [value.name for value in model.graph.output] == ["output/BiasAdd"]
    assert WEIGHT in {name for node in model.graph.node for name in node.output}
