"""Calorimeters in compiled form: where particles arrive, what cells see, what is read out.

Kernels that create no array are compiled with `_nrt=False`: counting references to the arrays they
are handed, atomically at each call, took half of an event's time.
"""

from __future__ import annotations

import math
from collections import namedtuple

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.simulation.rng import exponential, gamma_unit_mean, normal, poisson, uniform

CELL = np.dtype(
    [
        *(
            (name, np.float32)
            for name in ("energy", "hard", "eta", "phi", "track", "track_hard", "variance")
        ),
        ("ring", np.int32),
        ("wedge", np.int32),
    ]
)
"""One cell: energy, the hard collision's part of it, energy-weighted position, momentum of the
tracks that point to it (all, hard) and their expected variance; its place in eta and phi."""

Cells = namedtuple("Cells", "grid slot count n_eta n_phi")
"""One calorimeter layer: the first count[0] entries of `grid` (of `CELL`) are the cells that were
touched, in that order; `slot` holds for each cell its entry + 1, or 0. Two bytes for each of many
cells and a short list of full ones stay in the processor's cache; a full grid would not."""

TWO_PI = 2.0 * math.pi


def empty_cells(eta_end: float, size: float) -> Cells:
    """Return an empty layer over |eta| < eta_end with square cells of about `size`."""
    n_eta = math.ceil(2.0 * eta_end / size - 1e-9)
    n_phi = math.ceil(TWO_PI / size - 1e-9)
    n = n_eta * n_phi
    if n >= 2**16:
        raise ValueError(f"a calorimeter of {n} cells, fewer than {2**16} can be counted")
    slot, count = np.zeros(n, dtype=np.uint16), np.zeros(1, dtype=np.int64)
    return Cells(np.zeros(n, dtype=CELL), slot, count, n_eta, n_phi)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def wrapped(phi: float) -> float:
    """Return an angle within three turns of zero in [-pi, pi), without a slow division."""
    while phi >= math.pi:
        phi -= TWO_PI
    while phi < -math.pi:
        phi += TWO_PI
    return phi


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def positive(phi: float) -> float:
    """Return an angle of [-2 pi, 2 pi) in [0, 2 pi]."""
    return phi + TWO_PI if phi < 0.0 else phi


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def asinh(x: float) -> float:
    """Return the inverse hyperbolic sine by one logarithm, to 1e-15 absolute."""
    return math.copysign(math.log(abs(x) + math.sqrt(x * x + 1.0)), x)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def sinh(x: float) -> float:
    """Return the hyperbolic sine by one exponential, to 1e-16 absolute near zero."""
    grown = math.exp(x)
    return 0.5 * (grown - 1.0 / grown)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def deposit(
    cells: Cells, eta_end: float, size: float, eta: float, phi: float, energy: float, hard: bool
) -> int:
    """Add energy to the cell at (eta, phi); returns its entry in the grid, -1 without energy.

    eta outside is put into the outermost cell.
    """
    if energy <= 0.0:
        return -1
    ring = min(max(int((eta + eta_end) / size), 0), cells.n_eta - 1)
    turned = positive(phi)
    wedge = min(int(turned * (cells.n_phi / TWO_PI)), cells.n_phi - 1)
    place = ring * cells.n_phi + wedge
    k = np.int64(cells.slot[place]) - 1
    if k < 0:
        k = cells.count[0]
        cells.count[0] = k + 1
        cells.slot[place] = k + 1
        cells.grid[k].energy = cells.grid[k].hard = cells.grid[k].eta = cells.grid[k].phi = 0.0
        cells.grid[k].track = cells.grid[k].track_hard = cells.grid[k].variance = 0.0
        cells.grid[k].ring = ring
        cells.grid[k].wedge = wedge
    cells.grid[k].energy += energy
    if hard:
        cells.grid[k].hard += energy
    cells.grid[k].eta += energy * eta
    # positions inside a cell relative to its middle: the seam at pi needs no care
    cells.grid[k].phi += energy * (turned - (wedge + 0.5) * (TWO_PI / cells.n_phi))
    return k


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def clear(cells: Cells) -> None:
    """Empty the touched cells."""
    for k in range(cells.count[0]):
        cells.slot[cells.grid[k].ring * cells.n_phi + cells.grid[k].wedge] = 0
    cells.count[0] = 0


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def arrival(
    d, x: float, y: float, z: float, pt: float, phi: float, sinh_eta: float,
    cos_phi: float, sin_phi: float, charge: int,
) -> tuple[bool, float, float]:  # fmt: skip
    """Return (reached, eta, phi) of a particle at the calorimeter surface.

    x, y, z: production point in cm; pt in GeV; charge in e (0: a straight line). A charged particle
    follows a helix; below about 0.75 GeV it curls and misses the barrel, and it reaches an endcap
    only within its first half turn. Positions are seen from the origin. For a charged particle
    produced away from the beam line the chord is that of its tangent (an approximation).
    """
    radius = pt / (0.003 * d.field)  # of the helix, cm
    along = x * cos_phi + y * sin_phi
    across = x * sin_phi - y * cos_phi
    inside = d.barrel_radius * d.barrel_radius - across * across
    if inside <= 0.0:
        return False, 0.0, 0.0
    chord = math.sqrt(inside) - along
    if chord <= 0.0:
        return False, 0.0, 0.0
    turn = 0.0
    hits_barrel = True
    if charge != 0:
        s = chord / (2.0 * radius)
        if s < 1.0:
            turn = math.asin(s)
            z_barrel = z + 2.0 * radius * turn * sinh_eta
        else:
            hits_barrel = False
            z_barrel = 0.0
    else:
        z_barrel = z + chord * sinh_eta
    if hits_barrel and abs(z_barrel) <= d.endcap_z:
        z_end = z_barrel
    else:
        hits_barrel = False
        if sinh_eta == 0.0:
            return False, 0.0, 0.0
        sign = 1.0 if sinh_eta > 0.0 else -1.0
        z_end = sign * d.endcap_z
        path = (z_end - z) / sinh_eta
        if path <= 0.0:
            return False, 0.0, 0.0
        if path * 9.5 < d.endcap_z:
            # seen from the origin this lies beyond |eta| = 2.95: the forward calorimeter's plane
            z_end = sign * d.hf_z
            path = (z_end - z) / sinh_eta
        chord = path
        if charge != 0:
            turn = path / (2.0 * radius)
            if turn > 0.5 * math.pi:
                return False, 0.0, 0.0
            chord = 2.0 * radius * math.sin(turn)
    if x * x + y * y < 0.04:
        return True, asinh(z_end / chord), wrapped(phi - charge * turn)
    # the direction of the chord: that of the tangent turned by half of the arc
    c, q = math.cos(turn), charge * math.sin(turn)
    px = x + chord * (cos_phi * c + sin_phi * q)
    py = y + chord * (sin_phi * c - cos_phi * q)
    rho = math.sqrt(px * px + py * py)
    if rho < 1e-6:
        return False, 0.0, 0.0
    return True, asinh(z_end / rho), math.atan2(py, px)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def hadron_variance(d, momentum: float) -> float:
    """Return the squared relative resolution of the barrel and endcap calorimeters for a hadron."""
    return d.hcal_stochastic * d.hcal_stochastic / momentum + d.hcal_constant * d.hcal_constant


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def absorb_photon(d, ecal, hcal, hf_had, hf_em, state, eta, phi, energy, hard) -> None:
    """Put a photon or electron into the calorimeter it arrives at.

    In the crowded endcaps some soft photons are taken for part of a hadron's shower: their energy
    counts in the tower.
    """
    a = abs(eta)
    if a < d.endcap_eta:
        if a > d.barrel_eta and energy < d.linked_max and uniform(state) < d.linked_share:
            deposit(hcal, d.endcap_eta, d.hcal_cell, eta, phi, energy, hard)
        else:
            deposit(ecal, d.endcap_eta, d.ecal_cell, eta, phi, energy, hard)
    elif a < d.forward_eta:
        variance = d.hf_em_stochastic**2 / energy + d.hf_em_constant**2
        seen = energy * gamma_unit_mean(state, variance)
        share = d.hf_photon_share
        deposit(hf_had, d.forward_eta, d.hf_cell, eta, phi, seen * share, hard)
        deposit(hf_em, d.forward_eta, d.hf_cell, eta, phi, seen * (1.0 - share), hard)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def absorb_hadron(d, hcal, hf_had, hf_em, state, eta, phi, momentum, hard, track_momentum) -> None:
    """Put a hadron into the calorimeter it arrives at.

    track_momentum: of the track that was found for it, 0 for none; the tower remembers it.
    """
    a = abs(eta)
    if a < d.endcap_eta:
        seen = momentum * gamma_unit_mean(state, hadron_variance(d, momentum))
        k = deposit(hcal, d.endcap_eta, d.hcal_cell, eta, phi, seen, hard)
        if track_momentum > 0.0 and k >= 0:
            hcal.grid[k].track += track_momentum
            if hard:
                hcal.grid[k].track_hard += track_momentum
            variance = hadron_variance(d, track_momentum) * track_momentum * track_momentum
            hcal.grid[k].variance += variance
    elif a < d.forward_eta:
        variance = d.hf_had_stochastic**2 / momentum + d.hf_had_constant**2
        seen = momentum * gamma_unit_mean(state, variance)
        share = -math.log(1.0 - uniform(state)) * d.hf_em_share
        share = min(share, 1.0)
        deposit(hf_had, d.forward_eta, d.hf_cell, eta, phi, seen * (1.0 - share), hard)
        deposit(hf_em, d.forward_eta, d.hf_cell, eta, phi, seen * share, hard)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def add_noise(d, cells, eta_end, eta_from, size, cells_per_event, threshold, state) -> None:
    """Add noise to empty places: energies fall exponentially from just below the threshold."""
    for _ in range(poisson(state, cells_per_event)):
        eta = eta_from + (eta_end - eta_from) * uniform(state)
        if uniform(state) < 0.5:
            eta = -eta
        phi = TWO_PI * uniform(state) - math.pi
        energy = threshold * (0.9 + 0.3 * exponential(state))
        deposit(cells, eta_end, size, eta, phi, energy, False)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def place(d, eta: float, z_pv: float) -> tuple[float, float]:
    """Return (eta, pT per energy) seen from the primary vertex of a calorimeter position.

    eta: seen from the origin, z_pv: of the primary vertex in cm.
    """
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
    return asinh(dz / r), r / math.sqrt(r * r + dz * dz)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def read_ecal(d, cells, state, z_pv, out, n: int) -> int:
    """Append photon candidates (pt, eta, phi, pdg_id, truth) from the cells to `out`."""
    for k in range(cells.count[0]):
        energy = cells.grid[k].energy
        eta = cells.grid[k].eta / energy
        a = abs(eta)
        least = d.ecal_min_barrel
        if a > 2.5:
            least = d.ecal_min_forward
        elif a > d.barrel_eta:
            least = d.ecal_min_endcap
        width = math.sqrt(
            d.ecal_stochastic**2 * energy + d.ecal_noise**2 + (d.ecal_constant * energy) ** 2
        )
        seen = d.ecal_scale * (energy + width * normal(state))
        if seen < least:
            continue
        middle = (cells.grid[k].wedge + 0.5) * (TWO_PI / cells.n_phi)
        eta_pv, sine = place(d, eta, z_pv)
        n = _append(
            out, n, seen * sine, eta_pv, wrapped(middle + cells.grid[k].phi / energy), 22,
            cells.grid[k].hard / energy,
        )  # fmt: skip
    return n


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def read_hcal(d, cells, z_pv, out, n: int) -> int:
    """Append neutral hadron candidates: energy in excess of the tracks that point to the tower."""
    for k in range(cells.count[0]):
        energy = d.hcal_scale * cells.grid[k].energy
        if energy <= 0.0:
            continue
        excess = energy - cells.grid[k].track
        eta = -d.endcap_eta + (cells.grid[k].ring + 0.5) * d.hcal_cell
        a = abs(eta)
        least = d.hcal_min_barrel
        if a > 2.5:
            least = d.hcal_min_forward
        elif a > d.barrel_eta:
            least = d.hcal_min_endcap
        least = max(least, d.excess_sigma * math.sqrt(cells.grid[k].variance))
        if excess < least:
            continue
        hard = max(d.hcal_scale * cells.grid[k].hard - cells.grid[k].track_hard, 0.0)
        soft_energy = d.hcal_scale * (cells.grid[k].energy - cells.grid[k].hard)
        soft = max(soft_energy - (cells.grid[k].track - cells.grid[k].track_hard), 0.0)
        truth = hard / (hard + soft)  # their sum is at least the excess, which is positive
        phi = (cells.grid[k].wedge + 0.5) * (TWO_PI / cells.n_phi)
        eta_pv, sine = place(d, eta, z_pv)
        n = _append(out, n, excess * sine, eta_pv, wrapped(phi), 130, truth)
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def read_hf(d, cells, least, pdg_id, z_pv, out, n: int) -> int:
    """Append forward candidates of one kind (1 hadronic, 2 electromagnetic)."""
    response = np.empty(cells.n_phi)
    for j in range(cells.n_phi):
        phi = (j + 0.5) * (TWO_PI / cells.n_phi)
        response[j] = d.hf_scale * (1.0 + d.hf_modulation * math.cos(phi - d.hf_modulation_phi))
    for k in range(cells.count[0]):
        energy = cells.grid[k].energy
        seen = energy * response[cells.grid[k].wedge]
        if seen < least:
            continue
        phi = (cells.grid[k].wedge + 0.5) * (TWO_PI / cells.n_phi)
        eta = -d.forward_eta + (cells.grid[k].ring + 0.5) * d.hf_cell
        if abs(eta) < d.endcap_eta:
            # a tower across the inner edge: its particles lie beyond it
            eta = math.copysign(d.endcap_eta + 1e-3, eta)
        eta_pv, sine = place(d, eta, z_pv)
        n = _append(out, n, seen * sine, eta_pv, wrapped(phi), pdg_id, cells.grid[k].hard / energy)
    return n


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _append(out, n: int, pt, eta, phi, pdg_id, truth) -> int:
    if n < len(out):
        out[n].pt = pt
        out[n].eta = eta
        out[n].phi = phi
        out[n].pdg_id = pdg_id
        out[n].truth = truth
        n += 1
    return n
