"""Small files of Delphes with a vertex finder, from toy events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

from ptmiss.core.ragged import event_index
from toys import Toy, make_toy, met_of

SMALL = {"pileup": 12.0, "per_collision": 25.0, "per_hard": 40.0}
MM = 10.0  # in a cm


def branches_of(toy: Toy, seed: int = 1, permuted: bool = True) -> dict[str, ak.Array]:
    """Return the branches of toy events as Delphes names them.

    The finder numbers its vertices in the order of z; `permuted`: then they are sorted by SumPT2,
    as Delphes stores them, otherwise left in that order.
    """
    rng = np.random.default_rng(seed)
    cand, owner = toy.candidates, event_index(toy.offsets)
    n = len(toy.counts)
    hard_z = rng.normal(0.0, 4.0, n)
    z = (cand["dz"] + hard_z[owner]) * MM
    n_vertices = toy.event["n_pv"].astype(np.int64)
    edges = [np.sort(rng.normal(0.0, 50.0, k)) for k in n_vertices]
    vertex = np.empty(len(owner), dtype=np.int64)
    found: dict[str, list[np.ndarray]] = {"Z": [], "Index": [], "SumPT2": []}
    for i in range(n):
        mine = owner == i
        places = edges[i]
        places[0] = hard_z[i] * MM
        index = np.argsort(np.argsort(places))  # the finder counts along z
        hard = cand["truth"][mine] > 0
        # vertex 0 is the hard one; pile-up tracks belong to any other
        own = np.where(hard, 0, 1 + np.arange(mine.sum()) % max(1, len(places) - 1))
        own = np.minimum(own, len(places) - 1)
        charged = cand["charge"][mine] != 0
        sums = np.bincount(own, cand["pt"][mine] ** 2 * charged, minlength=len(places))
        sums[0] += 1e3  # its two muons may be out of reach
        order = np.argsort(-sums) if permuted else np.argsort(places)
        vertex[mine] = index[own]
        found["Z"].append(places[order])
        found["Index"].append(index[order])
        found["SumPT2"].append(sums[order])
    charged = cand["charge"] != 0
    px, py = met_of(toy)
    towers = {
        "EFlowPhoton": ~charged & np.isin(cand["pdg_id"], (22, 2)),
        "EFlowNeutralHadron": ~charged & ~np.isin(cand["pdg_id"], (22, 2)),
    }
    is_pileup = (cand["truth"] == 0).astype(np.int32)
    everything = {
        "PID": cand["pdg_id"], "Charge": cand["charge"].astype(np.int32), "PT": cand["pt"],
        "Eta": cand["eta"], "Phi": cand["phi"], "Mass": cand["mass"], "IsPU": is_pileup,
        "HardEnergyFraction": np.where(charged, 1 - is_pileup, cand["truth"]).astype(np.float32),
        "D0": cand["d0"] * np.float32(MM), "DZ": z.astype(np.float32),
        "VertexIndex": np.where(charged, vertex, -1).astype(np.int32),
    }  # fmt: skip
    everything["PID"] = np.where(np.isin(cand["pdg_id"], (1, 130)), 0, everything["PID"])
    everything["PID"] = np.where(towers["EFlowPhoton"], 22, everything["PID"]).astype(np.int32)

    def collection(which: np.ndarray, names: dict[str, str]) -> ak.Array:
        counts = np.bincount(owner[which], minlength=n)
        return ak.zip(
            {new: ak.unflatten(everything[old][which], counts) for new, old in names.items()}
        )

    def single(**fields: np.ndarray) -> ak.Array:
        return ak.zip({name: ak.unflatten(v, np.ones(n, int)) for name, v in fields.items()})

    tower = {"ET": "PT", "Eta": "Eta", "Phi": "Phi", "HardEnergyFraction": "HardEnergyFraction"}
    full = {name: name for name in everything}
    return {
        "Event": single(Number=np.arange(n), Weight=np.ones(n, np.float32)),
        "GenMissingET": single(MET=np.zeros(n, np.float32), Phi=np.zeros(n, np.float32)),
        "MissingET": single(
            MET=np.hypot(px, py).astype(np.float32), Phi=np.arctan2(py, px).astype(np.float32)
        ),
        "Vertex": ak.zip({
            "Z": ak.Array([values.astype(np.float32) for values in found["Z"]]),
            "Index": ak.Array([values.astype(np.int32) for values in found["Index"]]),
            "SumPT2": ak.Array(found["SumPT2"]),
        }),
        "EFlowTrack": collection(charged, full),
        **{name: collection(which, tower) for name, which in towers.items()},
        "ParticleFlowCandidate": collection(np.ones(len(owner), bool), full),
    }  # fmt: skip


def write_delphes(
    path: Path,
    n_events: int = 12,
    seed: int = 3,
    *,
    drop: tuple[str, ...] = ("ParticleFlowCandidate", "IsPU", "HardEnergyFraction"),
    permuted: bool = True,
    edit: Callable[[dict[str, ak.Array]], None] | None = None,
    **options: float,
) -> Toy:
    """Write a file with the tree Delphes; by default as before November 2025.

    drop: collections ("Vertex"), fields of all ("IsPU") or of one ("Vertex.Index") to leave out.
    """
    toy = make_toy(n_events, seed, **{**SMALL, **options})
    branches = branches_of(toy, seed, permuted)
    if edit is not None:
        edit(branches)
    kept = {}
    for name, values in branches.items():
        fields = [f for f in values.fields if not {f, f"{name}.{f}"} & set(drop)]
        if name not in drop:
            kept[name] = values[fields]
    with uproot.recreate(path) as file:
        # a split collection of Delphes has its fields below it, named Collection.Field
        tree = file.mktree(
            "Delphes",
            {name: values.type.content for name, values in kept.items()},
            field_name=lambda outer, inner: f"{outer}/{outer}.{inner}" if outer else inner,
        )
        tree.extend(kept)
    return toy
