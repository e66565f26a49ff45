from __future__ import annotations

import numpy as np
import pytest

from ptmiss.events.folds import fold_of
from ptmiss.simulation import pileup
from ptmiss.simulation.detector import detect
from ptmiss.simulation.numbering import EVENTS_OF_A_PART, number_events
from ptmiss.simulation.rng import event_seeds, gamma_unit_mean, normal, poisson, uniform
from unit.toy_collisions import collisions, one_list_each, perfect, soft_collisions

N_LIBRARY = 100


def test_profile_of_width_0_is_one_value():
    profile = pileup.gaussian_profile(29.0, 0.0)
    assert profile.mu.tolist() == [29.0]
    assert profile.cumulative.tolist() == [1.0]


def test_gaussian_profile_has_its_mean_and_width():
    profile = pileup.gaussian_profile(40.0, 8.0)
    weight = np.diff(profile.cumulative, prepend=0.0)
    mean = (weight * profile.mu).sum()
    assert mean == pytest.approx(40.0, abs=0.1)
    assert np.sqrt((weight * (profile.mu - mean) ** 2).sum()) == pytest.approx(8.0, rel=0.01)


def test_histogram_profile_keeps_its_shares():
    profile = pileup.histogram_profile([(10.0, 1.0), (20.0, 3.0)])
    assert profile.cumulative.tolist() == [0.25, 1.0]


@pytest.mark.parametrize("points", [[], [(10.0, 0.0)], [(-1.0, 1.0)], [(1.0, -1.0), (2.0, 3.0)]])
def test_senseless_profiles_are_refused(points):
    with pytest.raises(ValueError, match="profile"):
        pileup.histogram_profile(points)


def detected(folds, mean=5.0, lists=None, n=None):
    n = len(folds)
    return detect(
        perfect(),
        collisions([[] for _ in range(n)]),
        pileup.PileUp(
            soft_collisions(N_LIBRARY, 1),
            one_list_each(N_LIBRARY) if lists is None else lists,
            pileup.gaussian_profile(mean, 0.0),
        ),
        np.asarray(folds),
        event_seeds(3, np.ones(n), np.arange(n)),
    )


def test_an_event_is_overlaid_with_collisions_of_its_own_fold_only():
    folds = np.arange(300) % 10
    first = detected(folds).event["first_collision"]
    drawn = first >= 0
    assert drawn.sum() > 280
    assert (first[drawn] % 10 == folds[drawn]).all()
    # every collision of a fold can be drawn
    assert len(np.unique(first[drawn])) > 80


def test_the_number_of_collisions_is_poisson():
    n_pu = detected(np.zeros(800, dtype=int), mean=5.0).event["n_pu"]
    assert n_pu.mean() == pytest.approx(5.0, abs=4 * np.sqrt(5 / 800))
    assert n_pu.var() == pytest.approx(5.0, rel=0.2)


def test_a_fold_without_collisions_is_refused():
    lists = pileup.fold_lists([np.arange(10), *(np.zeros(0, int) for _ in range(9))])
    assert detected([0, 0], lists=lists).candidates.n_events == 2
    with pytest.raises(ValueError, match="no collisions"):
        detected([0, 1], lists=lists)


def test_fold_lists_want_all_folds():
    with pytest.raises(ValueError, match="folds"):
        pileup.fold_lists([np.arange(3)])


def test_numbers_skip_other_folds_and_parts_do_not_overlap():
    seen = []
    for part in range(3):
        lumi, numbers, folds = number_events(part, 200, (6, 9))
        assert lumi == part + 1
        assert set(folds.tolist()) == {6, 9}
        assert (np.diff(numbers.astype(np.int64)) > 0).all()
        assert (fold_of(np.ones(200), np.full(200, lumi), numbers) == folds).all()
        assert (numbers // EVENTS_OF_A_PART == part).all()
        seen.append(numbers)
    assert len(np.unique(np.concatenate(seen))) == 600


def test_numbers_are_all_numbers_where_every_fold_is_wanted():
    assert number_events(0, 50, range(10))[1].tolist() == list(range(1, 51))


def test_numbers_do_not_depend_on_how_many_are_asked_for():
    assert (number_events(1, 500, (3,))[1][:20] == number_events(1, 20, (3,))[1]).all()


def test_random_numbers_have_their_moments():
    state = np.array([7], dtype=np.uint64)
    flat = np.array([uniform(state) for _ in range(5000)])
    assert flat.min() >= 0
    assert flat.max() < 1
    assert flat.mean() == pytest.approx(0.5, abs=0.017)
    gauss = np.array([normal(state) for _ in range(5000)])
    assert gauss.mean() == pytest.approx(0.0, abs=0.06)
    assert gauss.std() == pytest.approx(1.0, abs=0.04)
    count = np.array([poisson(state, 120.0) for _ in range(2000)])
    assert count.mean() == pytest.approx(120.0, abs=1.0)
    assert count.var() == pytest.approx(120.0, rel=0.15)
    for width in (0.3, 1.0, 1.8):
        x = np.array([gamma_unit_mean(state, width * width) for _ in range(8000)])
        assert x.min() >= 0
        assert x.mean() == pytest.approx(1.0, abs=4 * width / 89)
        assert x.std() == pytest.approx(width, rel=0.12)


def test_the_first_random_numbers_are_known():
    # SplitMix64 from 0 begins with e220a8397b1dcdaf (reference implementation)
    state = np.zeros(1, dtype=np.uint64)
    assert uniform(state) == (0xE220A8397B1DCDAF >> 11) / 2**53
