"""What PUPPI weights must not depend on, and what they must survive."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.events.objects.puppi.neighbours import Points, alphas
from ptmiss.events.objects.puppi.parameters import RUN2_V14, RUN2_V15, TUNES
from ptmiss.events.objects.puppi.weights import puppi_weights
from unit.toy_pileup import from_rows, toy_events

EVENTS = st.tuples(st.integers(0, 10_000), st.floats(0.0, 12.0))


def changed(candidates: Ragged, **columns) -> Ragged:
    return Ragged(candidates.offsets, candidates.columns | columns)


@settings(max_examples=15)
@given(EVENTS, st.integers(0, 1000))
def test_the_order_of_candidates_does_not_matter(toy, seed):
    candidates = toy_events(toy[0], [toy[1]])
    order = np.random.default_rng(seed).permutation(candidates.offsets[-1])
    shuffled = changed(candidates, **{k: v[order] for k, v in candidates.columns.items()})
    weights = puppi_weights(candidates, np.array([9]), RUN2_V15)
    # bit for bit: sums are taken in an order of their own
    assert np.array_equal(puppi_weights(shuffled, np.array([9]), RUN2_V15), weights[order])


def test_not_even_the_last_digit_of_alpha_depends_on_the_order():
    toy = toy_events(4, [12.0])
    pt, eta, phi = (toy[name].astype(np.float64) for name in ("pt", "eta", "phi"))
    n = len(pt)
    order = np.random.default_rng(8).permutation(n)
    everything, offsets = np.ones(n, dtype=bool), offsets_of(np.array([n]))

    def all_alphas(*columns):
        return alphas(Points(*columns, columns[1]), everything, everything, offsets, 0.4)

    shuffled = all_alphas(pt[order], eta[order], phi[order])
    assert np.array_equal(shuffled, all_alphas(pt, eta, phi)[order])


@settings(max_examples=15)
@given(EVENTS, st.floats(-20.0, 20.0))
def test_a_rotation_does_not_matter(toy, angle):
    candidates = toy_events(toy[0], [toy[1]])
    phi = candidates["phi"].astype(np.float64)
    np.testing.assert_allclose(
        puppi_weights(changed(candidates, phi=phi + angle), np.array([9]), RUN2_V15),
        puppi_weights(changed(candidates, phi=phi), np.array([9]), RUN2_V15),
        atol=1e-6,
    )


@settings(max_examples=15)
@given(EVENTS)
def test_a_reflection_does_not_matter(toy):
    candidates = toy_events(toy[0], [toy[1]])
    np.testing.assert_allclose(
        puppi_weights(changed(candidates, eta=-candidates["eta"]), np.array([9]), RUN2_V15),
        puppi_weights(candidates, np.array([9]), RUN2_V15),
        atol=1e-6,
    )


@settings(max_examples=15)
@given(EVENTS, st.booleans())
def test_weights_lie_between_0_and_1_and_are_not_tiny(toy, no_lepton):
    weights = puppi_weights(toy_events(toy[0], [toy[1]]), np.array([9]), RUN2_V15, no_lepton)
    assert np.all((weights == 0) | ((weights >= np.float32(0.01)) & (weights <= 1)))


@settings(max_examples=10)
@given(st.lists(st.floats(0.0, 6.0), min_size=1, max_size=4))
def test_events_do_not_influence_each_other(n_pileup):
    candidates = toy_events(5, n_pileup)
    n_pv = np.arange(len(n_pileup)) * 3
    together = puppi_weights(candidates, n_pv, RUN2_V15)
    for k in range(len(n_pileup)):
        alone = puppi_weights(
            candidates.keep_events(np.arange(len(n_pileup)) == k), n_pv[k : k + 1], RUN2_V15
        )
        assert np.array_equal(alone, together[candidates.offsets[k] : candidates.offsets[k + 1]])


def _with_one_more(candidates: Ragged, **values) -> Ragged:
    one = {"pt": 5.0, "eta": 0.5, "phi": 0.5, "mass": 0.1, "pdg_id": 22, "charge": 0, "from_pv": 3}
    one |= {"dz": 0.0} | values
    columns = {k: np.append(v, np.array(one[k], v.dtype)) for k, v in candidates.columns.items()}
    return Ragged(candidates.offsets + np.array([0, 1]), columns)


@pytest.mark.parametrize(
    "values",
    [
        {name: odd}
        for name in ("pt", "eta", "phi", "mass")
        for odd in (math.nan, math.inf, -math.inf)
    ]
    + [{"pt": 0.0}, {"pt": 0.0, "charge": 1, "from_pv": 0}],
    ids=str,
)
def test_a_useless_candidate_gets_nothing_and_changes_nothing(values):
    candidates = toy_events(23, [8.0])
    weights = puppi_weights(candidates, np.array([6]), RUN2_V15)
    found = puppi_weights(_with_one_more(candidates, **values), np.array([6]), RUN2_V15)
    assert np.array_equal(found, np.append(weights, np.float32(0)))


def test_enormous_eta_is_harmless():
    candidates = toy_events(23, [8.0])
    weights = puppi_weights(candidates, np.array([6]), RUN2_V15)
    for eta in (9.9, 999.9, -3e38):
        more = _with_one_more(candidates, eta=eta, charge=1, from_pv=0)
        found = puppi_weights(more, np.array([6]), RUN2_V15)
        np.testing.assert_allclose(found[:-1], weights, atol=1e-6)
        assert found[-1] == 0


def test_a_dense_event_is_finished():
    # all candidates in one cell: the worst case of the search
    rng = np.random.default_rng(1)
    n = 4000
    rows = np.stack(
        [
            rng.exponential(1.0, n) + 0.3,
            rng.uniform(0.0, 0.2, n),
            rng.uniform(0.0, 0.2, n),
            np.zeros(n),
            np.full(n, 211),
            np.arange(n) % 2,
            3 * (np.arange(n) % 4 == 1),
            np.zeros(n),
        ]
    )
    weights = puppi_weights(from_rows(rows), np.array([10]), RUN2_V15)
    assert 0 < np.mean(weights) < 1


def test_tunes_are_complete_and_frozen():
    for tune in TUNES.values():
        lows = [region.low for region in tune.regions]
        assert lows == [0.0, *(region.high for region in tune.regions[:-1])]
    assert replace(RUN2_V15, name="v14", association=RUN2_V14.association) == RUN2_V14
    with pytest.raises(AttributeError):
        RUN2_V14.name = "other"


def test_offsets_of_empty_events_in_between():
    candidates = toy_events(2, [3.0])
    n = candidates.offsets[-1]
    spread_out = Ragged(offsets_of(np.array([0, n, 0])), candidates.columns)
    assert np.array_equal(
        puppi_weights(spread_out, np.array([1, 2, 3]), RUN2_V15),
        puppi_weights(candidates, np.array([2]), RUN2_V15),
    )
