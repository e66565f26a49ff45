"""Toy events with the candidate kinds and multiplicities of pile-up, for PUPPI, jets and rho."""

from __future__ import annotations

import numpy as np

from ptmiss.core.ragged import Ragged, offsets_of

TYPES = {
    "pt": np.float32,
    "eta": np.float32,
    "phi": np.float32,
    "mass": np.float32,
    "pdg_id": np.int16,
    "charge": np.int8,
    "from_pv": np.uint8,
    "dz": np.float32,
}

# kind, candidates a pile-up collision, |eta| from, to, mean pT in GeV, mass in GeV, pdgId
SOFT = (
    ("track", 14.5, 0.0, 2.5, 0.6, 0.13957, 211),
    ("photon", 16.0, 0.0, 3.0, 0.5, 0.0, 22),
    ("hadron", 10.0, 0.0, 3.0, 1.4, 0.49761, 130),
    ("forward", 15.5, 3.0, 5.0, 1.0, 0.0, 1),
)


def _soft(rng: np.random.Generator, n_pileup: float) -> list[np.ndarray]:
    blocks = []
    for kind, rate, low, high, mean_pt, mass, pdg_id in SOFT:
        n = rng.poisson(rate * n_pileup)
        sign = rng.choice([-1, 1], n)
        block = np.zeros((8, n))
        block[0] = 0.3 + rng.exponential(mean_pt, n)
        block[1] = rng.choice([-1, 1], n) * rng.uniform(low, high, n)
        block[2] = rng.uniform(-np.pi, np.pi, n)
        block[3] = mass
        block[4] = pdg_id * sign if kind == "track" else pdg_id
        block[5] = sign if kind == "track" else 0
        block[6] = rng.choice([0, 1, 2], n, p=[0.93, 0.05, 0.02]) if kind == "track" else 3
        block[7] = rng.normal(0.0, 0.5, n) if kind == "track" else 0.0
        blocks.append(block)
    return blocks


def _hard(rng: np.random.Generator, n_tracks: float) -> np.ndarray:
    """Jets of the primary collision, tracks and neutrals, with a pair of muons."""
    blocks = []
    for _ in range(3):
        n = 2 + rng.poisson(n_tracks / 2)
        block = np.zeros((8, n))
        charged = rng.random(n) < 0.6
        block[0] = 0.4 + rng.exponential(4.0, n)
        block[1] = rng.uniform(-2.7, 2.7) + rng.normal(0.0, 0.15, n)
        block[2] = rng.uniform(-np.pi, np.pi) + rng.normal(0.0, 0.15, n)
        block[3] = np.where(charged, 0.13957, 0.0)
        block[4] = np.where(charged, 211, 22)
        block[5] = charged
        block[6] = np.where(charged & (rng.random(n) < 0.1), rng.choice([1, 2], n), 3)
        block[7] = np.where(charged, rng.normal(0.0, 0.01, n), 0.0)
        blocks.append(block)
    muons = np.zeros((8, 2))
    muons[0] = rng.uniform(20.0, 60.0, 2)
    muons[1] = rng.uniform(-2.4, 2.4, 2)
    muons[2] = rng.uniform(-np.pi, np.pi, 2)
    muons[3:7] = np.array([[0.10566] * 2, [13, -13], [-1, 1], [3, 3]])
    return np.concatenate([*blocks, muons], axis=1)


def toy_events(seed: int, n_pileup: list[float], n_tracks: float = 30.0) -> Ragged:
    """One event for each entry of `n_pileup`, the mean number of pile-up collisions."""
    rng = np.random.default_rng(seed)
    events = []
    for mean in n_pileup:
        blocks = _soft(rng, mean)
        if n_tracks > 0:
            blocks.append(_hard(rng, n_tracks))
        event = np.concatenate(blocks, axis=1)
        event[2] = np.remainder(event[2] + np.pi, 2 * np.pi) - np.pi
        events.append(event[:, rng.permutation(event.shape[1])])
    return from_rows(*events)


def from_rows(*events: np.ndarray) -> Ragged:
    """Make a batch of arrays (8, n) whose rows are in the order of TYPES."""
    flat = np.concatenate([np.reshape(event, (8, -1)) for event in events], axis=1)
    counts = np.array([np.reshape(event, (8, -1)).shape[1] for event in events])
    return Ragged(
        offsets_of(counts),
        {name: flat[row].astype(kind) for row, (name, kind) in enumerate(TYPES.items())},
    )
