"""Toy events for tests: quick, random, with the correlations MET lives from. No detector model.

A toy event is a boson (Z -> mu mu, or W -> mu nu), a hadronic recoil that balances it, and pile-up
collisions. Everything follows from the seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import awkward as ak
import numpy as np
import pyarrow as pa
import uproot

from ptmiss.core.io import parquet
from ptmiss.core.paths import PathLike
from ptmiss.core.ragged import offsets_of, segment_sum, to_arrow
from ptmiss.events.columns import CANDIDATE_COLUMNS, skim_schema
from ptmiss.events.folds import fold_of
from ptmiss.events.mets import STORED_METS

MUON_MASS = np.float32(0.10566)
PION_MASS = np.float32(0.13957)


@dataclass
class Toy:
    """Toy events. event: flat arrays (n_events,); candidates: flat columns with `counts`."""

    event: dict[str, np.ndarray]
    candidates: dict[str, np.ndarray]
    counts: np.ndarray
    muons: dict[str, np.ndarray]
    muon_counts: np.ndarray
    jets: dict[str, np.ndarray]
    jet_counts: np.ndarray

    @property
    def offsets(self) -> np.ndarray:
        return offsets_of(self.counts)


def _decays(rng: np.random.Generator, n: int, process: str) -> dict[str, np.ndarray]:
    """Bosons and their two leptons, isotropic decay: four-momenta as px py pz e, shape (n, 4)."""
    mean_mass = {"zmumu": 91.19, "wmunu": 80.38}[process]
    mass = np.clip(rng.normal(mean_mass, 2.5, n), mean_mass - 10, mean_mass + 10)
    pt = rng.gamma(1.3, 9.0, n) + np.where(rng.random(n) < 0.15, rng.exponential(60.0, n), 0.0)
    phi = rng.uniform(-np.pi, np.pi, n)
    rapidity = rng.normal(0.0, 1.0, n)
    mt = np.hypot(mass, pt)
    boson = np.stack(
        [pt * np.cos(phi), pt * np.sin(phi), mt * np.sinh(rapidity), mt * np.cosh(rapidity)], 1
    )
    cosine, azimuth = rng.uniform(-1, 1, n), rng.uniform(-np.pi, np.pi, n)
    sine = np.sqrt(1 - cosine**2)
    half = mass / 2
    rest = half[:, None] * np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine], 1)
    beta = boson[:, :3] / boson[:, 3:]
    gamma = (boson[:, 3] / mass)[:, None]
    along = (beta * rest).sum(1, keepdims=True)
    factor = gamma**2 / (gamma + 1) * along
    first = rest + beta * (factor + gamma * half[:, None])
    second = boson[:, :3] - first
    return {"boson": boson[:, :3], "first": first, "second": second}


def _polar(momentum: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pt = np.hypot(momentum[:, 0], momentum[:, 1])
    return pt, np.arcsinh(momentum[:, 2] / pt), np.arctan2(momentum[:, 1], momentum[:, 0])


def make_toy(
    n_events: int,
    seed: int,
    process: str = "zmumu",
    selected: bool = False,
    pileup: float = 29.0,
    per_collision: float = 30.0,
    per_hard: float = 60.0,
) -> Toy:
    """Return toy events.

    selected: keep generating until the muons pass pT > 25 GeV and |eta| < 2.4.
    pileup: mean number of pile-up collisions; per_collision: mean candidates of each;
    per_hard: mean candidates of the hard collision.
    """
    rng = np.random.default_rng([seed, n_events, len(process)])
    decays = _decays(rng, n_events * 12 if selected else n_events, process)
    if selected:
        good = np.ones(len(decays["boson"]), dtype=bool)
        for leg in ("first", "second") if process == "zmumu" else ("first",):
            pt, eta, _ = _polar(decays[leg])
            good &= (pt > 26) & (np.abs(eta) < 2.35)
        picked = np.flatnonzero(good)[:n_events]
        decays = {name: values[picked] for name, values in decays.items()}
        assert len(picked) == n_events

    n_pileup = rng.poisson(pileup, n_events)
    n_hard = 4 + rng.poisson(per_hard, n_events)
    n_soft = rng.poisson(per_collision * n_pileup)
    hard, hard_event = _hard(rng, decays["boson"], n_hard)
    soft, soft_event = _soft(rng, n_events, n_soft)
    muon, muon_event = _muons(rng, decays, process)

    parts = [muon, hard, soft]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in muon}
    owner = np.concatenate([muon_event, hard_event, soft_event])
    # within an event the order is random, as it is unsorted in real files
    order = np.lexsort((rng.random(len(owner)), owner))
    candidates = {name: values[order] for name, values in columns.items()}
    counts = np.bincount(owner, minlength=n_events).astype(np.int64)

    number = np.arange(n_events)
    invisible = decays["second"] if process == "wmunu" else np.zeros((n_events, 3))
    boson_pt, _, boson_phi = _polar(decays["boson"])
    event = {
        "run": np.ones(n_events, dtype=np.uint32),
        "lumi": (1 + number // 100).astype(np.uint32),
        "event": (1 + number + 1_000_000 * (seed % 1000)).astype(np.uint64),
        "weight": np.ones(n_events),
        "n_pv": np.maximum(1, rng.binomial(n_pileup, 0.7) + 1).astype(np.uint16),
        "rho": (0.65 * n_pileup + rng.normal(0, 1, n_events)).clip(0).astype(np.float32),
        "gen_met_px": invisible[:, 0].astype(np.float32),
        "gen_met_py": invisible[:, 1].astype(np.float32),
        "boson_px": decays["boson"][:, 0].astype(np.float32),
        "boson_py": decays["boson"][:, 1].astype(np.float32),
    }
    has_jet = boson_pt > 30
    jets = {
        "pt": boson_pt[has_jet].astype(np.float32),
        "eta": rng.normal(0, 1.0, has_jet.sum()).clip(-2.9, 2.9).astype(np.float32),
        "phi": _wrap(boson_phi[has_jet] + np.pi).astype(np.float32),
        "mass": (0.1 * boson_pt[has_jet]).astype(np.float32),
    }
    event["gen_ht"] = np.where(has_jet, boson_pt, 0.0).astype(np.float32)
    event["n_jets"] = has_jet.astype(np.uint8)
    return Toy(
        event=event,
        candidates=candidates,
        counts=counts,
        muons={name: muon[name] for name in ("pt", "eta", "phi", "mass", "charge")},
        muon_counts=np.bincount(muon_event, minlength=n_events).astype(np.int64),
        jets=jets,
        jet_counts=has_jet.astype(np.int64),
    )


def _wrap(phi: np.ndarray) -> np.ndarray:
    return np.mod(phi + np.pi, 2 * np.pi) - np.pi


def _species(rng: np.random.Generator, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Random particle-flow types: charged only inside the tracker, HF types beyond |eta| = 3."""
    n = len(eta)
    charge = np.where(np.abs(eta) < 2.5, rng.choice([-1, 0, 1], n, p=[0.3, 0.4, 0.3]), 0)
    neutral = np.where(
        np.abs(eta) > 3,
        rng.choice([1, 2], n, p=[0.67, 0.33]),
        rng.choice([22, 130], n, p=[0.7, 0.3]),
    )
    return np.where(charge != 0, 211 * charge, neutral).astype(np.int32), charge.astype(np.int8)


def _hard(
    rng: np.random.Generator, boson: np.ndarray, n_hard: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The recoil: particles around minus the boson and an underlying event, balanced, smeared."""
    owner = np.repeat(np.arange(len(n_hard)), n_hard)
    n = len(owner)
    boson_pt = np.hypot(boson[:, 0], boson[:, 1])
    recoiling = rng.random(n) < 0.4
    share = rng.exponential(1.0, n) * recoiling
    total = np.bincount(owner, share, minlength=len(n_hard))
    pt = boson_pt[owner] * share / np.maximum(total, 1e-9)[owner] + rng.exponential(0.6, n)
    away = np.arctan2(-boson[:, 1], -boson[:, 0])
    phi = np.where(recoiling, away[owner] + rng.normal(0, 0.5, n), rng.uniform(-np.pi, np.pi, n))
    eta = np.where(recoiling, rng.normal(0, 1.0, n), rng.uniform(-4.5, 4.5, n)).clip(-5, 5)
    px, py = pt * np.cos(phi), pt * np.sin(phi)
    for axis, component in ((0, px), (1, py)):
        missing = -boson[:, axis] - np.bincount(owner, component, minlength=len(n_hard))
        component += (missing / n_hard)[owner]
    pdg_id, charge = _species(rng, eta)
    scale = 1 + rng.normal(0, 1, n) * np.where(charge != 0, 0.01, 0.12)
    pt = (np.hypot(px, py) * scale).clip(0.03)
    overlay = np.where((charge == 0) & (rng.random(n) < 0.3), rng.exponential(0.3, n), 0.0)
    truth = pt / (pt + overlay)
    seen = rng.random(n) < np.where(charge != 0, 0.95, 0.9)
    from_pv = np.where(charge != 0, rng.choice([3, 2, 1, 0], n, p=[0.93, 0.04, 0.02, 0.01]), 3)
    puppi = np.where(charge != 0, from_pv >= 2, rng.beta(4, 1.2, n))
    columns = {
        "pt": pt + overlay, "eta": eta, "phi": np.arctan2(py, px),
        "mass": PION_MASS * (charge != 0),
        "d0": np.where(charge != 0, rng.normal(0, 0.01, n), 0.0),
        "dz": np.where(charge != 0, rng.normal(0, 0.02, n), 0.0),
        "puppi": puppi, "charge": charge, "pdg_id": pdg_id, "from_pv": from_pv, "truth": truth,
    }  # fmt: skip
    return _typed({name: values[seen] for name, values in columns.items()}), owner[seen]


def _soft(
    rng: np.random.Generator, n_events: int, n_soft: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Pile-up: soft, flat in phi and eta, mostly recognised where charged."""
    owner = np.repeat(np.arange(n_events), n_soft)
    n = len(owner)
    eta = rng.uniform(-5, 5, n)
    pdg_id, charge = _species(rng, eta)
    from_pv = np.where(charge != 0, rng.choice([0, 1, 2, 3], n, p=[0.85, 0.07, 0.05, 0.03]), 3)
    puppi = np.where(charge != 0, from_pv >= 2, rng.beta(0.5, 4, n))
    columns = {
        "pt": 0.05 + rng.exponential(0.62, n), "eta": eta, "phi": rng.uniform(-np.pi, np.pi, n),
        "mass": PION_MASS * (charge != 0),
        "d0": np.where(charge != 0, rng.normal(0, 0.01, n), 0.0),
        "dz": np.where(charge != 0, np.where(from_pv >= 2, 0.05, 5) * rng.normal(0, 1, n), 0),
        "puppi": puppi, "charge": charge, "pdg_id": pdg_id, "from_pv": from_pv,
        "truth": np.zeros(n),
    }  # fmt: skip
    return _typed(columns), owner


def _muons(
    rng: np.random.Generator, decays: dict[str, np.ndarray], process: str
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    legs = ("first", "second") if process == "zmumu" else ("first",)
    n_events = len(decays["boson"])
    pieces = []
    for k, leg in enumerate(legs):
        pt, eta, phi = _polar(decays[leg])
        charge = np.full(n_events, 1 if k == 0 else -1)
        pieces.append(
            {
                "pt": pt * (1 + rng.normal(0, 0.012, n_events)), "eta": eta, "phi": phi,
                "mass": np.full(n_events, MUON_MASS), "d0": rng.normal(0, 0.002, n_events),
                "dz": rng.normal(0, 0.005, n_events), "puppi": np.ones(n_events), "charge": charge,
                "pdg_id": -13 * charge, "from_pv": np.full(n_events, 3), "truth": np.ones(n_events),
            }
        )  # fmt: skip
    owner = np.tile(np.arange(n_events), len(legs))
    columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    order = np.argsort(owner, kind="stable")
    columns = {name: values[order] for name, values in columns.items()}
    seen = np.abs(columns["eta"]) < 2.4  # muons beyond the chambers are lost
    return _typed({name: values[seen] for name, values in columns.items()}), owner[order][seen]


def _typed(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    kinds = {"charge": np.int8, "pdg_id": np.int32, "from_pv": np.uint8}
    return {name: values.astype(kinds.get(name, np.float32)) for name, values in columns.items()}


def met_of(toy: Toy, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return minus the weighted sum of all candidates: px, py, float64, (n_events,), GeV."""
    pt = toy.candidates["pt"].astype(np.float64)
    if weights is not None:
        pt = pt * weights
    phi = toy.candidates["phi"].astype(np.float64)
    px = -segment_sum(pt * np.cos(phi), toy.offsets)
    return px, -segment_sum(pt * np.sin(phi), toy.offsets)


def toy_skim(
    path: PathLike,
    n_events: int = 200,
    seed: int = 1,
    process: str = "zmumu",
    *,
    has_truth: bool = True,
    is_data: bool = False,
    sample: str = "toy",
    part: str = "0",
    label: str = "Toy",
    rows_per_group: int = 1000,
    **physics: float,
) -> Toy:
    """Write a valid skim of selected toy events to `path` and return what is in it.

    physics: pileup, per_collision, per_hard of `make_toy`. With is_data the generator columns are
    null and there is no truth.
    """
    toy = make_toy(n_events, seed, process, selected=True, **physics)
    has_truth = has_truth and not is_data
    schema = skim_schema(has_truth, other_puppi="standard").with_metadata(
        {
            "sample": sample, "part": part, "source": "simulated", "label": label,
            "has_truth": str(has_truth).lower(), "is_data": str(is_data).lower(), "sqrt_s": "13",
            "puppi_flavour": "no_lepton",
        }
    )  # fmt: skip
    event = dict(toy.event)
    event["fold"] = fold_of(event["run"], event["lumi"], event["event"])
    stored = dict.fromkeys(STORED_METS)
    stored["raw_pf"] = met_of(toy)
    stored["raw_puppi"] = met_of(toy, toy.candidates["puppi"])
    candidates = toy.candidates
    hard_lepton = (np.abs(candidates["pdg_id"]) == 13) & (candidates["pt"] > 10)
    candidates = {
        **candidates,
        "pinned": hard_lepton & (candidates["from_pv"] >= 2),
        "puppi_standard": candidates["puppi"],
    }
    columns = []
    for field in schema:
        name = field.name
        if name in CANDIDATE_COLUMNS:
            values = candidates[name.removeprefix("cand_")]
            columns.append(to_arrow(values, toy.offsets, field.type.value_type))
        elif name.startswith("stored_"):
            met = stored[name.removeprefix("stored_")[:-3]]
            axis = 0 if name.endswith("px") else 1
            values = None if met is None else met[axis].astype(np.float32)
            columns.append(pa.nulls(n_events, field.type) if met is None else pa.array(values))
        elif is_data and (name.startswith("gen_") or (name[:5] == "boson" and process == "wmunu")):
            columns.append(pa.nulls(n_events, field.type))
        else:
            columns.append(pa.array(event[name], type=field.type))
    parquet.write(path, pa.Table.from_arrays(columns, schema=schema), rows_per_group)
    return toy


def pfnano_branches(toy: Toy, layout: str = "pfnano") -> dict[str, np.ndarray | ak.Array]:
    """Return the branches of an ntuple: name -> flat array, or a jagged record per collection.

    layout: "pfnano" (PFCands_*, with fromPV and truth) or "private" (PF_*).
    """
    n = len(toy.counts)
    event, cand = toy.event, toy.candidates
    tracked = (cand["charge"] != 0) & (cand["pt"] > 0.5)
    shared = {
        "pt": cand["pt"], "eta": cand["eta"], "phi": cand["phi"], "mass": cand["mass"],
        "charge": cand["charge"].astype(np.int32), "pdgId": cand["pdg_id"],
        "dz": np.where(tracked, cand["dz"], np.float32(-1)),
        "fromPV": cand["from_pv"].astype(np.int32),
        "puppiWeight": cand["puppi"], "puppiWeightNoLep": cand["puppi"],
    }  # fmt: skip
    if layout == "private":
        name = "PF"
        columns = {
            **shared, "dz": np.where(tracked, cand["dz"], np.float32(0)),
            "dxy": np.where(tracked, cand["d0"], np.float32(0)),
            "hcalFraction": np.zeros_like(cand["pt"]),
        }  # fmt: skip
    else:
        name = "PFCands"
        columns = {
            **shared,
            "d0": np.where(tracked, cand["d0"], np.float32(-1)),
            "d0Err": np.where(tracked, np.float32(0.005), np.float32(-1)),
            "dzErr": np.where(tracked, np.float32(0.01), np.float32(-1)),
            "pvAssocQuality": np.full(len(cand["pt"]), 7, dtype=np.int32),
            "truth": cand["truth"],
        }
    px, py = met_of(toy)
    puppi_px, puppi_py = met_of(toy, cand["puppi"])
    muon = dict(toy.muons)
    muon["charge"] = muon["charge"].astype(np.int32)
    muon["pfRelIso04_all"] = np.full(len(muon["pt"]), 0.05, dtype=np.float32)
    muon["looseId"] = np.ones(len(muon["pt"]), dtype=bool)
    no_electrons = {
        key: np.zeros(0, dtype=np.int32 if key == "charge" else np.float32)
        for key in ("pt", "eta", "phi", "mass", "charge")
    }
    return {
        "run": event["run"],
        "luminosityBlock": event["lumi"],
        "event": event["event"],
        "genWeight": event["weight"].astype(np.float32),
        name: jagged(columns, toy.counts),
        "GenMET_pt": np.hypot(event["gen_met_px"], event["gen_met_py"]),
        "GenMET_phi": np.arctan2(event["gen_met_py"], event["gen_met_px"]),
        "GenJet": jagged(toy.jets, toy.jet_counts),
        "Jet": jagged(toy.jets, toy.jet_counts),
        "Muon": jagged(muon, toy.muon_counts),
        "Electron": jagged(no_electrons, np.zeros(n, dtype=np.int64)),
        "PV_npvs": event["n_pv"].astype(np.int32),
        **{f"PV_{axis}": np.zeros(n, dtype=np.float32) for axis in "xyz"},
        "PV_npvsGood": event["n_pv"].astype(np.int32),
        "fixedGridRhoFastjetAll": event["rho"],
        "RawMET_pt": np.hypot(px, py).astype(np.float32),
        "RawMET_phi": np.arctan2(py, px).astype(np.float32),
        "RawPuppiMET_pt": np.hypot(puppi_px, puppi_py).astype(np.float32),
        "RawPuppiMET_phi": np.arctan2(puppi_py, puppi_px).astype(np.float32),
    }


def jagged(columns: dict[str, np.ndarray], counts: np.ndarray) -> ak.Array:
    return ak.zip({name: ak.unflatten(values, counts) for name, values in columns.items()})


def write_tree(
    path: PathLike,
    branches: dict[str, np.ndarray | ak.Array],
    tree: str = "Events",
    events_per_basket: int = 500,
) -> None:
    """Write branches as a TTree; records become `Name_field` with the counter `nName`."""
    n = len(next(iter(branches.values())))
    types = {
        name: values.type.content if isinstance(values, ak.Array) else values.dtype
        for name, values in branches.items()
    }
    with uproot.recreate(path, compression=uproot.LZ4(1)) as file:
        out = file.mktree(tree, types)
        for start in range(0, n, events_per_basket):
            stop = start + events_per_basket
            out.extend({name: values[start:stop] for name, values in branches.items()})


def write_pfnano(
    path: PathLike,
    n_events: int = 50,
    seed: int = 1,
    *,
    layout: str = "pfnano",
    tree: str = "Events",
    drop: tuple[str, ...] = (),
    edit: Callable[[dict[str, np.ndarray | ak.Array]], None] | None = None,
    toy: Toy | None = None,
    events_per_basket: int = 500,
    **options: float,
) -> Toy:
    """Write an ntuple of toy events and return them.

    drop: names of branches to leave out ("PFCands_pt", "GenMET_pt"); edit: a function that changes
    the branches (see `pfnano_branches`) in place before they are written; toy: events to write
    instead of new ones; options: those of `make_toy`.
    """
    if toy is None:
        toy = make_toy(n_events, seed, **options)
    branches = pfnano_branches(toy, layout)
    if edit is not None:
        edit(branches)
    for full in drop:
        if full in branches:
            del branches[full]
            continue
        collection, field = full.split("_", 1)
        rest = [name for name in branches[collection].fields if name != field]
        branches[collection] = branches[collection][rest]
    write_tree(path, branches, tree, events_per_basket)
    return toy
