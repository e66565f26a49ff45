"""Anti-kT clustering of the candidates of a batch of events, by FastJet."""

from __future__ import annotations

from dataclasses import dataclass

import awkward as ak
import fastjet
import numpy as np

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
        return np.asarray(np.hypot(self.p_x, self.p_y))

    @property
    def eta(self) -> np.ndarray:
        """Pseudorapidity, float64, shape (n_jets,)."""
        return np.asarray(np.arcsinh(self.p_z / self.pt))

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
    p_x, p_y, p_z, energy = (ak.to_numpy(flat[name]) for name in ("px", "py", "pz", "E"))
    per_event = offsets_of(ak.to_numpy(ak.num(jets)).astype(np.int64))
    return AntiKt(per_event, p_x, p_y, p_z, energy, sequence, float(min_pt), usable, offsets[:-1])


def _records(offsets: np.ndarray, columns: dict[str, np.ndarray]) -> ak.Array:
    contents = [ak.contents.NumpyArray(np.ascontiguousarray(x)) for x in columns.values()]
    layout = ak.contents.ListOffsetArray(
        ak.index.Index64(offsets), ak.contents.RecordArray(contents, list(columns))
    )
    return ak.Array(layout, with_name="Momentum4D")
