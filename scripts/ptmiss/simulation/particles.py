"""Which particles are which, by their PDG code."""

from __future__ import annotations

import numpy as np

INVISIBLE = (12, 14, 16, 1000012, 1000014, 1000016, 1000022, 1000039)
"""Absolute PDG ids that no detector sees: neutrinos, sneutrinos, lightest neutralino, gravitino."""


def is_invisible(pdg_id: np.ndarray) -> np.ndarray:
    """Return whether particles escape the detector, bool, the shape of `pdg_id`."""
    return np.isin(np.abs(pdg_id), INVISIBLE)


def is_hadron(kind: np.ndarray) -> np.ndarray:
    """Return whether PDG codes (absolute values) are hadrons, diffractive systems included.

    Codes between one and nine million are supersymmetric particles (PDG numbering scheme).
    """
    return ((kind > 100) & (kind < 1_000_000)) | (kind >= 9_000_000)
