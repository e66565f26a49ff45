"""CMS NanoAOD with particle-flow candidates: PFNano under its names of Run 2 and Run 3, or PF_*.

Values that PFNano packs are taken as they are; d0 and dz are -1 there when a candidate has no
track detail, which dzErr == -1 tells (a true dz of -1 cm exists), and become 0 as in MiniAOD.
"""

from __future__ import annotations

import functools

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged
from ptmiss.events.columns import OTHER_FLAVOUR
from ptmiss.events.readers.batch import Candidates
from ptmiss.events.readers.branch import Table
from ptmiss.events.readers.branches import collection_of, expected, friends_of
from ptmiss.events.readers.nanoaod import NanoEvents

_COLUMNS = ("pt", "eta", "phi", "mass", "d0", "dz", "charge", "pdg_id")


class PFNanoReader(NanoEvents):
    """One file of NanoAOD with candidates."""

    form = "pfnano"
    truth_name = "PFCands_truth"

    @classmethod
    def look_at(cls, table: Table, address: str) -> None:
        """Refuse NanoAOD without candidates, saying which kind it is."""
        refuse_without_candidates(table, address)

    @functools.cached_property
    def has_truth(self) -> bool:
        """Whether candidates carry their fraction from the hard collision."""
        return self.columns.has("cand_truth") and not self.given.is_data

    def candidates(self, start: int, stop: int, keep: np.ndarray) -> Candidates:
        """Return the candidates of the events start .. stop where `keep` is true."""
        fields = {name: f"cand_{name}" for name in _COLUMNS}
        if self.columns.has("cand_from_pv"):
            fields["from_pv"] = "cand_from_pv"
        else:
            fields["quality"] = "cand_quality"
        fields["dz_error"] = "cand_dz_error"
        other = OTHER_FLAVOUR[self.given.puppi_flavour]
        fields["puppi"] = f"cand_puppi_{self.given.puppi_flavour}"
        fields[f"puppi_{other}"] = f"cand_puppi_{other}"
        if self.has_truth:
            fields["truth"] = "cand_truth"
        read = self.columns.ragged(fields, start, stop, keep)
        columns = read.columns
        if "dz_error" in columns:
            no_detail = columns["dz_error"] == -1
            for name in ("d0", "dz"):
                columns[name][no_detail] = 0
        return Candidates(Ragged(read.offsets, columns))


def refuse_without_candidates(table: Table, address: str) -> None:
    """Raise `UserError` that says which kind of NanoAOD this is, if it holds no candidates."""
    want, present = expected("pfnano"), set(table.names)
    collection = collection_of(present, want)
    if collection == "PFCand" and not present & {"PFCand_charge", "PFCand_dz", "PFCand_d0"}:
        raise UserError(
            f"{address}: PFCand_* have no charge and no impact parameters: they are the "
            "constituents of fat jets, which NanoAOD v15 stores; MET needs all candidates: produce "
            "PFNano with all of them stored (PFCands_*, PFCandV2_*, PFCand_*), or take the "
            "METs that the file holds (source: nanoaod)"
        )
    if collection is None and not any(name.startswith(("PFCand", "PF_")) for name in present):
        *others, last = (f"{name}_*" for name in want.collections)
        raise UserError(
            f"{address}: NanoAOD without particle-flow candidates (no {', '.join(others)} or "
            f"{last}){friends_of(table)}; MET needs them: produce PFNano with all candidates "
            "stored, or take the METs that the file holds (source: nanoaod)"
        )
