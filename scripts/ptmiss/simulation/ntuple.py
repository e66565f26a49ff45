"""The ntuple: a TTree in the layout of PFNano, the same bytes for the same events."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import awkward as ak
import numpy as np

from ptmiss.core.io.root import recreated
from ptmiss.core.paths import PathLike
from ptmiss.core.ragged import Ragged

TREE = "Events"

_FLOAT, _INT = np.dtype(np.float32), np.dtype(np.int32)

COLLECTIONS: dict[str, dict[str, np.dtype]] = {
    "PFCands": {
        **dict.fromkeys(("pt", "eta", "phi", "mass"), _FLOAT),
        **dict.fromkeys(("charge", "pdgId"), _INT),
        **dict.fromkeys(("d0", "d0Err", "dz", "dzErr"), _FLOAT),
        **dict.fromkeys(("fromPV", "pvAssocQuality"), _INT),
        **dict.fromkeys(("puppiWeight", "puppiWeightNoLep", "truth"), _FLOAT),
    },
    "GenJet": dict.fromkeys(("pt", "eta", "phi", "mass"), _FLOAT),
    "Jet": dict.fromkeys(("pt", "eta", "phi", "mass"), _FLOAT),
    "Muon": {
        **dict.fromkeys(("pt", "eta", "phi", "mass"), _FLOAT),
        "charge": _INT,
        "pdgId": _INT,
        "pfRelIso04_all": _FLOAT,
        "looseId": np.dtype(bool),
    },
    "Electron": {
        **dict.fromkeys(("pt", "eta", "phi", "mass"), _FLOAT),
        "charge": _INT,
        "pdgId": _INT,
        "pfRelIso03_all": _FLOAT,
        "cutBased": _INT,
    },
}
"""Branches of each collection and their types."""

SCALARS: dict[str, np.dtype] = {
    "run": np.dtype(np.uint32),
    "luminosityBlock": np.dtype(np.uint32),
    "event": np.dtype(np.uint64),
    "genWeight": _FLOAT,
    "PV_npvs": _INT,
    "PV_npvsGood": _INT,
    "PV_x": _FLOAT,
    "PV_y": _FLOAT,
    "PV_z": _FLOAT,
    "GenVtx_x": _FLOAT,
    "GenVtx_y": _FLOAT,
    "GenVtx_z": _FLOAT,
    "Pileup_nTrueInt": _FLOAT,
    "Pileup_nPU": _INT,
    "fixedGridRhoFastjetAll": _FLOAT,
    "GenMET_pt": _FLOAT,
    "GenMET_phi": _FLOAT,
    "GenVBoson_pt": _FLOAT,
    "GenVBoson_phi": _FLOAT,
    **{
        f"{met}_{field}": _FLOAT
        for met in ("RawMET", "PuppiMET", "RawPuppiMET")
        for field in ("pt", "phi", "sumEt")
    },
}
"""Branches with one number an event."""

BITS = {"eta": 12, "phi": 12}
"""Mantissa bits kept where it is not `DEFAULT_BITS` (as NanoAOD rounds its floats)."""

DEFAULT_BITS = 10


def round_mantissa(values: np.ndarray, bits: int) -> np.ndarray:
    """Return float32 values with the mantissa rounded to `bits` bits (half away from zero)."""
    raw = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    drop = np.uint32(23 - bits)
    half = np.uint32(1) << (drop - np.uint32(1))
    return (((raw + half) >> drop) << drop).view(np.float32)


def packed(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the columns with all floats rounded as they are stored."""
    return {
        name: round_mantissa(values, BITS.get(name, DEFAULT_BITS))
        if np.issubdtype(values.dtype, np.floating)
        else values
        for name, values in columns.items()
    }


@contextlib.contextmanager
def writing(path: PathLike, identity: str, sqrt_s: float) -> Iterator[_Writer]:
    """Yield a writer; the file appears whole, and its bytes depend on the events alone.

    identity: what the file is called inside, such as "zmumu/0003"; its UUID follows from it.
    sqrt_s: centre-of-mass energy in TeV, kept beside the tree as the text `sqrt_s`.
    """
    with recreated(path, identity) as file:
        file["sqrt_s"] = f"{sqrt_s:g}"
        types: dict[str, Any] = dict(SCALARS)
        for collection, fields in COLLECTIONS.items():
            item = ", ".join(f'"{field}": {kind.name}' for field, kind in fields.items())
            types[collection] = f"var * {{{item}}}"
        yield _Writer(file.mktree(TREE, types, title=identity))


class _Writer:
    def __init__(self, tree: Any) -> None:
        self._tree = tree

    def write(self, scalars: dict[str, np.ndarray], collections: dict[str, Ragged]) -> None:
        """Append events: every branch of `SCALARS` and `COLLECTIONS`, nothing else."""
        data: dict[str, Any] = {}
        for name, kind in SCALARS.items():
            data[name] = np.ascontiguousarray(scalars[name], dtype=kind)
        for name, fields in COLLECTIONS.items():
            ragged = collections[name]
            content = ak.contents.RecordArray(
                [
                    ak.contents.NumpyArray(np.ascontiguousarray(ragged[field], dtype=kind))
                    for field, kind in fields.items()
                ],
                list(fields),
            )
            offsets = ak.index.Index64(ragged.offsets)
            data[name] = ak.Array(ak.contents.ListOffsetArray(offsets, content))
        self._tree.extend(data)
