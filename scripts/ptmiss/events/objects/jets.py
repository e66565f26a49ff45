"""Jets of a batch of events, and which of them are leptons."""

from __future__ import annotations

import math

import awkward as ak
import fastjet
import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.core.ragged import Ragged, event_index, offsets_of, segment_sum


def cluster(
    pt: np.ndarray,
    eta: np.ndarray,
    phi: np.ndarray,
    mass: np.ndarray,
    offsets: np.ndarray,
    radius: float = 0.4,
    min_pt: float = 10.0,
) -> Ragged:
    """Return the anti-kT jets of each event above `min_pt`, in order of falling pT.

    pt, eta, phi, mass: candidates in GeV and radians, shape (n_candidates,), event i at
    offsets[i] .. offsets[i + 1]. Candidates without transverse momentum or with a value that is
    not finite are ignored. The jets have the columns pt, eta, phi, mass, float32; phi lies within
    [-pi, pi] and a mass squared below 0 from rounding gives mass 0.

    Source: Cacciari, Salam, Soyez, arXiv:0802.1189 (anti-kT) and arXiv:1111.6097 (FastJet), four-
    momenta added.
    """
    offsets = np.asarray(offsets)
    momentum = np.stack([np.asarray(x, dtype=np.float64) for x in (pt, eta, phi, mass)])
    usable = np.isfinite(momentum).all(axis=0) & (momentum[0] > 0.0)
    counts = segment_sum(usable.astype(np.int64), offsets)
    pt, eta, phi, mass = momentum[:, usable]
    p_z = pt * np.sinh(eta)
    constituents = _records(
        offsets_of(counts),
        {
            "px": pt * np.cos(phi),
            "py": pt * np.sin(phi),
            "pz": p_z,
            "E": np.sqrt(pt * pt + p_z * p_z + mass * mass),
        },
    )
    # FastJet writes a banner to stdout the first time it clusters
    fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, float(radius))
    jets = fastjet.ClusterSequence(constituents, definition).inclusive_jets(min_pt=float(min_pt))

    offsets = offsets_of(ak.to_numpy(ak.num(jets)).astype(np.int64))
    flat = ak.flatten(jets)
    p_x, p_y, p_z, energy = (ak.to_numpy(flat[name]) for name in ("px", "py", "pz", "E"))
    pt = np.hypot(p_x, p_y)
    mass = np.sqrt(np.maximum(energy * energy - pt * pt - p_z * p_z, 0.0))
    columns = {"pt": pt, "eta": np.arcsinh(p_z / pt), "phi": np.arctan2(p_y, p_x), "mass": mass}
    order = np.lexsort((-pt, event_index(offsets)))
    return Ragged(
        offsets, {name: values[order].astype(np.float32) for name, values in columns.items()}
    )


def clean_of_leptons(jets: Ragged, leptons: Ragged, radius: float = 0.4) -> np.ndarray:
    """Return which jets have no lepton of their event within `radius`, bool, shape (n_jets,).

    Both need the columns eta and phi; the distance is taken in eta and azimuth.
    """
    if jets.n_events != leptons.n_events:
        raise ValueError(f"jets of {jets.n_events} events, leptons of {leptons.n_events}")
    eta, phi, lepton_eta, lepton_phi = (
        objects[name].astype(np.float64) for objects in (jets, leptons) for name in ("eta", "phi")
    )
    return _far_from_all(
        eta, phi, jets.offsets, lepton_eta, lepton_phi, leptons.offsets, float(radius)
    )


def count_jets(
    jets: Ragged,
    leptons: Ragged,
    min_pt: float = 20.0,
    max_abs_eta: float = 3.0,
    radius: float = 0.4,
) -> np.ndarray:
    """Return the jets above `min_pt` within |eta| < `max_abs_eta` and clean of leptons.

    The result has shape (n_events,) and type uint8; 255 stands for any larger number.
    """
    good = clean_of_leptons(jets, leptons, radius)
    good &= (jets["pt"] > min_pt) & (np.abs(jets["eta"]) < max_abs_eta)
    return np.minimum(segment_sum(good.astype(np.int64), jets.offsets), 255).astype(np.uint8)


def _records(offsets: np.ndarray, columns: dict[str, np.ndarray]) -> ak.Array:
    contents = [ak.contents.NumpyArray(np.ascontiguousarray(x)) for x in columns.values()]
    layout = ak.contents.ListOffsetArray(
        ak.index.Index64(offsets), ak.contents.RecordArray(contents, list(columns))
    )
    return ak.Array(layout, with_name="Momentum4D")


@njit(cache=True, nogil=True)
def _far_from_all(eta, phi, offsets, lepton_eta, lepton_phi, lepton_offsets, radius):
    far = np.ones(len(eta), dtype=np.bool_)
    for event in range(len(offsets) - 1):
        for i in range(offsets[event], offsets[event + 1]):
            for j in range(lepton_offsets[event], lepton_offsets[event + 1]):
                d_eta = eta[i] - lepton_eta[j]
                turn = (phi[i] - lepton_phi[j]) / (2.0 * math.pi)
                d_phi = (turn - math.floor(turn + 0.5)) * 2.0 * math.pi
                if d_eta * d_eta + d_phi * d_phi < radius * radius:
                    far[i] = False
                    break
    return far
