"""The types of candidates that particle flow knows."""

from __future__ import annotations

import numpy as np

PDG_IDS = (-211, -13, -11, 0, 1, 2, 11, 13, 22, 130, 211)
"""Particle-flow types, those of DeepMET's table; 0 is an undefined one, 1 and 2 are hadronic and
electromagnetic energy of the forward calorimeter."""


def known_pdg_id(pdg_id: np.ndarray) -> np.ndarray:
    """Return which codes are particle-flow types, bool, same shape."""
    table = np.zeros(512, dtype=np.bool_)
    table[np.array(PDG_IDS) + 256] = True
    inside = np.clip(pdg_id, -256, 255)
    known: np.ndarray = table[inside + 256] & (inside == pdg_id)
    return known
