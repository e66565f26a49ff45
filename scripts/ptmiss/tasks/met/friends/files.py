"""Friend trees as files: ROOT TTree, RNTuple or Parquet; whether one belongs to an input."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.io import manifest, parquet
from ptmiss.core.io.atomic import replacing
from ptmiss.core.io.root import recreated
from ptmiss.core.paths import PathLike
from ptmiss.events.readers.reader import Reader
from ptmiss.events.readers.remote import ONCE
from ptmiss.events.readers.rootfile import opened, table_of
from ptmiss.tasks.met.friends.names import IDENTITY, TREE
from ptmiss.tasks.met.settings.apply import Form

ROWS = 20_000
"""Events of a basket, cluster or row group."""

_READ = 100_000
"""Events compared at a time."""

Columns = Mapping[str, np.ndarray]
Write = Callable[[Columns], None]


@contextlib.contextmanager
def writing(
    path: PathLike, kind: Form, about: Mapping[str, object], reader: Reader
) -> Iterator[Write]:
    """Yield a function that appends events; the file appears when it holds those of the reader.

    about: what the file says of itself (text `about`, metadata of Parquet). The first call says
    which columns there are; all have one number an event.
    """
    with replacing(path) as temporary:
        with _sink(temporary, kind, about) as sink:
            waiting = _Waiting(sink)
            yield waiting.add
            waiting.flush(0)
        check(temporary, reader)


class _Waiting:
    """Events that are not yet enough for a basket."""

    def __init__(self, sink: Write) -> None:
        self._sink = sink
        self._columns: list[Columns] = []

    def add(self, columns: Columns) -> None:
        self._columns.append(columns)
        self.flush(ROWS)

    def flush(self, least: int) -> None:
        """Write what is there, if it is as much."""
        n = sum(columns[IDENTITY[0]].size for columns in self._columns)
        if self._columns and n >= least:
            first, *others = self._columns
            joined = first
            if others:
                joined = {
                    name: np.concatenate([columns[name] for columns in self._columns])
                    for name in first
                }
            self._sink(joined)
            self._columns = []


@contextlib.contextmanager
def _sink(path: Path, kind: Form, about: Mapping[str, object]) -> Iterator[Write]:
    text = json.dumps(about, sort_keys=True)
    with contextlib.ExitStack() as stack:
        made: list[Write] = []

        def begin(columns: Columns) -> Write:
            types = {name: values.dtype for name, values in columns.items()}
            if kind == "parquet":
                fields = [
                    pa.field(name, pa.from_numpy_dtype(dtype), nullable=False)
                    for name, dtype in types.items()
                ]
                schema = pa.schema(fields, metadata={"about": text})
                writer = stack.enter_context(parquet.writing(path, schema))
                return lambda more: writer.write_table(
                    pa.Table.from_arrays([pa.array(more[n]) for n in types], schema=schema),
                    row_group_size=ROWS,
                )
            file = stack.enter_context(recreated(path, f"friend {text}"))
            file["about"] = text
            tree = (file.mktree if kind == "ttree" else file.mkrntuple)(TREE, types)
            extend: Write = tree.extend
            return extend

        def write(columns: Columns) -> None:
            if not made:
                made.append(begin(columns))
            if columns[IDENTITY[0]].size:
                made[0](dict(columns))

        yield write


def check(friend: PathLike, reader: Reader) -> int:
    """Return the number of events of a friend that belongs to an open input.

    Raises `UserError` for one that has other events, or the same in another order.
    """
    run, lumi, event = _identity(friend)
    if event.size != reader.n_events:
        raise UserError(
            f"{friend}: has {event.size} events, {reader.address} has {reader.n_events}, so it is"
            " the friend of another file; give the one that was made from this file"
        )
    for start, stop in reader.chunks(_READ) if reader.n_events else ():
        own = zip((run, lumi, event), reader.identities(start, stop), strict=True)
        same = np.logical_and.reduce([a[start:stop] == b for a, b in own])
        if not same.all():
            row = start + int(np.flatnonzero(~same)[0])
            raise UserError(
                f"{friend}: entry {row} is run {run[row]}, lumi {lumi[row]}, event {event[row]},"
                f" which {reader.address} has not there, so it is the friend of another file; give"
                " the one that was made from this file"
            )
    return int(event.size)


def _identity(friend: PathLike) -> list[np.ndarray]:
    if str(friend).endswith(".parquet"):
        layout = pa.schema([pa.field(name, pa.uint64(), nullable=False) for name in IDENTITY])
        groups = list(parquet.row_groups(friend, list(IDENTITY), layout))
        return [
            np.concatenate([np.zeros(0, np.uint64), *(group[name].to_numpy() for group in groups)])
            for name in IDENTITY
        ]
    address = str(friend)
    manifest.check(friend)
    with opened(address, ONCE) as file:
        table = table_of(file, address, TREE)
        absent = [name for name in IDENTITY if name not in table.names]
        if absent:
            raise UserError(
                f"{address}: no branch {absent[0]} in {TREE}, so it is no friend of ours; make it"
                " again with the stage apply"
            )
        n = table.n_events
        return [table.branch(name).prepare(n).flat(0, n) for name in IDENTITY]
