"""Neutral candidates read out of the calorimeters, in compiled form.

Every function fills the beginning of `out` (of `candidates.CANDIDATE`) and returns how many
candidates it put there; what does not fit is left out. `z_pv`: of the primary vertex, cm.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.simulation.angles import asinh, sinh, wrapped
from ptmiss.simulation.cells import ECAL, HCAL, HF_EM, HF_HAD, Calorimeters, middle, touched_cells
from ptmiss.simulation.constants import Detector
from ptmiss.simulation.rng import normal

PHOTON, NEUTRAL_HADRON, HF_HADRONIC, HF_ELECTROMAGNETIC = 22, 130, 1, 2
"""PDG ids that particle flow gives to neutral candidates."""


class View(NamedTuple):
    """A calorimeter position seen from the primary vertex: its direction, and pT per energy."""

    eta: float
    phi: float
    sine: float


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def seen_from(d: Detector, eta: float, phi: float, z_pv: float) -> View:
    """Return how a calorimeter position, (eta, phi) from the origin, looks from (0, 0, z_pv)."""
    a = abs(eta)
    if a <= d.barrel_eta:
        r = d.barrel_radius
        z = r * sinh(eta)
    else:
        z = d.endcap_z if a < d.endcap_eta else d.hf_z
        if eta < 0.0:
            z = -z
        r = z / sinh(eta)
    dz = z - z_pv
    return View(asinh(dz / r), wrapped(phi), r / math.sqrt(r * r + dz * dz))


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _of_region(d: Detector, eta: float, barrel: float, endcap: float, forward: float) -> float:
    """Return the threshold at a pseudorapidity: of the barrel, the endcap or beyond its tracker."""
    a = abs(eta)
    if a > 2.5:
        return forward
    return endcap if a > d.barrel_eta else barrel


@njit(cache=True, nogil=True, error_model="numpy")
def read_out(
    d: Detector, state: np.ndarray, calorimeters: Calorimeters, z_pv: float, out: np.ndarray
) -> int:
    """Fill in the candidates of all layers."""
    n = read_ecal(d, state, calorimeters, z_pv, out)
    n += read_hcal(d, calorimeters, z_pv, out[n:])
    n += read_hf(d, calorimeters, HF_HAD, z_pv, out[n:])
    n += read_hf(d, calorimeters, HF_EM, z_pv, out[n:])
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def read_ecal(
    d: Detector, state: np.ndarray, calorimeters: Calorimeters, z_pv: float, out: np.ndarray
) -> int:
    """Fill in photons: smeared energies above a threshold."""
    cells = touched_cells(calorimeters, ECAL)
    n = 0
    for k in range(len(cells)):
        cell = cells[k]
        energy = cell.energy
        eta = cell.eta / energy
        least = _of_region(d, eta, d.ecal_min_barrel, d.ecal_min_endcap, d.ecal_min_forward)
        width = math.sqrt(
            d.ecal_stochastic**2 * energy + d.ecal_noise**2 + (d.ecal_constant * energy) ** 2
        )
        seen = d.ecal_scale * (energy + width * normal(state))
        if seen < least:
            continue
        phi = middle(calorimeters, ECAL, cell.wedge) + cell.phi / energy
        n = _append(out, n, seen_from(d, eta, phi, z_pv), seen, PHOTON, cell.hard / energy)
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def read_hcal(d: Detector, calorimeters: Calorimeters, z_pv: float, out: np.ndarray) -> int:
    """Fill in neutral hadrons: energy in excess of the tracks that point to the tower."""
    cells = touched_cells(calorimeters, HCAL)
    n = 0
    for k in range(len(cells)):
        cell = cells[k]
        energy = d.hcal_scale * cell.energy
        if energy <= 0.0:
            continue
        excess = energy - cell.track
        eta = -d.endcap_eta + (cell.ring + 0.5) * d.hcal_cell
        least = _of_region(d, eta, d.hcal_min_barrel, d.hcal_min_endcap, d.hcal_min_forward)
        least = max(least, d.excess_sigma * math.sqrt(cell.variance))
        if excess < least:
            continue
        hard = max(d.hcal_scale * cell.hard - cell.track_hard, 0.0)
        soft = max(d.hcal_scale * (cell.energy - cell.hard) - (cell.track - cell.track_hard), 0.0)
        truth = hard / (hard + soft)  # their sum is at least the excess, which is positive
        view = seen_from(d, eta, middle(calorimeters, HCAL, cell.wedge), z_pv)
        n = _append(out, n, view, excess, NEUTRAL_HADRON, truth)
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def read_hf(
    d: Detector, calorimeters: Calorimeters, layer: int, z_pv: float, out: np.ndarray
) -> int:
    """Fill in forward candidates of one kind, `HF_HAD` or `HF_EM`."""
    least, pdg_id = d.hf_min_had, HF_HADRONIC
    if layer == HF_EM:
        least, pdg_id = d.hf_min_em, HF_ELECTROMAGNETIC
    response = np.empty(calorimeters.layers[layer].n_phi)
    for wedge in range(len(response)):
        phi = middle(calorimeters, layer, wedge)
        response[wedge] = d.hf_scale * (1.0 + d.hf_modulation * math.cos(phi - d.hf_modulation_phi))
    cells = touched_cells(calorimeters, layer)
    n = 0
    for k in range(len(cells)):
        cell = cells[k]
        seen = cell.energy * response[cell.wedge]
        if seen < least:
            continue
        eta = -d.forward_eta + (cell.ring + 0.5) * d.hf_cell
        if abs(eta) < d.endcap_eta:
            # a tower across the inner edge: its particles lie beyond it
            eta = math.copysign(d.endcap_eta + 1e-3, eta)
        view = seen_from(d, eta, middle(calorimeters, layer, cell.wedge), z_pv)
        n = _append(out, n, view, seen, pdg_id, cell.hard / cell.energy)
    return n


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _append(out: np.ndarray, n: int, view: View, energy: float, pdg_id: int, truth: float) -> int:
    """Fill in entry n, with what neutral candidates have by convention: no track, of the vertex."""
    if n >= len(out):
        return n
    candidate = out[n]
    candidate.pt = energy * view.sine
    candidate.eta = view.eta
    candidate.phi = view.phi
    candidate.mass = 0.0
    candidate.charge = 0
    candidate.pdg_id = pdg_id
    candidate.d0 = candidate.dz = candidate.d0_error = candidate.dz_error = -1.0
    candidate.from_pv = 3
    candidate.from_other_pv = 0
    candidate.quality = 7
    candidate.truth = truth
    return n + 1
