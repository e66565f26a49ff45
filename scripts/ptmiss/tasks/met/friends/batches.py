"""All events of a file with pTmiss of the wanted estimators, a batch at a time."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.io.manifest import base_name, sha256_of
from ptmiss.core.paths import is_remote
from ptmiss.core.progress import progress
from ptmiss.core.ragged import Ragged, segment_sum
from ptmiss.core.settings.names import unknown
from ptmiss.events.columns import OTHER_FLAVOUR, PUPPI_KEY, skim_schema, with_prefix
from ptmiss.events.ledger import Ledger
from ptmiss.events.mets import STORED_METS
from ptmiss.events.readers.asked import NOTHING, Asked
from ptmiss.events.readers.batch import EventBatch, Vector
from ptmiss.events.readers.formats import reader_of
from ptmiss.events.readers.reader import Identity, Input, Reader
from ptmiss.events.readers.remote import Remote
from ptmiss.events.readers.tree import TreeReader
from ptmiss.events.settings.samples import FileSample, SimulatedSample
from ptmiss.events.settings.skim import NoSelection, SkimSettings, WenuSelection, WmunuSelection
from ptmiss.events.skim import derive
from ptmiss.events.skim.candidates import CandidateSteps
from ptmiss.events.skim.quality import Quality
from ptmiss.events.skim.select import clean_leptons, select
from ptmiss.events.skim.stream import LIGHT
from ptmiss.tasks.met.estimators import classical
from ptmiss.tasks.met.estimators.evaluate import estimate_all
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.tasks.met.estimators.stored import STORED

_LOG = logging.getLogger(__name__)


class Boson(NamedTuple):
    """The boson of the events that have one. which: (n_events,), bool; the rest of those events:
    whole and unseen (2, n) in GeV, n_jets (n,)."""

    which: np.ndarray
    whole: np.ndarray
    unseen: np.ndarray
    n_jets: np.ndarray


class Batch(NamedTuple):
    """Consecutive events. mets: estimator -> (2, n_events) in GeV; shifts: estimator -> variation
    of the input -> the same; sums: estimator -> weighted sum of pT in GeV, (n_events,)."""

    identity: Identity
    n_pv: np.ndarray
    mets: dict[str, np.ndarray]
    shifts: dict[str, dict[str, np.ndarray]]
    sums: dict[str, np.ndarray]
    boson: Boson | None


class _Given(NamedTuple):
    """What a file stores of events; see `EventBatch`."""

    identity: Identity
    n_pv: np.ndarray
    stored: dict[str, Vector]
    shifts: dict[str, Vector]


@dataclass
class Friendly:
    """A sample whose files get friends.

    spec: the sample's settings; skim: those of the candidates; recoil: whether the boson that the
    sample's selection finds is wanted; ledger: what became of events and candidates so far.
    """

    sample: str
    part: str
    spec: SimulatedSample | FileSample
    skim: SkimSettings
    recoil: bool
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.is_data = isinstance(self.spec, FileSample) and self.spec.is_data
        self.kind = reader_of(self.spec.source)
        if self.spec.selection not in self.skim.selections:
            raise UserError(
                unknown(
                    f"samples.{self.sample}.selection", self.spec.selection, self.skim.selections
                )
            )
        self.selection = self.skim.selections[self.spec.selection]
        if self.recoil and (self.is_data or isinstance(self.selection, NoSelection)):
            what = "recorded collisions" if self.is_data else f"selection {self.spec.selection!r}"
            raise UserError(
                f"apply.recoil has {self.sample}, but {what} leave no boson whose recoil could be"
                " mapped; take it out"
            )
        self.ledger = Ledger(
            sample=self.sample,
            part=self.part,
            source=self.spec.source,
            selection="none",
            is_data=self.is_data,
        )
        simulated = self.spec.source == "simulated"
        self._steps = CandidateSteps(self.skim, self.ledger, simulated)

    @contextlib.contextmanager
    def opened(self, address: str) -> Iterator[Reader]:
        """Yield the reader of a file, which the ledger takes down."""
        sha256 = None if is_remote(address) else sha256_of(address)
        remote = Remote(self.skim.remote_attempts, self.skim.remote_wait, self.skim.remote_timeout)
        asked: Asked = Quality(None, (), ()).asked(self.selection) if self.recoil else NOTHING
        given = Input(self.is_data, self.skim.puppi_flavour, sha256 or address, remote, asked)
        with self.kind.open(address, given) as reader:
            self.ledger.add_input(base_name(address), sha256, reader.n_events)
            yield reader

    def batches(
        self,
        reader: Reader,
        fixed: Sequence[str],
        networks: Mapping[str, NetworkEstimator],
        stored: Sequence[str],
    ) -> Iterator[Batch]:
        """Yield all events of a file in their order.

        fixed, networks, stored: estimators by what they are made of; stored ones under their own
        names where the format has no candidates, else with `stored_` before these.
        """
        limit = self.skim.chunk_events * (1 if self.kind.has_candidates else LIGHT)
        pieces = reader.chunks(limit) if reader.n_events else []
        if networks:
            flavour = self.skim.puppi_flavour
            schema = skim_schema(reader.has_truth, OTHER_FLAVOUR[flavour])
            for network in networks.values():
                network.read_from(schema.with_metadata({PUPPI_KEY: flavour}), reader.address)
        name, n = base_name(reader.address), reader.n_events
        for start, stop in progress(pieces, name, n, lambda piece: piece[1] - piece[0]):
            given, boson, columns = _given(reader, start, stop), None, None
            if self.recoil or fixed or networks:
                events = reader.events(start, stop)
                if self.kind.has_candidates:
                    keep = np.ones(events.n_events, dtype=bool)
                    candidates = reader.candidates(start, stop, keep)
                    columns = self._steps.repaired(candidates, events, reader.address)
                boson = self._boson(events, columns, reader.address) if self.recoil else None
            mets: dict[str, np.ndarray] = {}
            sums: dict[str, np.ndarray] = {}
            if columns is not None and (fixed or networks):
                mets, sums = _of_candidates(self._steps.limited(columns), fixed, networks)
            before = STORED if self.kind.has_candidates else ""
            mets |= {one: _stacked(given.stored[one.removeprefix(before)]) for one in stored}
            shifts = {one: _shifts(given.shifts, f"{one.removeprefix(before)}_") for one in stored}
            self._count(given.n_pv.size, mets)
            yield Batch(given.identity, given.n_pv, mets, shifts, sums, boson)

    def _boson(self, events: EventBatch, columns: Ragged | None, address: str) -> Boson:
        """Return the boson of the events that the selection finds one in."""
        which = select(events, self.selection, address).passed
        found = events.take(which)
        selected = select(found, self.selection, address)
        leptons = clean_leptons(
            found, selected, self.skim.jet_lepton_pt, self.skim.jet_lepton_isolation
        )
        own = None if columns is None else columns.keep_events(which)
        n_jets = derive.n_jets(found, own, leptons, address)
        whole = _stacked(selected.boson)
        unseen = np.zeros_like(whole)
        if isinstance(self.selection, WmunuSelection | WenuSelection) and found.gen_met is not None:
            unseen = _stacked(found.gen_met)
        known = np.isfinite(whole).all(axis=0) & np.isfinite(unseen).all(axis=0)
        which[which] = known
        return Boson(which, whole[:, known], unseen[:, known], n_jets[known].astype(np.float64))

    def _count(self, n: int, mets: Mapping[str, np.ndarray]) -> None:
        self.ledger.add_events(np.ones(n), np.full(n, -1), ())
        for name, met in mets.items():
            bad = int(np.count_nonzero(~np.isfinite(met).all(axis=0)))
            if bad:
                self.ledger.not_finite[name] += bad


def stored_estimators(reader: Reader) -> list[str]:
    """Return the names that the METs of a file have as estimators."""
    before = STORED if reader.has_candidates else ""
    if not reader.n_events:
        return [f"{before}{name}" for name in STORED_METS]
    return [f"{before}{name}" for name in _given(reader, 0, 1).stored]


def _given(reader: Reader, start: int, stop: int) -> _Given:
    """Read the METs of events; of trees not the leptons and jets, which are most of a file."""
    if isinstance(reader, TreeReader):
        columns = reader.columns
        shifts = {} if columns.is_data else columns.shifts(start, stop)
        n_pv, _ = reader.vertices(start, stop)
        return _Given(reader.identities(start, stop), n_pv, columns.stored(start, stop), shifts)
    events = reader.events(start, stop)
    identity = events.run, events.lumi, events.event
    return _Given(identity, events.n_pv, events.stored, events.shifts)


def _of_candidates(
    columns: Ragged, fixed: Sequence[str], networks: Mapping[str, NetworkEstimator]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return pTmiss (2, n_events) and the weighted sum of pT (n_events,) of each estimator."""
    values = {
        name: column.astype(np.float32) if column.dtype == np.float64 else column
        for name, column in columns.columns.items()
    }  # as a skim holds them
    candidates = with_prefix(Ragged(columns.offsets, values))
    results, weights = estimate_all(candidates, fixed, networks)
    mets = {one: _joined(results, one) for one in (*fixed, *networks)}
    pt = candidates[classical.MOMENTUM_COLUMNS[0]].astype(np.float64)
    sums = {one: segment_sum(weight * pt, candidates.offsets) for one, weight in weights.items()}
    return mets, sums


def _joined(results: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    return np.stack([results[f"{name}_px"], results[f"{name}_py"]])


def _stacked(vector: Vector) -> np.ndarray:
    return np.stack([vector.px, vector.py])


def _shifts(given: Mapping[str, Vector], begin: str) -> dict[str, np.ndarray]:
    """Return variation -> MET of those that begin with the name of one MET."""
    ways = {name.removeprefix(begin): name for name in given if name.startswith(begin)}
    return {way: _stacked(given[name]) for way, name in ways.items()}
