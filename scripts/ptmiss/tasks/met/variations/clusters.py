"""Which candidates belong to jets, whose energy has an uncertainty as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ptmiss.core.ragged import Ragged, event_index
from ptmiss.events.columns import without_prefix
from ptmiss.events.objects.clustering import anti_kt


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
    """Return the anti-kT jets above `min_pt` (GeV) and their candidates; see `anti_kt`.

    Jets are made of candidates weighted by PUPPI, without prompt leptons: pile-up alone would
    make a jet above 15 GeV everywhere. A candidate with weight 0 is in no jet. Needs the columns
    cand_pt, cand_eta, cand_phi, cand_mass, cand_puppi, cand_pinned; candidates that are not finite
    are in no jet.

    Source: PUPPI jets, Bertolini et al., arXiv:1407.6013.
    """
    own = without_prefix(candidates)
    puppi = own["puppi"].astype(np.float64)
    inside = (puppi > 0.0) & ~own["pinned"]
    weighted = {
        "pt": np.where(inside, own["pt"].astype(np.float64) * puppi, 0.0),
        "eta": own["eta"],
        "phi": own["phi"],
        "mass": own["mass"].astype(np.float64) * puppi,
    }
    jets = anti_kt(Ragged(own.offsets, weighted), radius, min_pt)
    event = event_index(jets.offsets)
    order = np.lexsort((-jets.pt, event))
    rank = np.empty(len(event), dtype=np.int64)
    rank[order] = np.arange(len(event)) - jets.offsets[event]
    return Clusters(jets.pt, jets.eta, event, rank, jets.members())
