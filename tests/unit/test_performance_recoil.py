from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptmiss.tasks.met.performance.recoil import along_and_across, recoil

MOMENTUM = st.floats(-500.0, 500.0)


def test_three_four_five():
    # boson 5 along (3, 4)/5; pTmiss along x only
    u_par, u_perp, q_t = recoil(*(np.array([v]) for v in (1.0, 0.0, 3.0, 4.0)))
    # u = (-4, -4); axis (-3, -4)/5: 28/5 along, axis x u = (-3 * -4 - -4 * -4)/5 across
    assert q_t[0] == 5.0
    assert u_par[0] == pytest.approx(5.6)
    assert u_perp[0] == pytest.approx(-0.8)


def test_perfect_estimator_returns_the_boson():
    boson = np.array([[30.0, -7.0], [40.0, 24.0]])
    u_par, u_perp, q_t = recoil(np.zeros(2), np.zeros(2), *boson)
    np.testing.assert_allclose(q_t, [50.0, 25.0])
    np.testing.assert_allclose(u_par, q_t)
    np.testing.assert_allclose(u_perp, 0.0, atol=1e-12)


def test_neutrino_is_not_counted_twice():
    # W of 50 = lepton (10, 20) + neutrino (20, 20), pTmiss exactly the neutrino
    boson, neutrino = np.array([[30.0], [40.0]]), np.array([[20.0], [20.0]])
    u_par, u_perp, _ = recoil(*neutrino, *boson, *neutrino)
    assert u_par[0] == pytest.approx(50.0)
    assert u_perp[0] == pytest.approx(0.0, abs=1e-12)


def test_boson_at_rest_has_finite_recoil():
    u_par, u_perp, q_t = recoil(*(np.array([v]) for v in (3.0, 4.0, 0.0, 0.0)))
    assert q_t[0] == 0.0
    assert np.hypot(u_par[0], u_perp[0]) == pytest.approx(5.0)


def test_axis_of_length_zero_points_along_x():
    along, across = along_and_across(*(np.array([v]) for v in (3.0, 4.0, 0.0, 0.0)))
    assert (along[0], across[0]) == (3.0, 4.0)


@given(MOMENTUM, MOMENTUM, MOMENTUM, MOMENTUM, st.floats(-3.2, 3.2))
def test_turning_the_event_changes_nothing(mx, my, bx, by, angle):
    def turned(x, y):
        return (
            np.array([x * np.cos(angle) - y * np.sin(angle)]),
            np.array([x * np.sin(angle) + y * np.cos(angle)]),
        )

    if np.hypot(bx, by) < 1e-6:  # no axis to turn
        return
    before = recoil(*(np.array([v]) for v in (mx, my, bx, by)))
    after = recoil(*turned(mx, my), *turned(bx, by))
    np.testing.assert_allclose(after, before, atol=1e-8)
