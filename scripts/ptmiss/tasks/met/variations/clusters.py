"""Which candidates belong to jets, whose energy has an uncertainty as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import awkward as ak
import fastjet
import numpy as np

from ptmiss.core.ragged import Ragged, event_index, offsets_of, segment_sum


@dataclass(frozen=True)
class Clusters:
    """Jets of a batch of events.

    pt, eta: of each jet, float64 (n_jets,), GeV; event: which event it is of; rank: 0 for the
    hardest jet of its event; member: index of each candidate's jet, -1 for none, (n_candidates,).
    """

    pt: np.ndarray
    eta: np.ndarray
    event: np.ndarray
    rank: np.ndarray
    member: np.ndarray


def cluster(candidates: Ragged, radius: float, min_pt: float) -> Clusters:
    """Return the anti-kT jets above `min_pt` (GeV) and their candidates.

    Jets are made of candidates weighted by PUPPI, without prompt leptons: pile-up alone would
    make a jet above 15 GeV everywhere. A candidate with weight 0 is in no jet. Needs the columns
    cand_pt, cand_eta, cand_phi, cand_mass, cand_puppi, cand_pinned; candidates that are not finite
    are in no jet.

    Source: Cacciari, Salam, Soyez, arXiv:0802.1189 (anti-kT) and arXiv:1111.6097 (FastJet);
    PUPPI jets: Bertolini et al., arXiv:1407.6013.
    """
    offsets = candidates.offsets
    pt, eta, phi, mass, puppi = (
        candidates[f"cand_{name}"].astype(np.float64)
        for name in ("pt", "eta", "phi", "mass", "puppi")
    )
    usable = np.isfinite(np.stack([pt, eta, phi, mass, puppi])).all(axis=0)
    usable &= (pt > 0.0) & (puppi > 0.0) & ~candidates["cand_pinned"]
    used = np.flatnonzero(usable)
    pt, eta, phi, mass = (pt * puppi)[used], eta[used], phi[used], (mass * puppi)[used]
    p_z = pt * np.sinh(eta)
    counts = segment_sum(usable.astype(np.int64), offsets)
    momenta = {
        "px": pt * np.cos(phi),
        "py": pt * np.sin(phi),
        "pz": p_z,
        "E": np.sqrt(pt * pt + p_z * p_z + mass * mass),
    }
    records = ak.unflatten(ak.zip(momenta, with_name="Momentum4D"), counts)
    # FastJet writes a banner to stdout the first time it clusters
    fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, float(radius))
    sequence = fastjet.ClusterSequence(records, definition)
    jets = sequence.inclusive_jets(min_pt=float(min_pt))
    inside = sequence.constituent_index(min_pt=float(min_pt))

    per_event = ak.to_numpy(ak.num(jets)).astype(np.int64)
    flat = ak.flatten(jets)
    p_x, p_y, p_z = (ak.to_numpy(flat[name]).astype(np.float64) for name in ("px", "py", "pz"))
    event = event_index(offsets_of(per_event))
    per_jet = ak.to_numpy(ak.flatten(ak.num(inside, axis=2))).astype(np.int64)
    within = ak.to_numpy(ak.flatten(inside, axis=None)).astype(np.int64)
    member = np.full(len(usable), -1, dtype=np.int64)
    member[used[within + np.repeat(offsets_of(counts)[event], per_jet)]] = np.repeat(
        np.arange(len(event)), per_jet
    )
    jet_pt = np.hypot(p_x, p_y)
    order = np.lexsort((-jet_pt, event))
    rank = np.empty(len(event), dtype=np.int64)
    rank[order] = np.arange(len(event)) - np.repeat(offsets_of(per_event)[:-1], per_event)
    return Clusters(jet_pt, np.arcsinh(p_z / jet_pt), event, rank, member)
