from __future__ import annotations

import math

import numpy as np
import pytest

from ptmiss.core.stats.bootstrap import POISSON, copies, gain, interval, streams

KNOWN = [[1, 0, 2, 0, 0, 1, 1, 1], [0, 1, 0, 0, 0, 1, 1, 1], [2, 0, 1, 4, 2, 1, 1, 1]]


def _streams(n, seed=11):
    event = np.arange(n, dtype=np.uint64)
    return streams(np.ones(n, np.uint32), np.ones(n, np.uint32), event, seed)


def test_table_is_poisson_of_mean_one():
    shares = np.bincount(POISSON, minlength=9) / POISSON.size
    expected = [math.exp(-1) / math.factorial(k) for k in range(9)]
    np.testing.assert_allclose(shares, expected, atol=1.0 / 65536)
    mean = POISSON.mean()
    assert mean == pytest.approx(1.0, abs=1e-4)
    assert POISSON.astype(float).var() == pytest.approx(1.0, abs=1e-3)


def test_measurement_counts_each_event_once():
    assert (copies(_streams(100), 7)[:, 0] == 1).all()


def test_copies_never_change():
    # stored tables follow from these numbers
    assert copies(_streams(3), 8)[:, 1:].tolist() == KNOWN


def test_copies_depend_on_the_event_alone():
    every = copies(_streams(50), 20)
    order = np.random.default_rng(1).permutation(50)
    assert (copies(_streams(50)[order], 20) == every[order]).all()
    # and not on how many replicas are asked for
    assert (copies(_streams(50), 6) == every[:, :7]).all()


def test_other_seed_gives_other_copies():
    assert (copies(_streams(50, 1), 20) != copies(_streams(50, 2), 20)).any()


def test_replicas_and_events_are_independent():
    counts = copies(_streams(20_000), 40)[:, 1:].astype(float)
    # 800,000 numbers: the error of the mean is 0.0011
    assert abs(counts.mean() - 1.0) < 0.005
    between_replicas = np.corrcoef(counts.T) - np.eye(40)
    assert np.abs(between_replicas).max() < 5 / np.sqrt(20_000)
    between_events = np.corrcoef(counts[:-1].ravel(), counts[1:].ravel())[0, 1]
    assert abs(between_events) < 5 / np.sqrt(800_000)


def test_interval_holds_68_percent_of_the_replicas():
    values = np.concatenate([[1e9], np.arange(101.0)])
    assert interval(values) == pytest.approx((16.0, 84.0))
    assert interval(values, 0.95) == pytest.approx((2.5, 97.5))


def test_interval_leaves_out_replicas_without_value():
    values = np.array([0.0, np.nan, *np.arange(101.0)])
    assert interval(values) == pytest.approx((16.0, 84.0))
    assert all(map(math.isnan, interval(np.array([1.0, np.nan, np.nan, 2.0]))))


def test_gain_is_paired():
    over = np.array([20.0, 10.0, 40.0])
    np.testing.assert_allclose(gain(0.75 * over, over), 0.25)
    assert np.isnan(gain(np.ones(1), np.zeros(1)))[0]
