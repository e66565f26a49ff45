"""Jets of a batch of events, and which of them are leptons."""

from __future__ import annotations

import math
from dataclasses import dataclass

import awkward as ak
import fastjet
import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.core.ragged import Ragged, event_index, offsets_of, segment_sum


@dataclass(frozen=True)
class AntiKt:
    """The anti-kT jets of some events above a threshold, in FastJet's order.

    offsets: int64, shape (n_events + 1,); p_x, p_y, p_z, energy: in GeV, float64, shape (n_jets,).
    """

    offsets: np.ndarray
    p_x: np.ndarray
    p_y: np.ndarray
    p_z: np.ndarray
    energy: np.ndarray
    _sequence: fastjet.ClusterSequence
    _min_pt: float
    _usable: np.ndarray
    _first: np.ndarray

    @property
    def pt(self) -> np.ndarray:
        """Transverse momentum in GeV, float64, shape (n_jets,)."""
        return np.hypot(self.p_x, self.p_y)

    @property
    def eta(self) -> np.ndarray:
        """Pseudorapidity, float64, shape (n_jets,)."""
        return np.arcsinh(self.p_z / self.pt)

    def members(self) -> np.ndarray:
        """Return the index of each candidate's jet, -1 for none, int64, shape (n_candidates,)."""
        inside = self._sequence.constituent_index(min_pt=self._min_pt)
        per_jet = ak.to_numpy(ak.flatten(ak.num(inside, axis=2))).astype(np.int64)
        within = ak.to_numpy(ak.flatten(inside, axis=None)).astype(np.int64)
        first = np.repeat(self._first[event_index(self.offsets)], per_jet)
        jet = np.full(len(self._usable), -1, dtype=np.int64)
        jet[np.flatnonzero(self._usable)[within + first]] = np.repeat(
            np.arange(len(per_jet)), per_jet
        )
        return jet


def anti_kt(candidates: Ragged, radius: float, min_pt: float) -> AntiKt:
    """Cluster the candidates of each event with anti-kT, four-momenta added.

    candidates: columns pt, mass in GeV, eta, phi. Those without transverse momentum or with a value
    that is not finite are ignored; jets are those of at least `min_pt` GeV.

    Source: Cacciari, Salam, Soyez, arXiv:0802.1189 (anti-kT) and arXiv:1111.6097 (FastJet).
    """
    momentum = np.stack([candidates[x].astype(np.float64) for x in ("pt", "eta", "phi", "mass")])
    usable = np.isfinite(momentum).all(axis=0) & (momentum[0] > 0.0)
    offsets = offsets_of(segment_sum(usable.astype(np.int64), candidates.offsets))
    pt, eta, phi, mass = momentum[:, usable]
    p_z = pt * np.sinh(eta)
    energy = np.sqrt(pt * pt + p_z * p_z + mass * mass)
    columns = {"px": pt * np.cos(phi), "py": pt * np.sin(phi), "pz": p_z, "E": energy}
    # FastJet writes a banner to stdout the first time it clusters
    fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, float(radius))
    sequence = fastjet.ClusterSequence(_records(offsets, columns), definition)
    jets = sequence.inclusive_jets(min_pt=float(min_pt))
    flat = ak.flatten(jets)
    return AntiKt(
        offsets_of(ak.to_numpy(ak.num(jets)).astype(np.int64)),
        *(ak.to_numpy(flat[name]) for name in ("px", "py", "pz", "E")),
        sequence,
        float(min_pt),
        usable,
        offsets[:-1],
    )


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
