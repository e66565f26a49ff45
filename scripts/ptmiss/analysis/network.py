"""A network of missing momentum on awkward arrays of candidates, such as `events.PFCands`."""

from __future__ import annotations

import awkward as ak
import numpy as np

from ptmiss.analysis.corrections import Polar
from ptmiss.core.errors import UserError
from ptmiss.core.paths import PathLike
from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.events.columns import OTHER_FLAVOUR, with_prefix
from ptmiss.events.readers.branches import expected
from ptmiss.events.skim.association import Limits, association
from ptmiss.events.skim.repair import mend, remove_unusable
from ptmiss.learn.onnx import file
from ptmiss.tasks.met.estimators.network import NetworkEstimator

STANDARD = "standard"
"""Flavour of the PUPPI weight that tells a vertex, where a network wants none."""

LIMITS = Limits(tight=0.03, weighted=0.1, loose=0.3)
"""cm; those of `skim.from_pv_*` in config.yaml."""

_NEEDED = ("pt", "eta", "phi", "mass", "d0", "dz", "charge", "pdg_id")
_HELPFUL = ("from_pv", "dz_error", "quality")


class Network:
    """A network in an ONNX file: one of ours, or any with the interface of CMSSW's DeepMET.

    Attributes
    ----------
    repairs : dict of str to int
        Candidates that were removed, mended or given a vertex so far, by reason.
    """

    def __init__(self, path: PathLike, threads: int = 1) -> None:
        """Load a file; raises `UserError` for one that is no such network."""
        self._estimator = NetworkEstimator(file.read(path), threads)
        self._flavour = self._estimator.rules.wanted_puppi
        self.repairs: dict[str, int] = {}

    def met(self, candidates: ak.Array) -> Polar:
        """Return pTmiss of each event.

        Parameters
        ----------
        candidates : awkward.Array
            Lists of records with the names of PFNano: pt, eta, phi, mass, d0 (or dxy), dz, charge,
            pdgId, and puppiWeight or puppiWeightNoLep, whichever the network was trained with.
            dzErr is needed where d0 and dz are not 0 without track detail. Without fromPV (or
            fromPV0) that follows from pvAssocQuality, dz and PUPPI weight by MiniAOD's rule, as
            in a skim. All candidates of an event, not only those in jets.

        Raises
        ------
        UserError
            For a field that is missing and for what is no list of records.
        """
        usable, dropped = remove_unusable(_ragged(candidates, self._flavour))
        from_pv, derived = association(usable, LIMITS, self._flavour or STANDARD)
        columns = {**usable.columns, "from_pv": from_pv}
        columns.setdefault("puppi", np.zeros(from_pv.size, dtype=np.float32))  # seen by none
        mended, repaired = mend(Ragged(usable.offsets, columns))
        counts = {**dropped, "fromPV from dz and PUPPI weight": derived, **repaired}
        for reason, n in counts.items():
            if n:
                self.repairs[reason] = self.repairs.get(reason, 0) + n
        result = self._estimator.estimate(with_prefix(mended))
        return Polar(np.hypot(result.px, result.py), np.arctan2(result.py, result.px))


def _ragged(candidates: ak.Array, flavour: str | None) -> Ragged:
    """Return the columns of candidates under the names that readers use.

    flavour: of the PUPPI weight that the network wants, None for one that sees none.
    """
    names = set(ak.fields(candidates))
    if candidates.ndim != 2 or not names:
        raise UserError(
            f"candidates: {str(candidates.type)[:80]}, expected a list of records an event, such as"
            " events.PFCands"
        )
    puppi = flavour or STANDARD
    weights = {"puppi": puppi, f"puppi_{OTHER_FLAVOUR[puppi]}": OTHER_FLAVOUR[puppi]}
    fields = {name: _field(name) for name in (*_NEEDED, *_HELPFUL)}
    fields |= {column: _field(f"puppi_{key}") for column, key in weights.items()}
    needed = _NEEDED if flavour is None else (*_NEEDED, "puppi")
    columns = {}
    for key, spellings in fields.items():
        name = next((one for one in spellings if one in names), None)
        if name is not None:
            columns[key] = _flat(candidates, name)
        elif key in needed:
            raise UserError(
                f"candidates: no field {' or '.join(spellings)}, which the network needs (found:"
                f" {', '.join(sorted(names))[:200]})"
            )
    if "dz_error" in columns:
        no_detail = columns["dz_error"] == -1
        for name in ("d0", "dz"):
            columns[name] = np.where(no_detail, np.float32(0.0), columns[name])
    counts = np.asarray(ak.num(candidates, axis=1), dtype=np.int64)
    return Ragged(offsets_of(counts), columns)


def _field(name: str) -> list[str]:
    """Return the names that a field of candidates may have."""
    return [text.removeprefix("*_") for text in expected("pfnano").fields[f"cand_{name}"].names]


def _flat(candidates: ak.Array, name: str) -> np.ndarray:
    try:
        values = np.asarray(ak.flatten(candidates[name], axis=1))
    except (TypeError, ValueError) as error:
        raise UserError(f"candidates: {name}: {' '.join(str(error).split())[:120]}") from None
    kind = np.int32 if np.issubdtype(values.dtype, np.integer) else np.float32
    return values.astype(kind)
