"""What the readers of ROOT files share: opening, the rhythm of reading, collections, events."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.events.mets import STORED_METS, STORED_SHIFTS
from ptmiss.events.readers.batch import EventBatch, Vector, vector_of
from ptmiss.events.readers.branch import Branch, Table
from ptmiss.events.readers.branches import Expected, bind, expected, single
from ptmiss.events.readers.reader import Input, Reader
from ptmiss.events.readers.rootfile import energy_of, opened, table_of

MUON_MASS = 0.10566
"""GeV; used where the input gives no mass."""


@dataclass(frozen=True)
class Columns:
    """The branches of an open tree by field, with typed access, in GeV, cm and radians."""

    address: str
    n_events: int
    want: Expected
    branches: dict[str, Branch]
    is_data: bool

    def has(self, *fields: str) -> bool:
        """Tell whether the input has all these fields."""
        return all(field in self.branches for field in fields)

    def flat(self, field: str, start: int, stop: int) -> np.ndarray | None:
        """Return one number an event, None where the input has no such branch."""
        return self.needed(field, start, stop) if field in self.branches else None

    def needed(self, field: str, start: int, stop: int) -> np.ndarray:
        """Return one number an event of a field that every file has."""
        branch, want = self.branches[field], self.want.fields[field]
        if want.shape == "single":
            return want.scaled(single(branch, start, stop, self.address, want.names[0]))
        return want.scaled(branch.flat(start, stop))

    def ragged(
        self, fields: dict[str, str], start: int, stop: int, keep: np.ndarray | None = None
    ) -> Ragged:
        """Return column -> field of one collection; fields that the input lacks are left out."""
        columns: dict[str, np.ndarray] = {}
        first, counts = "", np.zeros(stop - start if keep is None else int(keep.sum()), np.int64)
        for column, field in fields.items():
            if field not in self.branches:
                continue
            values, own = self.branches[field].jagged(start, stop, keep)
            columns[column] = self.want.fields[field].scaled(values)
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
        vectors = {name: self.vector(f"stored_{name}", start, stop) for name in STORED_METS}
        return {name: vector for name, vector in vectors.items() if vector is not None}

    def shifts(self, start: int, stop: int) -> dict[str, Vector]:
        """Return the METs that the input has moved by systematic uncertainties, by name.

        NanoAOD has either the moved MET, or the difference that the variation makes upwards.
        """
        moved = {}
        for name in (f"{met}_{shift}" for met in STORED_METS for shift in STORED_SHIFTS):
            vector = self.vector(f"shift_{name}", start, stop)
            if vector is not None:
                moved[name] = vector
        for met in STORED_METS:
            fields = [f"shift_{met}_unclustered_d{axis}" for axis in "xy"]
            nominal = self.vector(f"stored_{met}", start, stop)
            if nominal is None or not self.has(*fields):
                continue
            step = [self.needed(field, start, stop).astype(np.float64) for field in fields]
            for way, sign in (("up", 1.0), ("down", -1.0)):
                vector = Vector(nominal.px + sign * step[0], nominal.py + sign * step[1])
                moved.setdefault(f"{met}_unclustered_{way}", vector)
        return moved

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
        names = ("mass", "charge", "isolation", "loose", "delta_eta")
        others = {name: f"{kind}_{name}" for name in names}
        begin = f"{kind}_id_"
        asked = {f"id_{f.removeprefix(begin)}": f for f in self.branches if f.startswith(begin)}
        leptons = self.ragged(momentum | others | asked, start, stop)
        columns = dict(leptons.columns)
        if "delta_eta" in columns:
            columns["eta_sc"] = columns["eta"] + columns.pop("delta_eta")
        if kind == "muon" and "mass" not in columns:
            columns["mass"] = np.full(len(columns["pt"]), MUON_MASS, dtype=np.float32)
        return Ragged(leptons.offsets, columns)

    def asked(self, kind: str, start: int, stop: int) -> dict[str, np.ndarray]:
        """Return the branches that settings ask for, by name; kind: "flag" or "column"."""
        fields = [field for field in self.branches if field.startswith(f"{kind}_")]
        dtype = bool if kind == "flag" else np.float64
        return {
            field.removeprefix(f"{kind}_"): self.needed(field, start, stop).astype(dtype)
            for field in fields
        }

    def jets(self, start: int, stop: int) -> Ragged | None:
        """Return the reconstructed jets, None where the input has none."""
        fields = {name: f"jet_{name}" for name in ("pt", "eta", "phi")}
        return self.ragged(fields, start, stop) if self.has(*fields.values()) else None

    def gen_jets(self, start: int, stop: int) -> Ragged | None:
        """Return the generator jets, None where the input has none."""
        if self.is_data or not self.has("gen_jet_pt"):
            return None
        return self.ragged({"pt": "gen_jet_pt"}, start, stop)

    def chunks(self, limit: int, rhythm: str) -> list[tuple[int, int]]:
        """Return ranges of at most `limit` events, ending where a basket of `rhythm` ends.

        A range that ends inside a basket would make the next one decompress it again.
        """
        branch = self.branches.get(rhythm)
        edges = np.array(branch.edges if branch else [0, self.n_events])
        ranges, start = [], 0
        while start < self.n_events:
            inside = edges[(edges > start) & (edges <= start + limit)]
            stop = int(inside[-1]) if len(inside) else min(start + limit, self.n_events)
            ranges.append((start, stop))
            start = stop
        return ranges


class TreeReader(Reader):
    """One file whose events are a TTree or an RNTuple.

    form: name of the list of branches in resources/branches.
    """

    form: ClassVar[str]

    def __init__(self, columns: Columns, given: Input, sqrt_s: float | None) -> None:
        super().__init__(columns.address, columns.n_events, sqrt_s)
        self.columns = columns
        self.given = given

    @classmethod
    @contextlib.contextmanager
    def open(cls, address: str, given: Input) -> Iterator[Self]:
        """Yield the reader of a file; one without events has no need of branches."""
        want = expected(cls.form).with_asked(given.asked, address)
        with opened(address, given.remote) as file:
            table = table_of(file, address, want.tree)
            branches = {}
            if table.n_events:
                cls.look_at(table, address)
                branches = bind(table, address, want, given.is_data)
            columns = Columns(address, table.n_events, want, branches, given.is_data)
            yield cls(columns, given, energy_of(file, address))

    @classmethod
    def look_at(cls, table: Table, address: str) -> None:
        """Refuse a file of which this format can say more than which branch is missing."""

    @abc.abstractmethod
    def vertices(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of all and of good vertices, int64, shape (n_events,)."""

    def events(self, start: int, stop: int) -> EventBatch:
        """Return the events start .. stop without candidates."""
        read = self.columns
        rho = read.flat("rho", start, stop)
        weight = None if read.is_data else read.flat("gen_weight", start, stop)
        run, lumi, event = self.identities(start, stop)
        n_pv, n_pv_good = self.vertices(start, stop)
        return EventBatch(
            run=run,
            lumi=lumi,
            event=event,
            gen_weight=None if weight is None else weight.astype(np.float64),
            n_pv=n_pv,
            n_pv_good=n_pv_good,
            rho=None if rho is None else rho.astype(np.float64),
            gen_met=None if read.is_data else read.vector("gen_met", start, stop),
            stored=read.stored(start, stop),
            muons=read.leptons("muon", start, stop),
            electrons=read.leptons("electron", start, stop),
            jets=read.jets(start, stop),
            gen_jets=read.gen_jets(start, stop),
            shifts={} if read.is_data else read.shifts(start, stop),
            flags=read.asked("flag", start, stop),
            columns=read.asked("column", start, stop),
        )

    def chunks(self, limit: int) -> list[tuple[int, int]]:
        """Return ranges of at most `limit` events that cover the file, in order."""
        return self.columns.chunks(limit, self.columns.want.rhythm)
