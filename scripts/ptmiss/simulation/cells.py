"""Cells of the calorimeters in compiled form: which were touched, and by how much energy."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.simulation.angles import TWO_PI, positive
from ptmiss.simulation.constants import Detector
from ptmiss.simulation.rng import exponential, poisson, uniform

ECAL, HCAL, HF_HAD, HF_EM = range(4)
"""The layers: electromagnetic and hadronic, and both kinds of energy in the forward calorimeter."""

LAYER = np.dtype(
    [
        *((name, np.int64) for name in ("first", "touched", "n_eta", "n_phi")),
        *((name, np.float64) for name in ("eta_end", "size")),
    ]
)
"""One layer over |eta| < eta_end with cells of `size` in eta: where its cells begin, how many of
them were touched, how many there are in eta and phi."""

_FLOATS = ("energy", "hard", "eta", "phi", "track", "track_hard", "variance")

CELL = np.dtype(
    [*((name, np.float32) for name in _FLOATS), ("ring", np.int32), ("wedge", np.int32)]
)
"""One cell: energy, the hard collision's part of it, energy-weighted position, momentum of the
tracks that point to it (all, hard) and their expected variance; its place in eta and phi."""


class Calorimeters(NamedTuple):
    """All layers (of `LAYER`) and the cells of all of them.

    The first `touched` entries of a layer's `cells` (of `CELL`) are those that were touched, in
    that order; `slot` holds for each place its entry + 1, or 0. Two bytes for each of many places
    and a short list of full cells stay in the processor's cache; a full grid would not. Three
    arrays for all layers, because every call hands on all words that describe them.
    """

    layers: np.ndarray
    cells: np.ndarray
    slot: np.ndarray


def empty_calorimeters(d: Detector) -> Calorimeters:
    """Return the layers of a detector, empty, with square cells of about the size it asks for."""
    inner, outer = d.endcap_eta, d.forward_eta
    ends_and_sizes = (
        (inner, d.ecal_cell),
        (inner, d.hcal_cell),
        (outer, d.hf_cell),
        (outer, d.hf_cell),
    )
    layers = np.zeros(len(ends_and_sizes), dtype=LAYER)
    first = 0
    for i, (eta_end, size) in enumerate(ends_and_sizes):
        n_eta = math.ceil(2.0 * eta_end / size - 1e-9)
        n_phi = math.ceil(TWO_PI / size - 1e-9)
        layers[i] = (first, 0, n_eta, n_phi, eta_end, size)
        n = n_eta * n_phi
        if n >= 2**16:
            raise ValueError(f"a calorimeter of {n} cells, fewer than {2**16} can be counted")
        first += n
    return Calorimeters(layers, np.zeros(first, dtype=CELL), np.zeros(first, dtype=np.uint16))


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def deposit(
    calorimeters: Calorimeters, layer: int, eta: float, phi: float, energy: float, hard: bool
) -> int:
    """Add energy to the cell at (eta, phi); returns its index in `cells`, -1 without energy.

    eta outside is put into the outermost cell.
    """
    if energy <= 0.0:
        return -1
    grid = calorimeters.layers[layer]
    ring = min(max(int((eta + grid.eta_end) / grid.size), 0), grid.n_eta - 1)
    azimuth = positive(phi)
    wedge = min(int(azimuth * (grid.n_phi / TWO_PI)), grid.n_phi - 1)
    place = grid.first + ring * grid.n_phi + wedge
    k = grid.first + np.int64(calorimeters.slot[place]) - 1
    cell = calorimeters.cells[k]
    if k < grid.first:
        k = grid.first + grid.touched
        grid.touched += 1
        calorimeters.slot[place] = grid.touched
        cell = calorimeters.cells[k]
        cell.energy = cell.hard = cell.eta = cell.phi = 0.0
        cell.track = cell.track_hard = cell.variance = 0.0
        cell.ring = ring
        cell.wedge = wedge
    cell.energy += energy
    if hard:
        cell.hard += energy
    cell.eta += energy * eta
    # positions inside a cell relative to its middle: the seam at pi needs no care
    cell.phi += energy * (azimuth - (wedge + 0.5) * (TWO_PI / grid.n_phi))
    return int(k)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def clear(calorimeters: Calorimeters) -> None:
    """Empty the touched cells of all layers."""
    for layer in range(len(calorimeters.layers)):
        grid = calorimeters.layers[layer]
        for k in range(grid.first, grid.first + grid.touched):
            cell = calorimeters.cells[k]
            calorimeters.slot[grid.first + cell.ring * grid.n_phi + cell.wedge] = 0
        grid.touched = 0


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def add_noise(
    state: np.ndarray,
    calorimeters: Calorimeters,
    layer: int,
    eta_from: float,
    expected: float,
    threshold: float,
) -> None:
    """Add noise to empty places: energies fall exponentially from just below the threshold.

    expected: noisy cells an event on average, anywhere between `eta_from` and the layer's end.
    """
    eta_end = calorimeters.layers[layer].eta_end
    for _ in range(poisson(state, expected)):
        eta = eta_from + (eta_end - eta_from) * uniform(state)
        if uniform(state) < 0.5:
            eta = -eta
        phi = TWO_PI * uniform(state) - math.pi
        energy = threshold * (0.9 + 0.3 * exponential(state))
        deposit(calorimeters, layer, eta, phi, energy, False)


@njit(cache=True, nogil=True, error_model="numpy")
def touched_cells(calorimeters: Calorimeters, layer: int) -> np.ndarray:
    """Return the cells of a layer that hold energy, in the order in which they were touched."""
    grid = calorimeters.layers[layer]
    return calorimeters.cells[grid.first : grid.first + grid.touched]


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def middle(calorimeters: Calorimeters, layer: int, wedge: int) -> float:
    """Return the azimuth of the middle of a wedge of cells, in [0, 2 pi)."""
    n_phi: int = calorimeters.layers[layer].n_phi
    return (wedge + 0.5) * (TWO_PI / n_phi)
