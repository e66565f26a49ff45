"""CMS NanoAOD with particle-flow candidates: PFNano under its names of Run 2 and Run 3, or PF_*.

Values that PFNano packs are taken as they are; d0 and dz are -1 there when a candidate has no
track detail, which dzErr == -1 tells (a true dz of -1 cm exists), and become 0 as in MiniAOD.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged
from ptmiss.events.columns import OTHER_FLAVOUR
from ptmiss.events.readers.batch import Candidates, EventBatch
from ptmiss.events.readers.branch import Table
from ptmiss.events.readers.branches import collection_of, expected, friends_of
from ptmiss.events.readers.reader import Columns

_COLUMNS = ("pt", "eta", "phi", "mass", "d0", "dz", "charge", "pdg_id")


@dataclass(frozen=True)
class PFNanoReader:
    """One file of NanoAOD with candidates. puppi_flavour: "no_lepton" or "standard"."""

    columns: Columns
    puppi_flavour: str

    @property
    def address(self) -> str:
        """Path or address of the file."""
        return self.columns.address

    @property
    def n_events(self) -> int:
        """Number of events in the file."""
        return self.columns.n_events

    @property
    def sqrt_s(self) -> float | None:
        """Centre-of-mass energy in TeV, None where the file does not say it."""
        return self.columns.sqrt_s

    @property
    def has_truth(self) -> bool:
        """Whether candidates carry their fraction from the hard collision."""
        return self.columns.has("cand_truth") and not self.columns.is_data

    def chunks(self, limit: int) -> list[tuple[int, int]]:
        """Return ranges of at most `limit` events that cover the file."""
        return self.columns.chunks(limit)

    def identities(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return run, luminosity block (uint32) and event (uint64) of the events start .. stop."""
        run, lumi, event = (
            self.columns.flat(name, start, stop) for name in ("run", "lumi", "event")
        )
        return run.astype(np.uint32), lumi.astype(np.uint32), event.astype(np.uint64)

    def events(self, start: int, stop: int) -> EventBatch:
        """Return the events start .. stop without candidates."""
        read = self.columns
        n_pv = read.flat("n_pv", start, stop).astype(np.int64)
        good, rho = read.flat("n_pv_good", start, stop), read.flat("rho", start, stop)
        weight = None if read.is_data else read.flat("gen_weight", start, stop)
        run, lumi, event = self.identities(start, stop)
        return EventBatch(
            run=run,
            lumi=lumi,
            event=event,
            gen_weight=None if weight is None else weight.astype(np.float64),
            n_pv=n_pv,
            n_pv_good=n_pv if good is None else good.astype(np.int64),
            rho=None if rho is None else rho.astype(np.float64),
            gen_met=None if read.is_data else read.vector("gen_met", start, stop),
            stored=read.stored(start, stop),
            muons=read.leptons("muon", start, stop),
            electrons=read.leptons("electron", start, stop),
            jets=read.jets(start, stop),
            gen_jets=read.gen_jets(start, stop),
        )

    def candidates(self, start: int, stop: int, keep: np.ndarray) -> Candidates:
        """Return the candidates of the events start .. stop where `keep` is true."""
        fields = {name: f"cand_{name}" for name in _COLUMNS}
        if self.columns.has("cand_from_pv"):
            fields["from_pv"] = "cand_from_pv"
        else:
            fields["quality"] = "cand_quality"
        fields["dz_error"] = "cand_dz_error"
        other = OTHER_FLAVOUR[self.puppi_flavour]
        fields["puppi"] = f"cand_puppi_{self.puppi_flavour}"
        fields[f"puppi_{other}"] = f"cand_puppi_{other}"
        if self.has_truth:
            fields["truth"] = "cand_truth"
        found = self.columns.ragged(fields, start, stop, keep)
        columns = found.columns
        if "dz_error" in columns:
            no_detail = columns["dz_error"] == -1
            for name in ("d0", "dz"):
                columns[name][no_detail] = 0
        return Candidates(Ragged(found.offsets, columns))


def refuse_without_candidates(table: Table, address: str) -> None:
    """Raise `UserError` that says which kind of NanoAOD this is, if it holds no candidates."""
    want, present = expected("pfnano"), set(table.names)
    collection = collection_of(present, want)
    if collection == "PFCand" and not present & {"PFCand_charge", "PFCand_dz", "PFCand_d0"}:
        raise UserError(
            f"{address}: PFCand_* have no charge and no impact parameters: they are the "
            "constituents of fat jets, which NanoAOD v15 stores; MET needs all candidates: produce "
            "PFNano with all of them stored (PFCands_*, PFCandV2_*, PFCand_*)"
        )
    if collection is None and not any(name.startswith(("PFCand", "PF_")) for name in present):
        *others, last = (f"{name}_*" for name in want.collections)
        raise UserError(
            f"{address}: NanoAOD without particle-flow candidates (no {', '.join(others)} or "
            f"{last}){friends_of(table)}; MET needs them: produce PFNano with all candidates stored"
        )
