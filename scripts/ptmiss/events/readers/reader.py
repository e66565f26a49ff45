"""What the readers of all formats share: opening, the rhythm of reading, collections."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.events.columns import STORED_METS
from ptmiss.events.readers.batch import Candidates, EventBatch, Vector, vector_of
from ptmiss.events.readers.branch import Branch, Table
from ptmiss.events.readers.branches import Expected, bind, expected, single
from ptmiss.events.readers.remote import Remote
from ptmiss.events.readers.rootfile import energy_of, opened, table_of

MUON_MASS = 0.10566
"""GeV; used where the input gives no mass."""


class Reader(Protocol):
    """One open input file."""

    address: str
    n_events: int
    sqrt_s: float | None

    @property
    def has_truth(self) -> bool:
        """Tell whether the candidates carry their fraction from the hard collision."""

    def identities(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return run, luminosity block (uint32) and event (uint64) of the events start .. stop."""

    def events(self, start: int, stop: int) -> EventBatch:
        """Return the events start .. stop without candidates."""

    def candidates(self, start: int, stop: int, keep: np.ndarray) -> Candidates:
        """Return the candidates of the events start .. stop where `keep` is true."""

    def chunks(self, limit: int) -> list[tuple[int, int]]:
        """Return ranges of at most `limit` events that cover the file, in order."""


@dataclass
class Columns:
    """The branches of an open tree by field, with typed access. Shared by all formats."""

    address: str
    n_events: int
    want: Expected
    branches: dict[str, Branch]
    is_data: bool
    sqrt_s: float | None

    def has(self, *fields: str) -> bool:
        """Tell whether the input has all these fields."""
        return all(field in self.branches for field in fields)

    def flat(self, field: str, start: int, stop: int) -> np.ndarray | None:
        """Return one number an event, None where the input has no such branch."""
        if field not in self.branches:
            return None
        branch = self.branches[field]
        if self.want.fields[field].shape == "single":
            return single(branch, start, stop, self.address, self.want.fields[field].names[0])
        return branch.flat(start, stop)

    def ragged(
        self, fields: dict[str, str], start: int, stop: int, keep: np.ndarray | None = None
    ) -> Ragged:
        """Return column -> field of one collection; fields that the input lacks are left out."""
        columns: dict[str, np.ndarray] = {}
        first, counts = "", np.zeros(stop - start if keep is None else int(keep.sum()), np.int64)
        for column, field in fields.items():
            if field not in self.branches:
                continue
            columns[column], own = self.branches[field].jagged(start, stop, keep)
            if not first:
                first, counts = field, own
            elif not np.array_equal(own, counts):
                event = int(np.flatnonzero(own != counts)[0])
                raise UserError(
                    f"{self.address}: {field} has {own[event]} entries where {first} has "
                    f"{counts[event]} (event {start + event} or near it), expected equally many; "
                    "the file is damaged"
                )
        return Ragged(offsets_of(counts), columns)

    def vector(self, name: str, start: int, stop: int) -> Vector | None:
        """Return the vector stored as {name}_pt and {name}_phi."""
        return vector_of(
            self.flat(f"{name}_pt", start, stop), self.flat(f"{name}_phi", start, stop)
        )

    def stored(self, start: int, stop: int) -> dict[str, Vector]:
        """Return the METs of the input by name."""
        found = {name: self.vector(f"stored_{name}", start, stop) for name in STORED_METS}
        return {name: vector for name, vector in found.items() if vector is not None}

    def leptons(self, kind: str, start: int, stop: int) -> Ragged:
        """Return the collection "muon" or "electron", empty where the input has none."""
        momentum = {name: f"{kind}_{name}" for name in ("pt", "eta", "phi")}
        absent = [field for field in momentum.values() if not self.has(field)]
        if len(absent) == len(momentum):
            nothing = {name: np.zeros(0, np.float32) for name in momentum}
            return Ragged(np.zeros(stop - start + 1, dtype=np.int64), nothing)
        if absent:
            name = self.want.fields[absent[0]].names[0]
            raise UserError(
                f"{self.address}: no branch {name}, although the file has others of {kind}s; "
                "produce the file with all three of pt, eta and phi, or with none"
            )
        others = {name: f"{kind}_{name}" for name in ("mass", "charge", "isolation", "loose")}
        found = self.ragged(momentum | others, start, stop)
        columns = dict(found.columns)
        if kind == "muon" and "mass" not in columns:
            columns["mass"] = np.full(len(columns["pt"]), MUON_MASS, dtype=np.float32)
        return Ragged(found.offsets, columns)

    def jets(self, start: int, stop: int) -> Ragged | None:
        """Return the reconstructed jets, None where the input has none."""
        fields = {name: f"jet_{name}" for name in ("pt", "eta", "phi")}
        return self.ragged(fields, start, stop) if self.has(*fields.values()) else None

    def gen_jets(self, start: int, stop: int) -> Ragged | None:
        """Return the generator jets, None where the input has none."""
        if self.is_data or not self.has("gen_jet_pt"):
            return None
        return self.ragged({"pt": "gen_jet_pt"}, start, stop)

    def chunks(self, limit: int) -> list[tuple[int, int]]:
        """Return ranges of at most `limit` events, ending where a basket ends if one fits.

        A range that ends inside a basket would make the next one decompress it again.
        """
        branch = self.branches.get(self.want.rhythm)
        edges = np.array(branch.edges if branch else [0, self.n_events])
        ranges, start = [], 0
        while start < self.n_events:
            inside = edges[(edges > start) & (edges <= start + limit)]
            stop = int(inside[-1]) if len(inside) else min(start + limit, self.n_events)
            ranges.append((start, stop))
            start = stop
        return ranges


@contextlib.contextmanager
def open_columns(
    address: str,
    form: str,
    is_data: bool,
    remote: Remote,
    look: Callable[[Table, str], None] | None = None,
) -> Iterator[Columns]:
    """Yield the branches of a file in a format ("pfnano", "delphes").

    remote: how patient to be with an address that is read over the network;
    look: called with the table and the address before its branches are compared with the expected
    ones, for a format that can say more about a file it cannot use.

    A file without events has no need of branches: it is accepted whatever it lacks.
    """
    want = expected(form)
    with opened(address, remote) as file:
        table = table_of(file, address, want.tree)
        n_events = table.n_events
        if n_events and look is not None:
            look(table, address)
        branches = bind(table, address, want, is_data) if n_events else {}
        yield Columns(address, n_events, want, branches, is_data, energy_of(file, address))
