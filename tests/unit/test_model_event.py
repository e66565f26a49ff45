"""Invariant inputs, neighbours, labels, and the layers of an event: what they promise."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from network_toys import RULES, network
from ptmiss.core.ragged import Ragged, event_index
from ptmiss.learn import export
from ptmiss.learn.features import Features
from ptmiss.learn.heads.base import EventSums
from ptmiss.learn.heads.vector_sum import label_terms
from ptmiss.learn.network import Network, Place
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx import parity
from ptmiss.learn.onnx.interface import CONTEXT
from ptmiss.learn.onnx.network import OnnxNetwork
from ptmiss.learn.settings.heads import EventHead
from ptmiss.tasks.met import features as ft
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.tasks.met.learning import TASK
from toys import make_toy

# Keras 3.15 converts variables in a way that numpy 2 announces to change
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

WITH = replace(RULES, neighbours=1, pinned_pt=10.0)
LEAD = {"kind": "neighbours", "units": (64, 32, 16), "embedding": 8}
EVENT = {"kind": "event", "tune": "response", "labels": 5.0}


def toy(n: int = 30) -> Ragged:
    made = make_toy(n, 3, selected=True, pileup=3.0, per_collision=10.0, per_hard=10.0)
    columns = {f"cand_{name}": values for name, values in made.candidates.items()}
    return Ragged(made.offsets, columns)


def lead(head: dict = EVENT, kind: dict = LEAD) -> Network:
    """Give the network with layers of the event that do something."""
    model = network(rules=WITH, network=kind, head=head)
    rng = np.random.default_rng(1)
    for variable in model.head.variables:
        variable.assign(variable.numpy() + rng.normal(0, 0.3, variable.shape))
    return model


def estimates(model: Network, events: Features) -> np.ndarray:
    n = len(events.offsets) - 1
    owner = event_index(events.offsets)
    return model.flat(events.continuous, events.categories, owner, n).numpy() * model.head.scale


def turned(candidates: Ragged, angle: float, flip: bool) -> Ragged:
    """Give the candidates turned by an angle and, if so, reflected at the x axis before."""
    columns = {name: candidates[name].copy() for name in candidates.columns}
    sign = -1.0 if flip else 1.0
    columns["cand_phi"] = (sign * columns["cand_phi"] + angle).astype(np.float32)
    columns["cand_d0"] = sign * columns["cand_d0"]
    return Ragged(candidates.offsets, columns)


@pytest.mark.parametrize("kind", ["neighbours", "attention", "edgeconv"])
@pytest.mark.parametrize("flip", [False, True])
def test_an_event_that_turns_turns_the_estimate_and_its_uncertainty(kind: str, flip: bool) -> None:
    kinds = {
        "neighbours": LEAD,
        "attention": {"kind": kind, "units": (12, 8), "latents": 3, "size": 4},
        "edgeconv": {"kind": kind, "units": (12, 8), "neighbours": 4, "blocks": 2},
    }
    model, candidates, angle = lead(kind=kinds[kind]), toy(), 0.7
    first = estimates(model, ft.features(candidates, WITH))
    second = estimates(model, ft.features(turned(candidates, angle, flip), WITH))
    c, s, sign = np.cos(angle), np.sin(angle), -1.0 if flip else 1.0
    turn = np.array([[c, -s * sign], [s, c * sign]])
    np.testing.assert_allclose(second[:, :2], first[:, :2] @ turn.T, atol=1e-4)
    assert np.abs(first[:, :2]).max() > 1.0
    root = np.array([[[xx, xy], [xy, yy]] for xx, xy, yy in first[:, 2:]])
    expected = turn @ root @ turn.T
    found = np.array([[[xx, xy], [xy, yy]] for xx, xy, yy in second[:, 2:]])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_pinned_leptons_are_seen_by_nothing_else() -> None:
    """Turned by 2 radians they move pTmiss by their own momentum, and the recoil not at all."""
    model, candidates = lead(), toy()
    events = ft.features(candidates, WITH)
    pinned = ft.is_pinned(events.continuous, events.categories, 10.0)
    assert pinned.sum() > 10
    columns = {name: candidates[name].copy() for name in candidates.columns}
    columns["cand_phi"] = np.where(pinned, columns["cand_phi"] + 2.0, columns["cand_phi"])
    moved = ft.features(Ragged(candidates.offsets, columns), WITH)
    owner, n = event_index(events.offsets), len(events.offsets) - 1
    change = (moved.continuous - events.continuous)[:, [ft.PX, ft.PY]] * ft.SCALE
    own = np.stack([np.bincount(owner, x, minlength=n) for x in change.T], axis=1)
    difference = estimates(model, moved) - estimates(model, events)
    np.testing.assert_allclose(difference[:, :2], -own, atol=1e-3)
    assert np.abs(own).max() > 10.0
    np.testing.assert_allclose(difference[:, 2:], 0.0, atol=1e-3)


def test_the_exported_network_takes_neighbours_as_one_more_input() -> None:
    model, events = lead(), ft.features(toy(), WITH)
    proto = export.build(model, TASK, {"training": "toy", "weights_sha256": "0"})
    checked = onnx_file.accept(proto, "m")  # without being told what to expect
    assert list(checked.inputs) == ["input", "input_cat0", "input_cat1", "input_cat2", CONTEXT]
    assert len(json.loads(checked.metadata["ptmiss.context"])) == 18
    assert (checked.context, checked.width, checked.opset, proto.ir_version) == (18, 5, 11, 6)
    runner = OnnxNetwork(checked, 1, model.head.scale)
    runner.size = model.spec.layout.size_place
    worst = parity.compare(
        events, lambda *a: model.flat(*a).numpy(), runner, np.random.default_rng(1)
    )
    assert max(worst.values()) < 5e-4, worst
    estimator = NetworkEstimator(checked, 1, with_weights=True)
    result = estimator.estimate(toy())
    np.testing.assert_allclose(np.stack([result.px, result.py], 1), estimates(model, events)[:, :2],
                               atol=1e-3)  # fmt: skip
    assert set(result.columns("a")) == {
        "a_px", "a_py", "a_error_xx", "a_error_xy", "a_error_yy",
    }  # fmt: skip
    assert result.weights is not None
    assert len(result.weights) == len(events.continuous)


def test_a_network_of_the_event_without_candidates_is_finite() -> None:
    model = lead()
    none = np.zeros((0, 26), np.float32), np.zeros((0, 3), np.int32), np.zeros(0, np.int32)
    assert np.isfinite(model.flat(*none, 2).numpy()).all()


def test_labels_enter_weighted_by_the_root_of_momentum_where_they_are_known() -> None:
    layout = ft.layout(RULES, 10.0)
    continuous = np.zeros((4, 9), np.float32)
    continuous[:, ft.PT] = [4.0, 1.0, 9.0, 1.0]
    continuous[:, 8] = [1.0, 0.0, np.nan, 1.0]
    keep = tf.constant([True, True, True, False])
    terms = label_terms(tf.zeros(4), tf.constant(continuous), keep, layout).numpy()
    np.testing.assert_allclose(terms[:, 1], [2.0, 1.0, 0.0, 0.0])
    np.testing.assert_allclose(terms[:, 0], np.log(2.0) * terms[:, 1], rtol=1e-6)


class Sums:
    """Sums of a toy: the vector sum sees 0.6 of the recoil, one group sees the rest; noise along
    is twice that across."""

    def __init__(self, model: Network) -> None:
        self.width = 4 + 11 * len(model.spec.layout.groups)

    def sums(self, split: str) -> EventSums:
        rng = np.random.default_rng({"train": 1, "validation": 2}[split])
        n = 4000
        angle, size = rng.uniform(0, 2 * np.pi, n), rng.exponential(0.8, n)
        axis = np.stack([np.cos(angle), np.sin(angle)], 1)
        across = np.stack([-axis[:, 1], axis[:, 0]], 1)
        recoil = size[:, None] * axis
        noise = 0.2 * rng.normal(size=(n, 1)) * axis + 0.1 * rng.normal(size=(n, 1)) * across
        sums = np.zeros((n, self.width), np.float32)
        sums[:, :2] = 0.6 * recoil
        sums[:, 4:6] = -(recoil + noise)  # a group counts what is there, not what is missing
        targets = np.concatenate([recoil, np.zeros((n, 2))], axis=1).astype(np.float32)
        return EventSums(sums, targets, np.ones(n, np.float32))


def test_layers_of_an_event_learn_what_the_vector_sum_misses_and_how_well() -> None:
    head = {**EVENT, "epochs": 40, "members": 2, "weight_decay": 1e-4}
    model = network(rules=WITH, network=LEAD, head=head)
    record = model.head.finish(Sums(model), _settings(), 3)
    assert record["event_error"] < 0.2 * record["event_error_before"]
    held_out = Sums(model).sums("validation")
    result = model.head.result(tf.constant(held_out.sums)).numpy()
    error = result[:, :2] - held_out.targets[:, :2]
    root = result[:, [2, 3, 3, 4]].reshape(-1, 2, 2)
    pulls = np.linalg.solve(root, error[:, :, None])[:, :, 0]
    axis = held_out.sums[:, :2] / np.hypot(*held_out.sums[:, :2].T)[:, None]
    along = np.sum(pulls * axis, axis=1)
    across = pulls[:, 1] * axis[:, 0] - pulls[:, 0] * axis[:, 1]
    covered = [np.mean(np.abs(pull) < 1.0) for pull in (along, across)]
    np.testing.assert_allclose(covered, 0.6827, atol=0.002)


def _settings():
    from ptmiss.learn.settings.train import TrainSettings

    names = dict.fromkeys(TrainSettings.model_fields, 1)
    values = {**names, "features": "log", "warm_up": 0.1, "average": 0.9, "huber": 15.0}
    values |= {"response_recoil_edges": (30.0,), "response_met_edges": (50.0,), "compile": True}
    return TrainSettings(**values)


def test_equal_seeds_give_equal_layers() -> None:
    found = []
    for _ in range(2):
        model = network(rules=WITH, network=LEAD, head={**EVENT, "epochs": 2, "members": 2})
        model.head.finish(Sums(model), _settings(), 3)
        found.append([variable.numpy() for variable in model.head.variables])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_first_estimate_is_the_vector_sum_alone() -> None:
    model, events = lead(), ft.features(toy(), WITH)
    place = Place(event_index(events.offsets), len(events.offsets) - 1)
    args = (tf.constant(events.continuous), tf.constant(events.categories), place)
    short = model.sums(*args, first=True)
    assert short.shape[1] == 4
    whole = model.sums(*args)
    np.testing.assert_allclose(whole[:, :4], short, atol=1e-6)
    groups = np.reshape(whole[:, 4:], (len(whole), -1, 11))
    free = groups[:, :, 2:4].sum(axis=1)  # the groups hold every free candidate once
    np.testing.assert_allclose(free, -whole[:, :2], atol=1e-4)


def test_settings_of_the_head_have_bounds() -> None:
    with pytest.raises(ValueError, match="labels"):
        EventHead(kind="event", tune="response", labels=0.0)
