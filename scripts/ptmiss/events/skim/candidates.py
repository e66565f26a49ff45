"""The candidates of a batch of selected events on their way into the skim."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged
from ptmiss.events.columns import with_neighbours
from ptmiss.events.ledger import Ledger
from ptmiss.events.objects.neighbours import neighbour_features
from ptmiss.events.objects.pinned import pinned
from ptmiss.events.readers.batch import Candidates, EventBatch, Vector
from ptmiss.events.settings.skim import SkimSettings
from ptmiss.events.skim import derive, repair
from ptmiss.events.skim.gates import check_units, off_raw_met, refuse_incomplete


@dataclass(frozen=True)
class CandidateSteps:
    """What is done to candidates, and counted in the ledger of their part.

    simulated: whether the files are those of our simulation, which hold all candidates.
    """

    settings: SkimSettings
    ledger: Ledger
    simulated: bool

    def repaired(self, candidates: Candidates, events: EventBatch, address: str) -> Ragged:
        """Return the candidates with all columns of the skim but `pinned`; count what it took."""
        settings = self.settings
        n_in = len(candidates.columns["pt"])
        columns, dropped = repair.remove_unusable(candidates.columns)
        check_units(columns, address)
        whole = columns.counts == candidates.columns.counts
        self._check_complete(columns, whole, events.stored.get("raw_pf"), address)
        limits = derive.Limits(
            settings.from_pv_tight, settings.from_pv_weighted, settings.from_pv_loose
        )
        from_pv, n_derived = derive.association(columns, limits, settings.puppi_flavour)
        derived = {"fromPV from dz and PUPPI weight": n_derived} if n_derived else {}
        if n_derived and settings.missing_from_pv == "refuse":
            raise UserError(
                f"{address}: {n_derived} charged candidates without fromPV (or vertex); produce "
                "the file with it, or set skim.missing_from_pv: derive"
            )
        columns = Ragged(columns.offsets, {**columns.columns, "from_pv": from_pv})
        columns, repaired = repair.mend(columns)
        columns, computed = derive.puppi(columns, events.n_pv_good, settings.puppi_flavour)
        for flavour in computed:
            if len(columns["pt"]):
                derived[f"PUPPI weight computed ({flavour})"] = len(columns["pt"])
        self.ledger.add_candidates(n_in, n_in - sum(dropped.values()), dropped, repaired, derived)
        return columns

    def _check_complete(
        self, columns: Ragged, whole: np.ndarray, stored: Vector | None, address: str
    ) -> None:
        """Compare the first events of a file with their stored raw MET; ours is made of the sum."""
        if self.simulated or self.ledger.compared:
            return
        off = off_raw_met(columns, whole, stored)
        if off is None:
            return
        if self.settings.incomplete_candidates == "refuse":
            refuse_incomplete(off, len(columns["pt"]) / columns.n_events, address)
        self.ledger.add_comparison(off[0])

    def limited(self, columns: Ragged) -> Ragged:
        """Return at most the allowed number of candidates an event, with the column `pinned` and,
        where they are wanted, those of neighbours.
        """
        columns, dropped = repair.hardest(columns, self.settings.max_candidates)
        self.ledger.add_candidates(0, -sum(dropped.values()), dropped, {}, {})
        mask = pinned(columns["pt"], columns["pdg_id"], columns["from_pv"], self.settings.pinned_pt)
        columns = Ragged(columns.offsets, {**columns.columns, "pinned": mask})
        if self.settings.neighbours:
            columns = with_neighbours(columns, neighbour_features(columns, mask))
        return columns
