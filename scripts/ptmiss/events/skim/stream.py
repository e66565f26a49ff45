"""From ntuples to one Parquet file and its ledger, a batch at a time: memory does not grow."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.io import parquet
from ptmiss.core.io.manifest import base_name, sha256_of
from ptmiss.core.paths import PathLike, is_remote
from ptmiss.core.progress import progress
from ptmiss.core.ragged import Ragged
from ptmiss.events.columns import (
    NEIGHBOURS_KEY,
    OTHER_FLAVOUR,
    PUPPI_KEY,
    skim_schema,
    with_neighbours,
)
from ptmiss.events.ledger import COMMON_REASONS, Ledger
from ptmiss.events.objects.neighbours import VERSION, neighbour_features
from ptmiss.events.objects.pinned import pinned
from ptmiss.events.readers.batch import Candidates, EventBatch, Vector
from ptmiss.events.readers.formats import reader_of
from ptmiss.events.readers.reader import Input, Reader
from ptmiss.events.readers.remote import Remote
from ptmiss.events.settings.samples import FileSample, SimulatedSample
from ptmiss.events.settings.skim import SkimSettings
from ptmiss.events.skim import derive, repair
from ptmiss.events.skim.gates import check_units, off_raw_met, refuse_incomplete
from ptmiss.events.skim.identity import Identities
from ptmiss.events.skim.select import clean_leptons, select
from ptmiss.events.skim.table import Derived, to_table

_LOG = logging.getLogger(__name__)

MOST_OF_SUM = 10.0
"""Share of a sample's sum of weights in one part: above 1 only by negative weights elsewhere."""


def skim(job: Skim, ntuples: Sequence[str], events: PathLike, ledger: PathLike) -> Ledger:
    """Skim the files of one part of a sample; the stage skim."""
    return job.run(ntuples, events, ledger)


@dataclass
class Skim:
    """One part of a sample on its way to Parquet."""

    sample: str
    part: str
    spec: SimulatedSample | FileSample
    settings: SkimSettings

    def __post_init__(self) -> None:
        if self.spec.selection not in self.settings.selections:
            allowed = ", ".join(sorted(self.settings.selections))
            raise UserError(
                f"setting samples.{self.sample}.selection: found {self.spec.selection!r}, allowed: "
                f"{allowed}"
            )
        self.selection = self.settings.selections[self.spec.selection]
        self.is_data = isinstance(self.spec, FileSample) and self.spec.is_data
        self.typical_weight = 0.0
        self.energy_of: dict[float | None, str] = {}
        self.remote = Remote(
            self.settings.remote_attempts, self.settings.remote_wait, self.settings.remote_timeout
        )
        self.reader = reader_of(self.spec.source)
        recorded = self.is_data and self.reader.numbers_events
        self.identities = Identities(by_content=not recorded and self.spec.source != "simulated")
        self.ledger = Ledger(
            sample=self.sample,
            part=self.part,
            source=self.spec.source,
            selection=self.spec.selection,
            is_data=self.is_data,
        )

    def run(self, ntuples: Sequence[str], events_path: PathLike, ledger_path: PathLike) -> Ledger:
        """Skim the files into `events_path` and `ledger_path`; returns the ledger."""
        tables = self._tables(ntuples)
        first = next(tables, None)
        if first is None:
            schema = self._schema(has_truth=self.spec.source == "simulated")
        else:
            schema = first.schema
            tables = itertools.chain([first], tables)
        with parquet.writing(events_path, schema) as writer:
            for group in regrouped(tables, self.settings.rows_per_group):
                writer.write_table(group, row_group_size=group.num_rows)
            self._check_sum_of_weights()
        self.ledger.write(ledger_path)
        return self.ledger

    def _schema(self, has_truth: bool) -> pa.Schema:
        energy = next(iter(self.energy_of), None)
        known = {} if energy is None else {"sqrt_s": f"{energy:g}"}
        flavour, neighbours = self.settings.puppi_flavour, self.settings.neighbours
        known |= {NEIGHBOURS_KEY: str(VERSION)} if neighbours else {}
        return skim_schema(has_truth, OTHER_FLAVOUR[flavour], neighbours).with_metadata(
            {
                "sample": self.sample,
                "part": self.part,
                "source": self.spec.source,
                "label": self.spec.label,
                "has_truth": str(has_truth).lower(),
                "is_data": str(self.is_data).lower(),
                "selection": self.selection.kind,
                PUPPI_KEY: flavour,
                **known,
            }
        )

    def _tables(self, ntuples: Sequence[str]) -> Iterator[pa.Table]:
        truth_of: dict[bool, str] = {}
        for address in ntuples:
            sha256 = None if is_remote(address) else sha256_of(address)
            given = Input(self.is_data, self.settings.puppi_flavour, sha256 or address, self.remote)
            with self.reader.open(address, given) as reader:
                self.ledger.add_input(base_name(address), sha256, reader.n_events)
                _LOG.info("%s: %d events", base_name(address), reader.n_events)
                self._check_energy(reader)
                if reader.n_events == 0:
                    continue
                truth_of.setdefault(reader.has_truth, address)
                if len(truth_of) == 2:
                    raise UserError(
                        f"{truth_of[False]}: no {reader.truth_name}, but "
                        f"{truth_of[True]} has it; files of one sample must agree, make two "
                        "samples of them"
                    )
                if self.spec.source == "simulated" and not reader.has_truth:
                    raise UserError(
                        f"{address}: no branch PFCands_truth, which simulated samples have; a file "
                        "of other origin needs source: pfnano"
                    )
                schema = self._schema(reader.has_truth)
                self.identities.open(reader, self.settings.chunk_events)
                pieces = reader.chunks(self.settings.chunk_events)
                name, n = base_name(address), reader.n_events
                for start, stop in progress(pieces, name, n, lambda piece: piece[1] - piece[0]):
                    yield self._batch(reader, start, stop, schema)

    def _check_energy(self, reader: Reader) -> None:
        """Refuse a file of another centre-of-mass energy than the settings or other files say."""
        wanted = self.spec.sqrt_s if isinstance(self.spec, FileSample) else None
        energy = reader.sqrt_s
        if energy is not None and wanted is not None and energy != wanted:
            raise UserError(
                f"{reader.address}: sqrt(s) {_tev(energy)}, but samples.{self.sample}.sqrt_s is "
                f"{wanted:g}; correct the setting"
            )
        self.energy_of.setdefault(energy if wanted is None else wanted, reader.address)
        if len(self.energy_of) == 2:
            (first, address), (other, _) = self.energy_of.items()
            raise UserError(
                f"{reader.address}: sqrt(s) {_tev(other)}, but {_tev(first)} in {address}; files "
                "of one sample must agree, make two samples of them"
            )

    def _check_sum_of_weights(self) -> None:
        """Refuse a sum of weights that is far below what is seen of it here: it is of all events.

        A sum that is far above is possible, the files may be a few of many. So that one event of
        absurd weight is not taken for it, the medians of batches must say the same.
        """
        spec = self.spec
        if not isinstance(spec, FileSample) or self.is_data or spec.sum_of_weights == 1.0:
            return
        share = self.ledger.weight_in / spec.cross_section
        if min(share, self.typical_weight / spec.cross_section) <= MOST_OF_SUM:
            return
        n = self.ledger.events_in
        raise UserError(
            f"samples.{self.sample}.sum_of_weights is {spec.sum_of_weights:g}, but the generator "
            f"weights of the {n} events of part {self.part} alone add up to "
            f"{share * spec.sum_of_weights:g} (mean {share * spec.sum_of_weights / n:g}); give the "
            "sum of the weights of all generated events, not their number"
        )

    def _batch(self, reader: Reader, start: int, stop: int, schema: pa.Schema) -> pa.Table:
        """Select first, on event columns alone; read the candidates of what is left."""
        events, again, renumbered = self.identities.judge(reader.events(start, stop))
        self.ledger.renumbered.update(renumbered)
        weight = self._weight(events)
        size = np.abs(weight[np.isfinite(weight)])
        self.typical_weight += len(size) * float(np.median(size)) if len(size) else 0.0
        keep = self._judge(events, weight, again, reader.address)
        candidates = reader.candidates(start, stop, keep)
        events, weight = events.take(keep), weight[keep]
        selected = select(events, self.selection, reader.address)
        columns = self._repaired(candidates, events, reader.address)
        leptons = clean_leptons(
            events, selected, self.settings.jet_lepton_pt, self.settings.jet_lepton_isolation
        )
        jets = derive.n_jets(events, columns, leptons)
        rho = events.rho
        if rho is None or not np.isfinite(rho).all():
            own = derive.density(columns)
            rho = own if rho is None else np.where(np.isfinite(rho), rho, own)
        columns = self._limited(columns)
        for name, vector in events.stored.items():
            bad = int(np.count_nonzero(~(np.isfinite(vector.px) & np.isfinite(vector.py))))
            if bad:
                self.ledger.not_finite[name] += bad
        return to_table(schema, events, columns, Derived(weight, rho, selected.boson, jets))

    def _weight(self, events: EventBatch) -> np.ndarray:
        """Generator weight times cross-section over the sum of all weights; 1 for data."""
        if self.is_data or events.gen_weight is None:
            weight = np.ones(events.n_events)
        else:
            weight = events.gen_weight
        if isinstance(self.spec, FileSample) and not self.is_data:
            weight = weight * (self.spec.cross_section / self.spec.sum_of_weights)
        return weight

    def _judge(
        self, events: EventBatch, weight: np.ndarray, again: np.ndarray, address: str
    ) -> np.ndarray:
        """Return which events are kept and enter all into the ledger."""
        selected = select(events, self.selection, address)
        reasons = (*COMMON_REASONS, *selected.reasons)
        reason = np.where(selected.passed, -1, selected.reason + len(COMMON_REASONS))
        if events.gen_met is not None:
            bad_met = ~(np.isfinite(events.gen_met.px) & np.isfinite(events.gen_met.py))
            reason[bad_met] = 2
        reason[~np.isfinite(weight)] = 1
        reason[again] = 0
        self.ledger.add_events(weight, reason, reasons)
        return reason < 0

    def _repaired(self, candidates: Candidates, events: EventBatch, address: str) -> Ragged:
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
        if self.spec.source == "simulated" or self.ledger.compared:
            return
        off = off_raw_met(columns, whole, stored)
        if off is None:
            return
        if self.settings.incomplete_candidates == "refuse":
            refuse_incomplete(off, len(columns["pt"]) / columns.n_events, address)
        self.ledger.add_comparison(off[0])

    def _limited(self, columns: Ragged) -> Ragged:
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


def _tev(energy: float | None) -> str:
    return "is not said" if energy is None else f"is {energy:g} TeV"


def regrouped(tables: Iterator[pa.Table], rows: int) -> Iterator[pa.Table]:
    """Yield tables of `rows` rows each (the last has the rest) with the rows of `tables`."""
    waiting: list[pa.Table] = []
    n = 0
    for table in tables:
        waiting.append(table)
        n += table.num_rows
        while n >= rows:
            joined = pa.concat_tables(waiting)
            yield joined.slice(0, rows)
            waiting, n = [joined.slice(rows)], n - rows
    if n:
        yield pa.concat_tables(waiting)
