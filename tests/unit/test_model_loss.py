from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from ptmiss.learn.heads.loss import (
    LossSpec,
    bin_names,
    event_errors,
    events_in_bins,
    mean_responses,
    response_sums,
    response_term,
    running_response_term,
    with_enough,
)

SPEC = LossSpec(
    huber=0.0,
    response=2.0,
    recoil_edges=(0.0, 50.0, 100.0),
    met_edges=(25.0,),
    memory=10.0,
    scale=50.0,
)


def sums(met, truth, pinned, weight=None):
    met, truth, pinned = (np.array(v, np.float32) / 50 for v in (met, truth, pinned))
    weight = np.ones(len(met), np.float32) if weight is None else np.array(weight, np.float32)
    errors, lengths = response_sums(
        tf.constant(met), tf.constant(truth), tf.constant(pinned), tf.constant(weight), SPEC
    )
    return errors.numpy() * 50, lengths.numpy() * 50


def test_squared_error():
    met, truth = np.float32([[3.0, 4.0], [0.0, 0.0]]), np.zeros((2, 2), np.float32)
    np.testing.assert_allclose(event_errors(met, truth, 0.0, 50.0), [12.5, 0.0])


def test_huber_is_squared_inside_and_linear_outside():
    met = np.float32([[0.1, 0.0], [0.4, 0.0], [3.0, 4.0]])
    found = event_errors(met, np.zeros((3, 2), np.float32), 20.0, 50.0)  # 20 GeV = 0.4
    np.testing.assert_allclose(found, [0.005, 0.08, 0.4 * (5 - 0.2)], rtol=1e-6)


def test_z_event_is_measured_along_the_boson():
    # muons of 80 GeV along x: the recoil is -80; MET of +8 along x means a recoil of -88
    errors, lengths = sums([[8.0, 3.0]], [[0.0, 0.0]], [[80.0, 0.0]])
    np.testing.assert_allclose(errors, [0, 8, 0, 0], atol=1e-5)
    np.testing.assert_allclose(lengths, [0, 80, 0, 0], atol=1e-5)
    np.testing.assert_allclose(mean_responses(np.stack([errors, lengths])), [1, 1.1, 1, 1])


def test_invisible_events_are_measured_along_the_true_met():
    # nothing pinned: the recoil is minus the true MET, and both axes see 90 of 100 GeV
    errors, lengths = sums([[0.0, 90.0]], [[0.0, 100.0]], [[0.0, 0.0]])
    np.testing.assert_allclose(errors, [0, 0, -10, -10], atol=1e-5)
    np.testing.assert_allclose(lengths, [0, 0, 100, 100], atol=1e-5)


def test_bins_are_half_open_and_the_last_has_no_end():
    for length, place in ((0.001, 0), (49.99, 0), (50.0, 1), (100.0, 2), (5000.0, 2)):
        _, lengths = sums([[0.0, 0.0]], [[0.0, 0.0]], [[length, 0.0]])
        assert np.flatnonzero(lengths).tolist() == [place]


@pytest.mark.parametrize("weight", [[1.0, 1.0], [-1.0, 2.0], [0.0, 0.0]])
def test_weights_multiply(weight):
    errors, lengths = sums(
        [[8.0, 0.0], [-4.0, 0.0]], [[0.0, 0.0]] * 2, [[80.0, 0.0], [60.0, 0.0]], weight
    )
    np.testing.assert_allclose(errors[1], 8 * weight[0] - 4 * weight[1], atol=1e-5)
    np.testing.assert_allclose(lengths[1], 80 * weight[0] + 60 * weight[1], atol=1e-5)


@pytest.mark.parametrize("huber", [0.0, 20.0])
def test_value_and_gradient_are_finite_without_any_truth(huber):
    """All candidates leptons, true MET 0, perfect estimate: every length is 0."""
    spec = LossSpec(huber, 2.0, SPEC.recoil_edges, SPEC.met_edges, 10.0, 50.0)
    met = tf.Variable(np.zeros((3, 2), np.float32))
    zeros = tf.zeros((3, 2))
    with tf.GradientTape() as tape:
        errors, lengths = response_sums(met, zeros, zeros, tf.ones(3), spec)
        term, state = running_response_term(errors, lengths, tf.zeros((2, 4)), 0, spec)
        loss = tf.reduce_sum(event_errors(met, zeros, huber, 50.0)) + term
    assert float(loss) == 0.0
    assert np.array_equal(tape.gradient(loss, met), np.zeros((3, 2)))
    assert np.array_equal(state, np.zeros((2, 4)))


def test_running_term_pulls_towards_response_one():
    """One bin, always 20 % low: the gradient raises the estimate along the axis, and settles."""
    truth = tf.constant([[0.0, 2.0]])  # 100 GeV
    met = tf.Variable([[0.0, 1.6]])
    state = tf.zeros((2, 4))
    for step in range(200):
        with tf.GradientTape() as tape:
            parts = response_sums(met, truth, tf.zeros((1, 2)), tf.ones(1), SPEC)
            term, state = running_response_term(*parts, state, step, SPEC)
        met.assign_sub(0.02 * tape.gradient(term, met))
    np.testing.assert_allclose(met, [[0.0, 2.0]], atol=0.02)


def test_gradient_is_that_of_the_squared_response_when_the_state_is_settled():
    truth, pinned = tf.constant([[0.0, 2.0], [0.0, -1.2]]), tf.zeros((2, 2))
    met = tf.Variable([[0.1, 1.6], [0.0, -1.0]])
    parts = response_sums(met, truth, pinned, tf.ones(2), SPEC)
    settled = tf.stack(parts)
    with tf.GradientTape() as tape:
        term, new = running_response_term(
            *response_sums(met, truth, pinned, tf.ones(2), SPEC), settled, 1_000_000, SPEC
        )
    found = tape.gradient(term, met)
    np.testing.assert_allclose(new, settled, rtol=1e-6)
    with tf.GradientTape() as tape:
        errors, lengths = response_sums(met, truth, pinned, tf.ones(2), SPEC)
        squares = tf.math.divide_no_nan(errors, lengths) ** 2
        exact = SPEC.response * tf.reduce_sum(squares)
    np.testing.assert_allclose(found, tape.gradient(exact, met), rtol=1e-5)
    assert response_term(settled.numpy(), SPEC) == pytest.approx(float(exact), rel=1e-5)


def test_the_first_batch_has_a_gradient_of_the_right_size():
    truth, pinned = tf.constant([[0.0, 2.0]]), tf.zeros((1, 2))
    met = tf.Variable([[0.0, 1.8]])
    found = []
    for state, seen in ((tf.zeros((2, 4)), 0), (None, 1_000_000)):
        with tf.GradientTape() as tape:
            parts = response_sums(met, truth, pinned, tf.ones(1), SPEC)
            state = tf.stack(parts) if state is None else state
            term, _ = running_response_term(*parts, state, seen, SPEC)
        found.append(tape.gradient(term, met).numpy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)


def test_term_does_not_depend_on_how_events_fall_into_batches():
    rng = np.random.default_rng(1)
    met, truth, pinned = (rng.normal(0, 100, (64, 2)) for _ in range(3))
    whole = np.stack(sums(met, truth, pinned))
    parts = [np.stack(sums(met[i::4], truth[i::4], pinned[i::4])) for i in range(4)]
    np.testing.assert_allclose(np.sum(parts, axis=0), whole, rtol=1e-4)


def test_names_of_bins():
    assert bin_names(SPEC) == ["recoil_0", "recoil_50", "recoil_100", "met_25"]


def test_a_bin_of_too_few_training_events_has_no_part_in_the_term():
    truth = np.float32([[0, 0], [0, 0], [0, 30], [0, 0]]) / 50
    pinned = np.float32([[10, 0], [60, 0], [20, 0], [70, 0]]) / 50
    counts = events_in_bins(truth, pinned, SPEC)
    assert counts.tolist() == [2, 2, 0, 1]
    enough = with_enough(SPEC, counts, 2)
    assert enough.used == (True, True, False, False)
    met = tf.constant(truth + 1.0)
    _, lengths = response_sums(met, truth, pinned, tf.ones(4), enough)
    _, before = response_sums(met, truth, pinned, tf.ones(4), SPEC)
    np.testing.assert_array_equal(lengths, before.numpy() * np.float32([1, 1, 0, 0]))
    assert before[3] > 0


def test_edges_from_10_hold_the_response_at_low_recoil():
    """An event of 12 GeV has no part in the term of the default edges, and its own bin in these."""
    low = replace(SPEC, recoil_edges=(10.0, 15.0, 20.0, 30.0, 50.0), met_edges=(50.0,))
    high = replace(low, recoil_edges=(30.0, 50.0))
    truth, pinned = np.zeros((2, 2), np.float32), np.float32([[12.0, 0.0], [9.9, 0.0]]) / 50
    np.testing.assert_array_equal(events_in_bins(truth, pinned, low), [1, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(events_in_bins(truth, pinned, high), [0, 0, 0])
    assert bin_names(low)[0] == "recoil_10"
    # half of the recoil of 12 GeV is seen: pTmiss of -6 GeV along the boson
    gradients = []
    for spec in (low, high):
        met = tf.Variable(np.float32([[-6.0, 0.0], [0.0, 0.0]]) / 50)
        with tf.GradientTape() as tape:
            errors, lengths = response_sums(
                met, tf.constant(truth), tf.constant(pinned), tf.ones(2), spec
            )
            state, seen = tf.zeros((2, spec.n_bins)), tf.constant(0)
            term, _ = running_response_term(errors, lengths, state, seen, spec)
        gradients.append(tape.gradient(term, met).numpy())
    # 2 * response * excess / length, which is -0.5 / 0.24
    np.testing.assert_allclose(gradients[0], [[2 * 2.0 * -0.5 / 0.24, 0.0], [0.0, 0.0]], rtol=1e-5)
    np.testing.assert_array_equal(gradients[1], np.zeros((2, 2)))
