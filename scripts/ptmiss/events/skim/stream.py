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
from ptmiss.events.columns import (
    CANDIDATES_KEY,
    NEIGHBOURS_KEY,
    OTHER_FLAVOUR,
    PUPPI_KEY,
    STORED_KEY,
    Content,
    skim_schema,
)
from ptmiss.events.ledger import COMMON_REASONS, Ledger
from ptmiss.events.objects.neighbours import VERSION
from ptmiss.events.readers.batch import EventBatch
from ptmiss.events.readers.formats import reader_of
from ptmiss.events.readers.reader import Input, Reader
from ptmiss.events.readers.remote import Remote
from ptmiss.events.settings.samples import FileSample, SimulatedSample
from ptmiss.events.settings.skim import SkimSettings, WenuSelection, WmunuSelection
from ptmiss.events.skim import derive
from ptmiss.events.skim.agreement import Agreement
from ptmiss.events.skim.candidates import CandidateSteps
from ptmiss.events.skim.corrections import apply, load, varied_names
from ptmiss.events.skim.identity import Identities
from ptmiss.events.skim.quality import Quality
from ptmiss.events.skim.select import clean_leptons, select
from ptmiss.events.skim.sums import with_sum
from ptmiss.events.skim.table import Derived, to_table
from ptmiss.events.skim.weights import Weights

_LOG = logging.getLogger(__name__)

LIGHT = 20
"""So many more events are in memory at a time where they have no candidates."""


def skim(job: Skim, ntuples: Sequence[str], events: PathLike, ledger: PathLike) -> Ledger:
    """Skim the files of one part of a sample; the stage skim."""
    return job.run(ntuples, events, ledger)


@dataclass
class Skim:
    """One part of a sample on its way to Parquet. sums: what the stage sums wrote, where the sample
    leaves its sum of weights to the files."""

    sample: str
    part: str
    spec: SimulatedSample | FileSample
    settings: SkimSettings
    sums: PathLike | None = None

    def __post_init__(self) -> None:
        if self.spec.selection not in self.settings.selections:
            allowed = ", ".join(sorted(self.settings.selections))
            raise UserError(
                f"setting samples.{self.sample}.selection: found {self.spec.selection!r}, allowed: "
                f"{allowed}"
            )
        if isinstance(self.spec, FileSample):
            self.spec = with_sum(self.spec, self.sample, self.sums)
        self.selection = self.settings.selections[self.spec.selection]
        self.is_data = isinstance(self.spec, FileSample) and self.spec.is_data
        self.agreement = Agreement(self.sample, self.spec)
        self.weights = Weights(self.sample, self.spec)
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
        simulated = self.spec.source == "simulated"
        self.candidates = CandidateSteps(self.settings, self.ledger, simulated)
        self.quality = Quality.of(self.spec)
        self.asked = self.quality.asked(self.selection)
        weights = self.spec.weights if isinstance(self.spec, FileSample) else {}
        self.factors = load(weights, self.sample)
        self.content = Content(
            candidates=self.reader.has_candidates,
            lepton=isinstance(self.selection, WmunuSelection | WenuSelection),
            weights=varied_names(weights),
        )
        self.light = 1 if self.reader.has_candidates else LIGHT

    def run(self, ntuples: Sequence[str], events_path: PathLike, ledger_path: PathLike) -> Ledger:
        """Skim the files into `events_path` and `ledger_path`; returns the ledger."""
        tables = self._tables(ntuples)
        first = next(tables, None)
        if first is None:
            schema = self._schema(self.spec.source == "simulated", self.content)
        else:
            schema = first.schema
            tables = itertools.chain([first], tables)
        with parquet.writing(events_path, schema) as writer:
            for group in regrouped(tables, self.settings.rows_per_group * self.light):
                writer.write_table(group, row_group_size=group.num_rows)
            self.weights.check_sum(self.ledger)
        self.ledger.write(ledger_path)
        return self.ledger

    def _schema(self, has_truth: bool, content: Content) -> pa.Schema:
        energy = self.agreement.energy
        known = {} if energy is None else {"sqrt_s": f"{energy:g}"}
        flavour = self.settings.puppi_flavour
        if self.settings.neighbours and content.candidates:
            content = content._replace(neighbours=True)
            known |= {NEIGHBOURS_KEY: str(VERSION)}
        return skim_schema(has_truth, OTHER_FLAVOUR[flavour], content).with_metadata(
            {
                "sample": self.sample,
                "part": self.part,
                "source": self.spec.source,
                "label": self.spec.label,
                "has_truth": str(has_truth).lower(),
                "is_data": str(self.is_data).lower(),
                "selection": self.selection.kind,
                PUPPI_KEY: flavour,
                CANDIDATES_KEY: str(content.candidates).lower(),
                STORED_KEY: ",".join(content.stored),
                **known,
            }
        )

    def _tables(self, ntuples: Sequence[str]) -> Iterator[pa.Table]:
        for address in ntuples:
            sha256 = None if is_remote(address) else sha256_of(address)
            identity = sha256 or address
            flavour = self.settings.puppi_flavour
            given = Input(self.is_data, flavour, identity, self.remote, self.asked)
            with self.reader.open(address, given) as reader:
                self.ledger.add_input(base_name(address), sha256, reader.n_events)
                _LOG.info("%s: %d events", base_name(address), reader.n_events)
                self.agreement.check_energy(reader)
                if reader.n_events == 0:
                    continue
                self.agreement.check_truth(reader)
                content = self.agreement.content(reader, self.content)
                schema = self._schema(reader.has_truth, content)
                limit = self.settings.chunk_events * self.light
                self.identities.open(reader, limit)
                pieces = reader.chunks(limit)
                name, n = base_name(address), reader.n_events
                for start, stop in progress(pieces, name, n, lambda piece: piece[1] - piece[0]):
                    yield self._batch(reader, start, stop, schema)

    def _batch(self, reader: Reader, start: int, stop: int, schema: pa.Schema) -> pa.Table:
        """Select first, on event columns alone; read the candidates of what is left."""
        events, again, renumbered = self.identities.judge(reader.events(start, stop))
        self.ledger.renumbered.update(renumbered)
        weight = self.weights.of(events)
        keep = self._judge(events, weight, again, reader.address)
        events, weight = events.take(keep), weight[keep]
        selected = select(events, self.selection, reader.address)
        leptons = clean_leptons(
            events, selected, self.settings.jet_lepton_pt, self.settings.jet_lepton_isolation
        )
        columns = None
        if reader.has_candidates:
            columns = self.candidates.repaired(
                reader.candidates(start, stop, keep), events, reader.address
            )
        jets = derive.n_jets(events, columns, leptons, reader.address)
        rho = derive.rho(events, columns, reader.address)
        if columns is not None:
            columns = self.candidates.limited(columns)
        for name, vector in (events.stored | events.shifts).items():
            bad = int(np.count_nonzero(~(np.isfinite(vector.px) & np.isfinite(vector.py))))
            if bad:
                self.ledger.not_finite[name] += bad
        corrected = apply(self.factors, weight, events, selected, reader.address)
        self.ledger.add_factors(corrected.sums)
        derived = Derived(
            corrected.weight, rho, selected.boson, jets, selected.lepton, corrected.varied
        )
        return to_table(schema, events, columns, derived)

    def _judge(
        self, events: EventBatch, weight: np.ndarray, again: np.ndarray, address: str
    ) -> np.ndarray:
        """Return which events are kept and enter all into the ledger."""
        selected = select(events, self.selection, address)
        bad_met = np.zeros(events.n_events, dtype=bool)
        if events.gen_met is not None:
            bad_met = ~(np.isfinite(events.gen_met.px) & np.isfinite(events.gen_met.py))
        # an event has the first reason of this list that holds
        failed = dict(zip(COMMON_REASONS, (again, ~np.isfinite(weight), bad_met), strict=True))
        if not self.reader.has_candidates and events.rho is not None:
            failed["energy density not finite"] = ~np.isfinite(events.rho)
        failed |= self.quality.failed(events, address)
        reasons = (*failed, *selected.reasons)
        reason = np.where(selected.passed, -1, selected.reason + len(failed))
        for k, mask in reversed(list(enumerate(failed.values()))):
            reason[mask] = k
        self.ledger.add_events(weight, reason, reasons)
        return reason < 0


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
