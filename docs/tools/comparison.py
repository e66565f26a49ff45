"""How simulated candidates compare with those of a public file."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import uproot

from ptmiss.core.paths import PathLike

KINDS = {
    211: "charged hadrons",
    11: "electrons",
    13: "muons",
    22: "photons",
    130: "neutral hadrons",
    1: "HF hadronic",
    2: "HF electromagnetic",
}
"""Particle-flow types by |pdgId|."""

_BRANCHES = ("pt", "eta", "pdgId", "charge", "dzErr", "fromPV", "pvAssocQuality")


def summary(path: PathLike) -> dict[str, float]:
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
