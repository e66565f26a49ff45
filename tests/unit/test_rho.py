from __future__ import annotations

import math

import fastjet
import numpy as np
import pytest

from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.events.objects.rho import median_density
from unit.toy_pileup import toy_events

# |y| < 5 and 0.55 give 18 x 11 cells
N_CELLS = 18 * 11
AREA = (10 / 18) * (2 * math.pi / 11)


def centres():
    rows, columns = np.divmod(np.arange(N_CELLS), 11)
    return -5 + (rows + 0.5) * 10 / 18, (columns + 0.5) * 2 * math.pi / 11


def density_of(pt, eta, phi, offsets, mass=None, **options):
    columns = {"pt": pt, "eta": eta, "phi": phi} | ({} if mass is None else {"mass": mass})
    return median_density(Ragged(offsets, columns), mass is not None, **options)


def test_one_candidate_in_each_cell():
    eta, phi = centres()
    density = density_of(np.full(N_CELLS, 3.0), eta, phi, np.array([0, N_CELLS]))
    assert density.dtype == np.float32
    assert density == pytest.approx([3.0 / AREA])


def test_median_takes_the_mean_of_the_two_cells_in_the_middle():
    eta, phi = centres()
    density = density_of(np.arange(N_CELLS), eta, phi, np.array([0, N_CELLS]))
    assert density == pytest.approx([98.5 / AREA])


def test_empty_cells_count():
    eta, phi = centres()
    few = N_CELLS // 2 - 1
    offsets = np.array([0, 0, few])
    assert density_of(np.ones(few), eta[:few], phi[:few], offsets).tolist() == [0.0, 0.0]


def test_no_events():
    assert density_of(*np.zeros((3, 0)), np.array([0])).shape == (0,)


def test_candidates_beyond_the_grid_or_odd_are_left_out():
    eta, phi = centres()
    odd = np.array([[1e3, np.nan, 1, 1, np.inf, 1], [5.0, 0, np.nan, 0, 0, -999.9]])
    odd = np.vstack([odd, [0, 0, 0, np.inf, 0, 0]])
    columns = np.concatenate([np.stack([np.full(N_CELLS, 3.0), eta, phi]), odd], axis=1)
    density = density_of(*columns, np.array([0, columns.shape[1]]))
    assert density == pytest.approx([3.0 / AREA])


@pytest.mark.parametrize("turns", [-1, 1, 2])
def test_phi_may_lie_anywhere(turns):
    toy = toy_events(7, [10.0])
    pt, eta, phi = (toy[name].astype(np.float64) for name in ("pt", "eta", "phi"))
    shifted = density_of(pt, eta, phi + turns * 2 * math.pi, toy.offsets)
    assert shifted == pytest.approx(density_of(pt, eta, phi, toy.offsets), rel=1e-6)


def test_mass_turns_eta_into_rapidity():
    # with a mass of a thousand times pT, every eta is beyond the grid and every rapidity within
    rapidity, phi = centres()
    ones, offsets = np.ones(N_CELLS), np.array([0, N_CELLS])
    mass = np.full(N_CELLS, 1000.0)
    eta = np.arcsinh(np.sinh(rapidity) * math.hypot(1.0, 1000.0))
    assert density_of(ones, eta, phi, offsets, mass=mass) == pytest.approx([1 / AREA])
    assert density_of(ones, eta, phi, offsets).tolist() == [0.0]


def test_equals_fastjet():
    toy = toy_events(11, [3.0, 12.0, 25.0])
    names = ("pt", "eta", "phi", "mass")
    found = density_of(toy["pt"], toy["eta"], toy["phi"], toy.offsets, mass=toy["mass"])
    for k in range(3):
        part = slice(toy.offsets[k], toy.offsets[k + 1])
        pt, eta, phi, mass = (toy[name][part].astype(np.float64) for name in names)
        p_z = pt * np.sinh(eta)
        energy = np.sqrt(pt**2 + p_z**2 + mass**2)
        rows = zip(pt * np.cos(phi), pt * np.sin(phi), p_z, energy, strict=True)
        estimator = fastjet.GridMedianBackgroundEstimator(5.0, 0.55)
        estimator.set_particles([fastjet.PseudoJet(*map(float, row)) for row in rows])
        assert found[k] == pytest.approx(estimator.rho(), rel=1e-6)


def test_other_grids():
    density = density_of(
        np.ones(4),
        np.array([-0.5, -0.5, 0.5, 0.5]),
        np.array([1.0, 4.0, 1.0, 4.0]),
        offsets_of(np.array([4])),
        max_rapidity=1.0,
        spacing=math.pi,
    )
    # one row of two cells: pT 2 in an area of 2 x pi
    assert density == pytest.approx([2 / (2 * math.pi)])


def test_the_number_of_cells_is_rounded():
    # 2 / 1.1 = 1.8 gives two rows, 2 pi / 1.1 = 5.7 six columns
    options = {"max_rapidity": 1.0, "spacing": 1.1}
    one_row = np.ones(6), np.full(6, 0.5), np.arange(6) * math.pi / 3 + 0.1
    # only one row of two is filled: the median lies half-way between 0 and a filled cell
    expected = 0.5 / (1.0 * 2 * math.pi / 6)
    assert density_of(*one_row, np.array([0, 6]), **options) == pytest.approx([expected])
