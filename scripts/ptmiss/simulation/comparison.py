"""How simulated candidates compare with others, and whether the detector keeps to its table."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping

import numpy as np
import uproot

from ptmiss.simulation import constants
from ptmiss.simulation.detector import detect
from ptmiss.simulation.incoming import prepare
from ptmiss.simulation.pileup import fold_lists, gaussian_profile
from ptmiss.simulation.rng import event_seeds

KINDS = {211: "charged hadrons", 11: "electrons", 13: "muons", 22: "photons",
         130: "neutral hadrons", 1: "HF hadronic", 2: "HF electromagnetic"}  # fmt: skip
"""Particle-flow types by |pdgId|."""

_BRANCHES = ("pt", "eta", "pdgId", "charge", "dzErr", "fromPV", "pvAssocQuality")


def summary(path: str | os.PathLike[str]) -> dict[str, float]:
    """Return numbers that describe the candidates of a PFNano file: name -> value.

    Counts are means per event, pT in GeV, shares between 0 and 1.
    """
    with uproot.open(path) as file:
        tree = file["Events"]
        names = [f"PFCands_{name}" for name in _BRANCHES if f"PFCands_{name}" in tree]
        n = tree.num_entries
        column = {
            name.removeprefix("PFCands_"): np.asarray(
                tree[name].array(library="ak").layout.content.data
            )
            for name in names
        }
        vertices = float(np.mean(tree["PV_npvsGood"].array(library="np")))
        interactions = float(np.mean(tree["Pileup_nPU"].array(library="np")))
    kind = np.abs(column["pdgId"])
    pt, eta = column["pt"], np.abs(column["eta"])
    charged = column["charge"] != 0
    result = {
        "pile-up interactions": interactions,
        "good vertices": vertices,
        "candidates per event": len(pt) / n,
        "share of candidates below 0.5 GeV": float((pt < 0.5).mean()),
    }
    for code, name in KINDS.items():
        result[f"{name}: per event"] = float((kind == code).sum() / n)
    for code, name in KINDS.items():
        if (kind == code).sum() < 20 * len(KINDS):
            continue
        for q in (0.1, 0.5, 0.9):
            result[f"{name}: pT quantile {q:g}"] = float(np.quantile(pt[kind == code], q))
    edges = (0.0, 1.5, 2.5, 3.0, 5.2)
    for low, high in itertools.pairwise(edges):
        inside = (eta >= low) & (eta < high)
        result[f"scalar sum in GeV, abs(eta) {low:g}-{high:g}"] = float(pt[inside].sum() / n)
    result["charged without track detail"] = float((column["dzErr"][charged] == -1).mean())
    for quality in (7, 6, 5, 4, 1, 0):
        share = (column["pvAssocQuality"][charged] == quality).mean()
        result[f"charged with pvAssocQuality {quality}"] = float(share)
    if "fromPV" in column:
        for value in (3, 2, 1, 0):
            share = (column["fromPV"][charged] == value).mean()
            result[f"charged with fromPV {value}"] = float(share)
    return result


def markdown(columns: Mapping[str, Mapping[str, float]]) -> str:
    """Return summaries as a Markdown table: one column per file, one row per quantity."""
    rows = list(dict.fromkeys(name for values in columns.values() for name in values))
    lines = ["| quantity | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for row in rows:
        cells = [f"{values[row]:.3g}" if row in values else "-" for values in columns.values()]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _single(d: np.void, pdg_id: int, charge: int, pt: float, eta: float, n: int) -> np.ndarray:
    """Return pT of the candidates that single particles give, summed per event, float64 (n,)."""
    columns = {
        "pdg_id": np.full(n, pdg_id),
        "charge": np.full(n, charge),
        "pt": np.full(n, pt),
        "eta": np.full(n, eta),
        "phi": np.linspace(-3.0, 3.0, n),
        **{name: np.zeros(n) for name in ("vx", "vy", "vz")},
    }
    hard = prepare(np.arange(n + 1), columns)
    nothing = prepare(np.zeros(1), {name: np.zeros(0) for name in columns})
    found = detect(
        d,
        hard,
        nothing,
        fold_lists([np.zeros(0)] * 10),
        np.zeros(n, dtype=np.int64),
        gaussian_profile(0.0, 0.0),
        event_seeds(1, np.ones(n), np.arange(n)),
    ).candidates
    sums = np.zeros(n)
    wanted = found["pdg_id"] == pdg_id if charge else np.ones(len(found["pt"]), dtype=bool)
    event = np.repeat(np.arange(n), found.counts)
    np.add.at(sums, event[wanted], found["pt"][wanted].astype(np.float64))
    return sums


def closure(n: int = 4000) -> dict[str, tuple[float, float, float]]:
    """Return name -> (measured, error, expected from the table) for single particles.

    Noise and fakes are off, so that a candidate is the particle's own.
    """
    quiet = {"ecal_noise_cells": 0, "hcal_noise_cells": 0, "hf_noise_cells": 0, "fake_fraction": 0}
    d = constants.detector(quiet)
    c = {constant.name: constant.value for constant in constants.TABLE}
    result = {}

    def efficiency(name: str, sums: np.ndarray, expected: float) -> None:
        share = float((sums > 0).mean())
        result[name] = (share, math.sqrt(max(expected * (1 - expected), 1e-6) / n), expected)

    def resolution(name: str, sums: np.ndarray, pt: float, expected: float) -> None:
        ratio = sums[sums > 0] / pt
        low, high = np.quantile(ratio, [0.15865, 0.84135])
        # a quantile's error, for a normal distribution, is 1.5 widths over the root of n
        result[name] = (
            float((high - low) / 2), expected * 1.1 / math.sqrt(len(ratio)), expected
        )  # fmt: skip

    pion = _single(d, 211, 1, 5.0, 0.5, n)
    turn_on = 1 - math.exp(-(5.0 - c["track_min_pt"]) / c["track_turn_on"])
    efficiency("pion 5 GeV: track efficiency", pion, turn_on * c["track_plateau"])
    soft = _single(d, 211, 1, 0.4, 0.5, n)
    turn_on = 1 - math.exp(-(0.4 - c["track_min_pt"]) / c["track_turn_on"])
    efficiency("pion 0.4 GeV: track efficiency", soft, turn_on * c["track_plateau"])
    width = (c["track_pt_constant"] + c["track_pt_slope"] * 5.0) * (1 + c["track_pt_eta"] * 0.25)
    resolution("pion 5 GeV: pT resolution", pion, 5.0, width)
    muon = _single(d, 13, -1, 40.0, 1.0, n)
    efficiency("muon 40 GeV: efficiency", muon, c["track_muon"] * c["muon_id"])
    width = (c["track_pt_constant"] + c["track_pt_slope"] * 40.0) * (1 + c["track_pt_eta"])
    resolution("muon 40 GeV: pT resolution", muon, 40.0, width)
    # without tracks the vertex is unknown, and its spread would add to the calorimeters' width
    off = dict.fromkeys(("conversion", "conversion_eta", "beam_length"), 0.0)
    d = constants.detector({**quiet, **off})
    energy = 20.0 * math.cosh(0.3)
    width = math.sqrt(
        c["ecal_stochastic"] ** 2 / energy + (c["ecal_noise"] / energy) ** 2
        + c["ecal_constant"] ** 2
    )  # fmt: skip
    resolution("photon 20 GeV: resolution", _single(d, 22, 0, 20.0, 0.3, n), 20.0, width)
    energy = 100.0 * math.cosh(0.3)
    width = math.sqrt(c["hcal_stochastic"] ** 2 / energy + c["hcal_constant"] ** 2)
    resolution("neutron 100 GeV: resolution", _single(d, 2112, 0, 100.0, 0.3, n), 100.0, width)
    return result
