"""Jets of a batch of events, and which of them are leptons."""

from __future__ import annotations

import math

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.core.ragged import Ragged, event_index, segment_sum
from ptmiss.events.objects.clustering import anti_kt


def cluster(candidates: Ragged, radius: float = 0.4, min_pt: float = 10.0) -> Ragged:
    """Return the jets of `anti_kt` in order of falling pT.

    They have the columns pt, eta, phi, mass, float32; phi lies within [-pi, pi] and a mass squared
    below 0 from rounding gives mass 0.
    """
    jets = anti_kt(candidates, radius, min_pt)
    pt, p_z, energy = jets.pt, jets.p_z, jets.energy
    mass = np.sqrt(np.maximum(energy * energy - pt * pt - p_z * p_z, 0.0))
    columns = {"pt": pt, "eta": jets.eta, "phi": np.arctan2(jets.p_y, jets.p_x), "mass": mass}
    order = np.lexsort((-pt, event_index(jets.offsets)))
    return Ragged(
        jets.offsets, {name: values[order].astype(np.float32) for name, values in columns.items()}
    )


def clean_of_leptons(jets: Ragged, leptons: Ragged, radius: float = 0.4) -> np.ndarray:
    """Return which jets have no lepton of their event within `radius`, bool, shape (n_jets,).

    Both need the columns eta and phi; the distance is taken in eta and azimuth.
    """
    if jets.n_events != leptons.n_events:
        raise ValueError(f"jets of {jets.n_events} events, leptons of {leptons.n_events}")
    places = [
        np.stack([objects[name].astype(np.float64) for name in ("eta", "phi")])
        for objects in (jets, leptons)
    ]
    return _far_from_all(places[0], jets.offsets, places[1], leptons.offsets, float(radius))


def count_jets(
    jets: Ragged,
    leptons: Ragged,
    min_pt: float = 20.0,
    max_abs_eta: float = 3.0,
    radius: float = 0.4,
) -> np.ndarray:
    """Return how many jets of each event are hard, central and clean of leptons.

    Parameters
    ----------
    jets, leptons
        Columns eta, phi, and pt (GeV) of jets.
    min_pt, max_abs_eta
        Jets are above the first, in GeV, and within the second.
    radius
        Least distance of a lepton in eta and azimuth.

    Returns
    -------
    np.ndarray
        uint8, shape (n_events,); 255 stands for any larger number.
    """
    good = clean_of_leptons(jets, leptons, radius)
    good &= (jets["pt"] > min_pt) & (np.abs(jets["eta"]) < max_abs_eta)
    counts = segment_sum(good.astype(np.int64), jets.offsets)
    return np.asarray(np.minimum(counts, 255).astype(np.uint8))


@njit(cache=True, nogil=True)
def _far_from_all(
    jets: np.ndarray,
    offsets: np.ndarray,
    leptons: np.ndarray,
    lepton_offsets: np.ndarray,
    radius: float,
) -> np.ndarray:
    # jets, leptons: eta and phi, shape (2, n)
    far = np.ones(jets.shape[1], dtype=np.bool_)
    for event in range(len(offsets) - 1):
        for i in range(offsets[event], offsets[event + 1]):
            for j in range(lepton_offsets[event], lepton_offsets[event + 1]):
                d_eta = jets[0, i] - leptons[0, j]
                turn = (jets[1, i] - leptons[1, j]) / (2.0 * math.pi)
                d_phi = (turn - math.floor(turn + 0.5)) * 2.0 * math.pi
                if d_eta * d_eta + d_phi * d_phi < radius * radius:
                    far[i] = False
                    break
    return far
