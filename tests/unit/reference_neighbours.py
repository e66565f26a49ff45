"""Features of neighbours by their definition: all pairs of an event, in plain numpy."""

from __future__ import annotations

import numpy as np

from ptmiss.core.ragged import Ragged
from ptmiss.events.objects.neighbours import INPUTS


def reference(candidates: Ragged, pinned: np.ndarray) -> np.ndarray:
    """Return the 18 features of each candidate, float64, shape (n_candidates, 18)."""
    result = np.zeros((len(pinned), 18))
    for begin, end in zip(candidates.offsets[:-1], candidates.offsets[1:], strict=True):
        columns = {name: candidates[name][begin:end].astype(np.float64) for name in INPUTS}
        if end > begin:
            result[begin:end] = _of_event(columns, pinned[begin:end].astype(bool))
    return result


def _of_event(c: dict[str, np.ndarray], pinned: np.ndarray) -> np.ndarray:
    usable = np.isfinite(c["pt"]) & np.isfinite(c["eta"]) & np.isfinite(c["phi"]) & (c["pt"] > 0)
    pt, eta, phi = (np.where(usable, c[name], 0.0) for name in ("pt", "eta", "phi"))
    others = np.outer(usable, usable & ~pinned) & ~np.eye(len(pt), dtype=bool)
    d_phi = np.remainder(phi[None, :] - phi[:, None] + np.pi, 2 * np.pi) - np.pi
    d_r = np.hypot(eta[None, :] - eta[:, None], d_phi)
    charged, photon = c["charge"] != 0, c["pdg_id"] == 22
    from_pv = charged & (c["from_pv"] >= 2)
    kinds = (from_pv, charged & ~from_pv, ~charged & photon, ~charged & ~photon)
    columns = [
        np.log1p((others & (d_r < radius) & kind) @ pt / 0.5)
        for kind in kinds
        for radius in (0.1, 0.2, 0.4)
    ]
    near = np.where(others & (d_r < 0.4), (pt / np.maximum(d_r, 0.01)) ** 2, 0.0)
    columns += [np.log1p(near @ from_pv), np.log1p(near.sum(axis=1))]
    tracks = charged & np.isfinite(c["dz"])
    dz = np.where(tracks, c["dz"], 0.0)
    same = others & np.outer(tracks, tracks) & (np.abs(dz[None, :] - dz[:, None]) < 0.05)
    p_x, p_y = same @ (pt * np.cos(phi)), same @ (pt * np.sin(phi))
    along = p_x * np.cos(phi) + p_y * np.sin(phi)
    across = np.abs(p_y * np.cos(phi) - p_x * np.sin(phi))
    columns += [np.log1p(same @ pt / 0.5), np.log1p(same @ pt**2 / 0.25)]
    columns += [np.sign(along) * np.log1p(np.abs(along) / 0.5), np.log1p(across / 0.5)]
    return 0.4 * np.stack(columns, axis=1)
