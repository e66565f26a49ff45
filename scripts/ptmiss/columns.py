"""The data model of a skim: names, types, units. Every later stage reads these columns."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

_EVENT = [
    # name, type, nullable, meaning
    ("run", pa.uint32(), False, "run number"),
    ("lumi", pa.uint32(), False, "luminosity block"),
    ("event", pa.uint64(), False, "event number"),
    ("fold", pa.uint8(), False, "fold 0..9, a hash of run, lumi and event"),
    ("weight", pa.float64(), False, "generator weight x cross-section normalisation; 1 for data"),
    ("n_pv", pa.uint16(), False, "number of reconstructed vertices"),
    ("rho", pa.float32(), False, "median energy density in GeV"),
    ("gen_met_px", pa.float32(), True, "true invisible momentum along x in GeV; null for data"),
    ("gen_met_py", pa.float32(), True, "true invisible momentum along y in GeV; null for data"),
    ("gen_ht", pa.float32(), True, "scalar sum of generator-jet pT in GeV; null for data"),
    (
        "boson_px",
        pa.float32(),
        True,
        "dilepton, or lepton + true neutrino, px in GeV",
    ),
    (
        "boson_py",
        pa.float32(),
        True,
        "dilepton, or lepton + true neutrino, py in GeV",
    ),
    ("n_jets", pa.uint8(), False, "anti-kT 0.4 jets, pT > 20 GeV, |eta| < 3, cleaned of leptons"),
]

STORED_METS = (
    "raw_pf",
    "pf",
    "raw_puppi",
    "puppi",
    "deepmet_resolution",
    "deepmet_response",
)
"""METs that an input may hold; each gives columns stored_{name}_px and stored_{name}_py."""

_CANDIDATE = [
    ("cand_pt", pa.float32(), "transverse momentum in GeV"),
    ("cand_eta", pa.float32(), "pseudorapidity"),
    ("cand_phi", pa.float32(), "azimuth in radians"),
    ("cand_mass", pa.float32(), "mass in GeV"),
    ("cand_d0", pa.float32(), "transverse impact parameter in cm, 0 without track detail"),
    ("cand_dz", pa.float32(), "longitudinal impact parameter in cm, 0 without track detail"),
    ("cand_puppi", pa.float32(), "PUPPI weight 0..1"),
    ("cand_charge", pa.int8(), "electric charge -1, 0, 1"),
    ("cand_pdg_id", pa.int16(), "particle-flow type, signed PDG code"),
    (
        "cand_from_pv",
        pa.uint8(),
        "link to the primary vertex, 0 (another) to 3 (used in it)",
    ),
    ("cand_pinned", pa.bool_(), "prompt lepton, kept at weight 1"),
    ("cand_truth", pa.float32(), "fraction of pT from the hard collision; simulated input only"),
]

CANDIDATE_COLUMNS = tuple(name for name, _, _ in _CANDIDATE)
"""Names of all candidate columns; cand_truth is absent from files without truth."""


def skim_schema(has_truth: bool) -> pa.Schema:
    """Return the Arrow schema of a skim; with the column cand_truth if `has_truth`."""
    fields = [
        pa.field(name, kind, nullable=null, metadata={"meaning": text})
        for name, kind, null, text in _EVENT
    ]
    for name in STORED_METS:
        for axis in ("px", "py"):
            text = f"{name} MET stored in the input, along {axis[1]} in GeV; null where absent"
            fields.append(
                pa.field(f"stored_{name}_{axis}", pa.float32(), metadata={"meaning": text})
            )
    for name, kind, text in _CANDIDATE:
        if name == "cand_truth" and not has_truth:
            continue
        item = pa.field("item", kind, nullable=False)
        fields.append(pa.field(name, pa.list_(item), nullable=False, metadata={"meaning": text}))
    return pa.schema(fields)


def layout_of(names: Iterable[str]) -> pa.Schema:
    """Return the fields of those columns that skims and estimates have.

    The columns of a skim as `skim_schema` has them; `{estimator}_px` and `_py` hold float64.
    """
    known = skim_schema(has_truth=True)
    fields = []
    for name in names:
        if name in known.names:
            fields.append(known.field(name))
        elif name.endswith(("_px", "_py")):
            fields.append(pa.field(name, pa.float64(), nullable=False))
    return pa.schema(fields)
