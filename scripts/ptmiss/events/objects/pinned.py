"""Prompt leptons, which every estimator keeps at weight 1.

The rule uses nothing but what a network has among its inputs, so that training, export and any
server come to the same answer. Without it a network trained on Z -> mu mu finds that shrinking
everything, the muons included, is a good estimate of no pTmiss.
"""

from __future__ import annotations

import numpy as np


def pinned(pt: np.ndarray, pdg_id: np.ndarray, from_pv: np.ndarray, pinned_pt: float) -> np.ndarray:
    """Return which candidates are prompt leptons, bool, shape (n_candidates,).

    pt in GeV; from_pv: 0..3. A prompt lepton is an electron or muon candidate with pt above
    `pinned_pt` (GeV) that fits the primary vertex (from_pv 2 or 3).
    """
    kind = np.abs(pdg_id)
    prompt: np.ndarray = ((kind == 11) | (kind == 13)) & (from_pv >= 2)
    return prompt & (pt > np.float32(pinned_pt))
