"""A reader that a stranger could install: one candidate a line, in the order of `NAMES`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Self

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.events.readers.batch import Candidates, EventBatch
from ptmiss.events.readers.reader import Identity, Input, Reader

NAMES = ("event", "pt", "eta", "phi", "charge", "pdg_id")


class NotAReader:
    """What an entry point must not be."""


class CsvReader(Reader):
    """A file of lines, those of an event together; events are numbered from 0."""

    has_truth = False
    numbers_events = False

    def __init__(self, address: str, lines: np.ndarray) -> None:
        self._lines = lines
        counts = np.bincount(lines[:, 0].astype(np.int64))
        self._offsets = offsets_of(counts)
        super().__init__(address, len(counts))

    @classmethod
    @contextlib.contextmanager
    def open(cls, address: str, given: Input) -> Iterator[Self]:
        with open(address, encoding="utf-8") as handle:
            if handle.readline().strip() != ",".join(NAMES):
                raise UserError(f"{address}: expected a first line {','.join(NAMES)}; correct it")
            yield cls(address, np.loadtxt(handle, delimiter=",", ndmin=2))

    def identities(self, start: int, stop: int) -> Identity:
        event = np.arange(start, stop, dtype=np.uint64)
        ones = np.ones(len(event), dtype=np.uint32)
        return ones, ones, event

    def events(self, start: int, stop: int) -> EventBatch:
        run, lumi, event = self.identities(start, stop)
        n_pv = np.ones(len(event), dtype=np.int64)
        none = {name: np.zeros(0, dtype=np.float32) for name in ("pt", "eta", "phi", "mass")}
        nobody = Ragged(np.zeros(len(event) + 1, dtype=np.int64), none)
        return EventBatch(
            run=run, lumi=lumi, event=event, gen_weight=None, n_pv=n_pv, n_pv_good=n_pv, rho=None,
            gen_met=None, stored={}, muons=nobody, electrons=nobody, jets=None, gen_jets=None,
        )  # fmt: skip

    def candidates(self, start: int, stop: int, keep: np.ndarray) -> Candidates:
        counts = np.diff(self._offsets)[start:stop]
        lines = self._lines[self._offsets[start] : self._offsets[stop]][np.repeat(keep, counts)]
        columns = {name: lines[:, i].astype(np.float32) for i, name in enumerate(NAMES) if i}
        columns |= {name: columns[name].astype(np.int32) for name in ("charge", "pdg_id")}
        columns |= {name: np.zeros(len(lines), dtype=np.float32) for name in ("mass", "d0", "dz")}
        columns["from_pv"] = np.full(len(lines), 3, dtype=np.int32)
        return Candidates(Ragged(offsets_of(counts[keep]), columns))
