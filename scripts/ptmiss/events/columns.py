"""The data model of a skim: names, types, units. Every later stage reads these columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.paths import PathLike
from ptmiss.core.ragged import Ragged
from ptmiss.events.mets import STORED_METS, STORED_SHIFTS

IDENTITY = ("run", "lumi", "event")
"""Columns that name an event."""

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
    ("boson_px", pa.float32(), True, "dilepton, or lepton + true neutrino, px in GeV"),
    ("boson_py", pa.float32(), True, "dilepton, or lepton + true neutrino, py in GeV"),
    ("n_jets", pa.uint8(), False, "anti-kT 0.4 jets, pT > 20 GeV, |eta| < 3, cleaned of leptons"),
]

_LEPTON = [
    ("lepton_px", pa.float32(), True, "lepton of the W, px in GeV; of skims of W alone"),
    ("lepton_py", pa.float32(), True, "lepton of the W, py in GeV; of skims of W alone"),
]

STORED_KEY, CANDIDATES_KEY = "stored_mets", "has_candidates"
"""Metadata of a skim: stored METs that the input has, separated by commas; whether there are
columns of candidates."""

WEIGHT = "weight_"
"""Of the columns of variations of an event's weight."""

PREFIX = "cand_"
"""Of the columns of candidates in a skim; readers and objects name them without it."""

_CANDIDATE = [
    ("cand_pt", pa.float32(), "transverse momentum in GeV"),
    ("cand_eta", pa.float32(), "pseudorapidity"),
    ("cand_phi", pa.float32(), "azimuth in radians"),
    ("cand_mass", pa.float32(), "mass in GeV"),
    ("cand_d0", pa.float32(), "transverse impact parameter in cm, 0 without track detail"),
    ("cand_dz", pa.float32(), "longitudinal impact parameter in cm, 0 without track detail"),
    ("cand_puppi", pa.float32(), "PUPPI weight 0..1 of skim.puppi_flavour"),
    ("cand_charge", pa.int8(), "electric charge -1, 0, 1"),
    ("cand_pdg_id", pa.int16(), "particle-flow type, signed PDG code"),
    ("cand_from_pv", pa.uint8(), "link to the primary vertex, 0 (another) to 3 (used in it)"),
    ("cand_pinned", pa.bool_(), "prompt lepton, kept at weight 1"),
    ("cand_truth", pa.float32(), "fraction of pT from the hard collision; simulated input only"),
]

PUPPI = "cand_puppi"
"""Column of the PUPPI weight of `skim.puppi_flavour`, which the estimator `puppi` sums."""

PUPPI_KEY = "puppi_flavour"
"""Metadata of a skim: the flavour of the column `PUPPI`."""

OTHER_FLAVOUR = {"no_lepton": "standard", "standard": "no_lepton"}
"""Flavour of PUPPI -> the other one."""

_OTHER_PUPPI = [
    (
        f"{PUPPI}_{flavour}",
        pa.float32(),
        f"PUPPI weight 0..1, {flavour}; where cand_puppi has the other flavour",
    )
    for flavour in OTHER_FLAVOUR
]

NEIGHBOURS = {
    **{
        f"{kind}_{radius:02.0f}": f"sum of pT of {text} within {radius / 10:g}"
        for kind, text in (
            ("charged_pv", "charged candidates from the primary vertex"),
            ("charged_pu", "other charged candidates"),
            ("photon", "photons"),
            ("neutral", "other neutral candidates"),
        )
        for radius in (1, 2, 4)
    },
    "near_charged_pv": "sum of (pT / dR)^2 of charged ones from the primary vertex within 0.4",
    "near_all": "sum of (pT / dR)^2 of all candidates within 0.4",
    "vertex_pt": "sum of pT of the other tracks at a track's vertex",
    "vertex_pt2": "sum of pT^2 of the other tracks at a track's vertex",
    "vertex_along": "sum of the momenta of these tracks along the track",
    "vertex_across": "sum of the momenta of these tracks across the track, its size",
}
"""Features of a candidate's neighbours (`objects.neighbours`), with what each is the logarithm of.
The columns cand_nb_{name} hold them where `skim.neighbours` is on."""

NEIGHBOURS_VERSION = 1
"""Of the definition of these features: rises with every change of a number."""

NEIGHBOURS_KEY = "neighbours"
"""Metadata of a skim with these columns: the version of their definition."""

_NEIGHBOUR_PREFIX = "nb_"

_NEIGHBOUR = [
    (f"{PREFIX}{_NEIGHBOUR_PREFIX}{name}", pa.float32(), f"0.4 ln(1 + {text})")
    for name, text in NEIGHBOURS.items()
]

CANDIDATE_COLUMNS = tuple(name for name, _, _ in (*_CANDIDATE, *_OTHER_PUPPI, *_NEIGHBOUR))
"""Names of all candidate columns; cand_truth is absent from files without truth, of the PUPPI
weights of one flavour a skim has the one that cand_puppi is not, and cand_nb_* are optional."""


def without_prefix(candidates: Ragged) -> Ragged:
    """Return the columns of candidates of a skim under the names that readers and objects use."""
    columns = {name.removeprefix(PREFIX): values for name, values in candidates.columns.items()}
    return Ragged(candidates.offsets, columns)


def with_prefix(candidates: Ragged) -> Ragged:
    """Return the columns of candidates under the names that they have in a skim."""
    columns = {f"{PREFIX}{name}": values for name, values in candidates.columns.items()}
    return Ragged(candidates.offsets, columns)


def with_neighbours(candidates: Ragged, features: np.ndarray) -> Ragged:
    """Return candidates with columns nb_{name} of the features, float32 (n_candidates, 18)."""
    columns = {f"{_NEIGHBOUR_PREFIX}{name}": features[:, k] for k, name in enumerate(NEIGHBOURS)}
    return Ragged(candidates.offsets, {**candidates.columns, **columns})


class Content(NamedTuple):
    """What the input of a skim had, beyond the columns that all skims have alike.

    candidates: whether it had candidates; stored: the stored METs; shifts: those that it had moved
    too, such as "puppi_jes_up"; lepton: whether the selection is of a W, whose lepton is kept.
    weights: variations of the weight, such as "pileup_up"; neighbours: whether features of
    neighbours are kept beside candidates. The last four have columns that others lack: a stored MET
    that is not there is null.
    """

    candidates: bool = True
    stored: tuple[str, ...] = ()
    shifts: tuple[str, ...] = ()
    lepton: bool = False
    weights: tuple[str, ...] = ()
    neighbours: bool = False


WHOLE = Content()


def skim_schema(
    has_truth: bool, other_puppi: str | None = None, content: Content = WHOLE
) -> pa.Schema:
    """Return the Arrow schema of a skim; with the column cand_truth if `has_truth`.

    other_puppi: the flavour that has a column of its own beside cand_puppi, None for none.
    """
    fields = [
        pa.field(name, kind, nullable=null, metadata={"meaning": text})
        for name, kind, null, text in (*_EVENT, *(_LEPTON if content.lepton else ()))
    ]
    for name in content.weights:
        meaning = {"meaning": f"weight of the event under the variation {name}"}
        fields.append(pa.field(f"{WEIGHT}{name}", pa.float64(), nullable=False, metadata=meaning))
    for name in STORED_METS:
        for axis in ("px", "py"):
            text = f"{name} MET stored in the input, along {axis[1]} in GeV; null where absent"
            fields.append(
                pa.field(f"stored_{name}_{axis}", pa.float32(), metadata={"meaning": text})
            )
    for name in content.shifts:
        for axis in ("px", "py"):
            text = (
                f"stored MET and its variation, {name}, along {axis[1]} in GeV; null where absent"
            )
            fields.append(
                pa.field(f"stored_{name}_{axis}", pa.float32(), metadata={"meaning": text})
            )
    candidate = [*_CANDIDATE, *_OTHER_PUPPI, *(_NEIGHBOUR if content.neighbours else ())]
    for name, kind, text in candidate if content.candidates else ():
        if name == "cand_truth" and not has_truth:
            continue
        if (name, kind, text) in _OTHER_PUPPI and name != f"{PUPPI}_{other_puppi}":
            continue
        item = pa.field("item", kind, nullable=False)
        fields.append(pa.field(name, pa.list_(item), nullable=False, metadata={"meaning": text}))
    return pa.schema(fields)


def content_of(schema: pa.Schema) -> Content:
    """Return what a skim says that its input had, see `Content`."""
    metadata = schema.metadata or {}
    stored = metadata.get(STORED_KEY.encode(), b"").decode(errors="replace")
    shifts = (f"{name}_{shift}" for name in STORED_METS for shift in STORED_SHIFTS)
    return Content(
        candidates=metadata.get(CANDIDATES_KEY.encode()) != b"false",
        stored=tuple(name for name in stored.split(",") if name in STORED_METS),
        shifts=tuple(name for name in shifts if f"stored_{name}_px" in schema.names),
        lepton="lepton_px" in schema.names,
        weights=tuple(n.removeprefix(WEIGHT) for n in schema.names if n.startswith(WEIGHT)),
        neighbours=NEIGHBOURS_KEY.encode() in metadata,
    )


def flavour_of(schema: pa.Schema, skim: PathLike) -> str:
    """Return the flavour of the column cand_puppi; raises `UserError` if a skim does not say it."""
    stored: bytes = (schema.metadata or {}).get(PUPPI_KEY.encode(), b"")
    flavour = stored.decode(errors="replace")
    if flavour not in OTHER_FLAVOUR:
        raise UserError(
            f"{skim}: does not say which PUPPI weight cand_puppi is ({PUPPI_KEY}); make the skim"
            " again"
        )
    return flavour


def puppi_column(schema: pa.Schema, flavour: str | None, skim: PathLike, model: PathLike) -> str:
    """Return the column of a skim that a model gets as PUPPI weight.

    Parameters
    ----------
    schema
        Of the skim.
    flavour
        What the model wants, None for one that does not look at it.
    skim, model
        Their files, for messages.

    Raises
    ------
    UserError
        If the skim has only the other flavour.
    """
    if flavour is None:
        return PUPPI
    own = flavour_of(schema, skim)
    if own == flavour:
        return PUPPI
    name = f"{PUPPI}_{flavour}"
    if name not in schema.names:
        raise UserError(
            f"{skim}: has only the PUPPI weight {own!r}, but the model {model} wants {flavour!r}"
            f" (column {name}); make the skim again"
        )
    return name


def layout_of(names: Iterable[str]) -> pa.Schema:
    """Return the fields of those columns that skims and estimates have.

    The columns of a skim as `skim_schema` has them; `{estimator}_px` and `_py` hold float64.
    """
    shifts = tuple(f"{name}_{shift}" for name in STORED_METS for shift in STORED_SHIFTS)
    content = Content(shifts=shifts, lepton=True, neighbours=True)
    known = pa.unify_schemas([skim_schema(True, flavour, content) for flavour in OTHER_FLAVOUR])
    fields = []
    for name in names:
        if name in known.names:
            fields.append(known.field(name))
        elif name.endswith(("_px", "_py")) or name.startswith(WEIGHT):
            fields.append(pa.field(name, pa.float64(), nullable=False))
    return pa.schema(fields)
