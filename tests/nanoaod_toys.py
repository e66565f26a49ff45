"""Toy NanoAOD without candidates: leptons of a Z or W, jets, METs under the names of a version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import awkward as ak
import numpy as np
import uproot

from toys import jagged, write_tree

NAMES = {
    "v9": {"pf": "MET", "raw_pf": "RawMET", "tight": "mvaFall17V2Iso_WP80"},
    "v15": {"pf": "PFMET", "raw_pf": "RawPFMET", "tight": "mvaIso_WP80"},
}
"""Version -> what it calls what others call otherwise."""

WIDTHS = {
    "pf": 18.0, "raw_pf": 22.0, "puppi": 14.0, "raw_puppi": 15.0,
    "deepmet_resolution": 11.0, "deepmet_response": 13.0,
}  # fmt: skip
"""GeV, of one component of each MET."""

_TREE = {
    "puppi": "PuppiMET", "raw_puppi": "RawPuppiMET",
    "deepmet_resolution": "DeepMETResolutionTune", "deepmet_response": "DeepMETResponseTune",
}  # fmt: skip
_MASSES = {"Muon": 0.10566, "Electron": 0.000511}
_DTYPES = {"charge": np.int32, "pfIsoId": np.uint8, "cutBased": np.uint8}
_FLAGS = ("looseId", "mediumId", "tightId", "mvaIso_WP80", "mvaFall17V2Iso_WP80")


class Truth(NamedTuple):
    """What was put in: momenta (2, n) in GeV."""

    boson: np.ndarray
    gen_met: np.ndarray
    mets: dict[str, np.ndarray]


Branches = dict[str, "np.ndarray | ak.Array"]


def branches(
    n: int = 200,
    seed: int = 1,
    *,
    lepton: str = "Muon",
    w: bool = False,
    version: str = "v15",
    is_data: bool = False,
    response: float = 0.95,
    smear: float = 1.0,
    offset: float = 0.0,
    first: int = 1,
) -> tuple[Branches, Truth]:
    """Return the branches of n events with a Z to two leptons, or a W to one, and the truth.

    response, smear: of every MET, the second a factor of its width; offset: GeV along x for each
    vertex; first: number of the first event.
    """
    rng = np.random.default_rng(seed)
    q_t = rng.exponential(30.0, n) + 1.0
    phi = rng.uniform(-np.pi, np.pi, n)
    boson = np.stack([q_t * np.cos(phi), q_t * np.sin(phi)])
    legs = _decay(rng, boson)
    gen_met = legs[1] if w else np.zeros((2, n))
    n_pv = rng.integers(10, 50, n)
    mets = {}
    common = rng.normal(0.0, 1.0, (2, n))
    for k, (name, width) in enumerate(WIDTHS.items()):
        own = np.random.default_rng([seed, k]).normal(0.0, 1.0, (2, n))
        noise = smear * width * (0.8 * common + 0.6 * own) * np.sqrt(n_pv / 30.0)
        # recoil: -response * boson; what is missing is minus it and minus what is visible
        mets[name] = response * boson - (boson - gen_met) + noise
        mets[name][0] += offset * n_pv
    names = {**_TREE, **{key: NAMES[version][key] for key in ("pf", "raw_pf")}}
    out: Branches = {
        "run": np.full(n, 362_000 if is_data else 1, dtype=np.uint32),
        "luminosityBlock": (1 + np.arange(n) // 50).astype(np.uint32),
        "event": (first + np.arange(n)).astype(np.uint64),
        "PV_npvs": n_pv.astype(np.uint8 if version == "v15" else np.int32),
        "PV_npvsGood": (n_pv - 2).astype(np.uint8 if version == "v15" else np.int32),
        "Rho_fixedGridRhoFastjetAll": (0.6 * n_pv).astype(np.float32),
        **_leptons(legs[: 1 if w else 2], lepton, version),
        **_leptons(np.zeros((0, 2, n)), "Electron" if lepton == "Muon" else "Muon", version),
        "Jet": _jets(rng, q_t, phi),
        "HLT_IsoMu24": np.ones(n, dtype=bool),
        "HLT_Ele32_WPTight_Gsf": np.ones(n, dtype=bool),
        "Flag_goodVertices": np.ones(n, dtype=bool),
        "Flag_BadPFMuonFilter": np.ones(n, dtype=bool),
    }
    for name, met in mets.items():
        out |= _polar(names[name], "", *met)
    if not is_data:
        out["genWeight"] = np.ones(n, dtype=np.float32)
        out["Pileup_nTrueInt"] = n_pv.astype(np.float32)
        out |= _polar("GenMET", "", *gen_met)
        if version == "v9":
            out["MET_MetUnclustEnUpDeltaX"] = np.full(n, 2.0, np.float32)
            out["MET_MetUnclustEnUpDeltaY"] = np.full(n, -1.0, np.float32)
        else:
            for way, sign in (("Up", 1.0), ("Down", -1.0)):
                out |= _polar("PFMET", f"Unclustered{way}", *(mets["pf"] * (1 + 0.1 * sign)))
        for source, size in (("JES", 0.05), ("Unclustered", 0.1)):
            for way, sign in (("Up", 1.0), ("Down", -1.0)):
                out |= _polar("PuppiMET", f"{source}{way}", *(mets["puppi"] * (1 + size * sign)))
    return out, Truth(boson, gen_met, mets)


def write_nanoaod(
    path: Path,
    n: int = 200,
    seed: int = 1,
    *,
    edit: Callable[[Branches], None] | None = None,
    runs: list[float] | None = None,
    **options,
) -> Truth:
    """Write a file and return the truth of its events.

    edit: changes the branches in place; runs: genEventSumw of each run in the tree `Runs`, None for
    no such tree; options: those of `branches`.
    """
    made, truth = branches(n, seed, **options)
    if edit is not None:
        edit(made)
    write_tree(path, made)
    if runs is not None:
        with uproot.update(path) as file:
            tree = {
                "run": np.ones(len(runs), dtype=np.uint32),
                "genEventSumw": np.array(runs, dtype=np.float64),
                "genEventCount": np.full(len(runs), n, dtype=np.int64),
            }
            out = file.mktree("Runs", {name: values.dtype for name, values in tree.items()})
            out.extend(tree)
    return truth


def _polar(name: str, form: str, px: np.ndarray, py: np.ndarray) -> dict[str, np.ndarray]:
    return {
        f"{name}_pt{form}": np.hypot(px, py).astype(np.float32),
        f"{name}_phi{form}": np.arctan2(py, px).astype(np.float32),
    }


def _decay(rng: np.random.Generator, boson: np.ndarray) -> np.ndarray:
    """Return the transverse momenta of two leptons back to back in the boson's frame, (2, 2, n).

    Both have eta 0, so that their mass is that of the plane: chosen to be 91 GeV.
    """
    phi = rng.uniform(-np.pi, np.pi, boson.shape[1])
    mass, q = 91.0, boson
    energy = np.sqrt(mass**2 + (q**2).sum(axis=0))
    own = 0.5 * mass * np.stack([np.cos(phi), np.sin(phi)])
    along = (own * q).sum(axis=0)
    boost = along / (energy + mass) + 0.5 * mass
    first = own + q * boost / mass
    return np.stack([first, q - first])


def _leptons(legs: np.ndarray, kind: str, version: str) -> Branches:
    n = legs.shape[2]
    pt = np.hypot(legs[:, 0], legs[:, 1]).T  # (n, legs)
    columns = {
        "pt": pt,
        "eta": np.zeros_like(pt),
        "phi": np.arctan2(legs[:, 1], legs[:, 0]).T,
        "mass": np.full_like(pt, _MASSES[kind]),
        "charge": np.tile([1, -1][: len(legs)], (n, 1)),
    }
    if kind == "Muon":
        columns |= {
            "pfRelIso04_all": np.full_like(pt, 0.05),
            "pfIsoId": np.full_like(pt, 4),
            **{name: np.ones_like(pt) for name in _FLAGS[:3]},
        }
    else:
        columns |= {
            "pfRelIso03_all": np.full_like(pt, 0.05),
            "deltaEtaSC": np.zeros_like(pt),
            "cutBased": np.full_like(pt, 4),
            NAMES[version]["tight"]: np.ones_like(pt),
        }
    counts = np.full(n, len(legs), dtype=np.int64)
    flat = {
        name: values.reshape(-1).astype(bool if name in _FLAGS else _DTYPES.get(name, np.float32))
        for name, values in columns.items()
    }
    return {kind: jagged(flat, counts)}


def _jets(rng: np.random.Generator, q_t: np.ndarray, phi: np.ndarray) -> ak.Array:
    has = q_t > 30
    flat = {
        "pt": q_t[has].astype(np.float32),
        "eta": rng.normal(0.0, 1.0, has.sum()).clip(-2.9, 2.9).astype(np.float32),
        "phi": np.arctan2(-np.sin(phi[has]), -np.cos(phi[has])).astype(np.float32),
    }
    return jagged(flat, has.astype(np.int64))
