"""A network of missing momentum on awkward arrays of candidates, such as `events.PFCands`."""

from __future__ import annotations

import awkward as ak
import numpy as np

from ptmiss.analysis.corrections import Polar
from ptmiss.core.errors import UserError
from ptmiss.core.paths import PathLike
from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.events.columns import PUPPI, with_prefix
from ptmiss.events.readers.branches import expected
from ptmiss.events.skim.repair import mend, remove_unusable
from ptmiss.learn.onnx import file
from ptmiss.tasks.met.estimators.network import NetworkEstimator

_COLUMNS = ("pt", "eta", "phi", "mass", "d0", "dz", "charge", "pdg_id", "from_pv")


class Network:
    """A network in an ONNX file: one of ours, or any with the interface of CMSSW's DeepMET.

    Attributes
    ----------
    repairs : dict of str to int
        Candidates that were removed or mended so far, by reason.
    """

    def __init__(self, path: PathLike, threads: int = 1) -> None:
        """Load a file; raises `UserError` for one that is no such network."""
        self._estimator = NetworkEstimator(file.read(path), threads)
        self.repairs: dict[str, int] = {}

    def met(self, candidates: ak.Array) -> Polar:
        """Return pTmiss of each event.

        Parameters
        ----------
        candidates : awkward.Array
            Lists of records with the names of PFNano: pt, eta, phi, mass, d0 (or dxy), dz, charge,
            pdgId, fromPV (or fromPV0), puppiWeight or puppiWeightNoLep, whichever the network was
            trained with; dzErr where there is one. All candidates of an event, not only those in
            jets.

        Raises
        ------
        UserError
            For a field that is missing and for what is no list of records.
        """
        given = _ragged(candidates, self._estimator.rules.wanted_puppi)
        usable, dropped = remove_unusable(given)
        mended, repaired = mend(usable)
        for reason, n in {**dropped, **repaired}.items():
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
    fields = {name: _field(f"cand_{name}") for name in _COLUMNS}
    if flavour is not None:
        fields["puppi"] = _field(f"{PUPPI}_{flavour}")
    present = {key: next((n for n in among if n in names), None) for key, among in fields.items()}
    for key, name in present.items():
        if name is None:
            raise UserError(
                f"candidates: no field {' or '.join(fields[key])}, which the network needs (found:"
                f" {', '.join(sorted(names))[:200]})"
            )
    columns = {key: _flat(candidates, name) for key, name in present.items() if name}
    if flavour is None:
        columns["puppi"] = np.zeros(len(columns["pt"]), dtype=np.float32)
    if "dzErr" in names:
        no_detail = _flat(candidates, "dzErr") == -1
        for name in ("d0", "dz"):
            columns[name] = np.where(no_detail, np.float32(0.0), columns[name])
    counts = np.asarray(ak.num(candidates, axis=1), dtype=np.int64)
    return Ragged(offsets_of(counts), columns)


def _field(key: str) -> list[str]:
    """Return the names that a field of candidates may have."""
    return [name.removeprefix("*_") for name in expected("pfnano").fields[key].names]


def _flat(candidates: ak.Array, name: str) -> np.ndarray:
    try:
        values = np.asarray(ak.flatten(candidates[name], axis=1))
    except (TypeError, ValueError) as error:
        raise UserError(f"candidates: {name}: {' '.join(str(error).split())[:120]}") from None
    kind = np.int32 if np.issubdtype(values.dtype, np.integer) else np.float32
    return values.astype(kind)
