"""Apply the corrections of an estimator with nothing but correctionlib and numpy.

    python docs/apply_corrections.py results/calibration/TRAINING/corrections.json.gz puppi

prints what becomes of a few simulated W -> mu nu events. Momenta in GeV.
"""

from __future__ import annotations

import gzip
import json
import sys

import correctionlib
import numpy as np


def read(path):
    """Open a document: first as JSON, because correctionlib ends the process where one nests."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        text = file.read()
    json.loads(text)
    return correctionlib.CorrectionSet.from_string(text)


def subtract_offset(corrections, name, dataset, met_x, met_y, n_pv, systematic="nominal"):
    """Remove the mean offset of pTmiss; dataset is "data" or "simulation"."""
    n_pv = np.asarray(n_pv, dtype=float)  # a single whole number is refused as it is
    return (
        met_x - corrections[f"{name}_xy_x"].evaluate(dataset, systematic, n_pv),
        met_y - corrections[f"{name}_xy_y"].evaluate(dataset, systematic, n_pv),
    )


def map_recoil(corrections, name, met, boson, unseen, n_jets, systematic="nominal"):
    """Give the recoil of simulated events the distribution that data have.

    met, boson, unseen: (x, y). boson is the true or reconstructed boson (for W: lepton + neutrino)
    and unseen its invisible part (for W the neutrino, for Z to leptons zero).
    """
    q_t, n_jets = np.hypot(*boson), np.asarray(n_jets, dtype=float)
    size = np.where(q_t > 0.0, q_t, 1.0)  # a boson at rest has no direction: x stands in
    along_x, along_y = np.where(q_t > 0.0, -boson[0] / size, 1.0), -boson[1] / size
    u_x, u_y = (-(b - v + m) for b, v, m in zip(boson, unseen, met, strict=True))
    u_par, u_perp = u_x * along_x + u_y * along_y, along_x * u_y - along_y * u_x
    u_par = q_t + corrections[f"{name}_u_par"].evaluate(systematic, u_par - q_t, q_t, n_jets)
    u_perp = corrections[f"{name}_u_perp"].evaluate(systematic, u_perp, q_t, n_jets)
    u_x, u_y = u_par * along_x - u_perp * along_y, u_par * along_y + u_perp * along_x
    return tuple(-(b - v + u) for b, v, u in zip(boson, unseen, (u_x, u_y), strict=True))


def main(path, name):
    """Print pTmiss of toy events before and after, with each systematic variation."""
    corrections = read(path)
    rng = np.random.default_rng(1)
    n = 5
    phi = rng.uniform(-np.pi, np.pi, n)
    q_t = rng.exponential(30.0, n)
    boson = q_t * np.cos(phi), q_t * np.sin(phi)
    unseen = 0.5 * boson[0], 0.5 * boson[1]
    met = tuple(v + rng.normal(0.0, 15.0, n) for v in unseen)
    n_pv, n_jets = rng.poisson(22.0, n).astype(float), rng.poisson(0.5, n)

    met = subtract_offset(corrections, name, "simulation", *met, n_pv)
    print("before        ", np.hypot(*met).round(2))
    for systematic in ("nominal", "stat_up", "stat_down", "form_up", "form_down"):
        after = map_recoil(corrections, name, met, boson, unseen, n_jets, systematic)
        print(f"{systematic:14s}", np.hypot(*after).round(2))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: apply_corrections.py CORRECTIONS.json.gz ESTIMATOR")
    try:
        main(*sys.argv[1:])
    except Exception as error:  # libraries have many for a damaged file
        said = " ".join(str(error).split())[:200]
        sys.exit(f"error: {sys.argv[1]}: no corrections of {sys.argv[2]} ({said}); calibrate again")
