"""Events that are in several parts of a sample: no part can know of them, so that every stage in
which the parts meet leaves them out.

Recorded events are the same where run, luminosity block and event are, simulated ones where what
the files say of them is the same as well. Simulated events of one number and other content stay and
get a hash of their own, so that they do not share bootstrap copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ptmiss.core.hashing import event_hash
from ptmiss.core.io import parquet
from ptmiss.core.paths import PathLike
from ptmiss.events.columns import IDENTITY, layout_of
from ptmiss.events.mets import STORED_METS
from ptmiss.events.seen import Seen, hashed

CONTENT = (
    "weight",
    "n_pv",
    "rho",
    "n_jets",
    "gen_met_px",
    "gen_met_py",
    "gen_ht",
    *(f"stored_{name}_p{axis}" for name in STORED_METS for axis in "xy"),
)
"""Columns that no variation changes, of skims and estimates alike."""


@dataclass(frozen=True)
class Repeats:
    """What becomes of the rows of a sample's files, counted through in their order.

    dropped: rows that hold an event again; apart: further events of a number, and `content`, what
    tells them from the first. Rows rise, int64; content is uint64.
    """

    dropped: np.ndarray
    apart: np.ndarray
    content: np.ndarray

    def apply(self, first: int, identity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return a hash of each event that no other event has, and which events stay.

        first: row of the first of them; identity: `folds.event_hash` of each, uint64, shape (n,).
        """
        kept = np.ones(len(identity), dtype=bool)
        kept[_inside(self.dropped, first, len(identity))[1]] = False
        which, rows = _inside(self.apart, first, len(identity))
        if len(rows):
            identity = identity.copy()
            own = self.content[which]
            identity[rows] = event_hash(identity[rows], own, np.zeros_like(own))
        return identity, kept

    def rows(self, table: pa.Table, first: int) -> tuple[pa.Table, np.ndarray]:
        """Return the rows of a table that stay, and the hash of each event in them.

        first: row of the first one; table: with run, lumi and event.
        """
        identity = event_hash(*(table[name].to_numpy() for name in IDENTITY))
        identity, kept = self.apply(first, identity)
        return (table, identity) if kept.all() else (table.filter(pa.array(kept)), identity[kept])


_NONE = np.zeros(0, dtype=np.int64)
NO_REPEATS = Repeats(_NONE, _NONE, np.zeros(0, dtype=np.uint64))


def _inside(rows: np.ndarray, first: int, n: int) -> tuple[slice, np.ndarray]:
    low, high = np.searchsorted(rows, (first, first + n))
    return slice(low, high), rows[low:high] - first


def find(files: Sequence[PathLike], recorded: bool) -> Repeats:
    """Return the repeated events of the parts of one sample.

    Memory: 25 bytes an event, and where events are repeated some 50 bytes more for each of those.
    """
    parts = [
        event_hash(*(table[name].to_numpy() for name in IDENTITY))
        for file in files
        for table in parquet.row_groups(file, list(IDENTITY), layout_of(IDENTITY))
    ]
    if not parts:
        return NO_REPEATS
    identity = np.concatenate(parts)
    del parts
    ordered = np.sort(identity)
    several = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    del ordered
    if not len(several):
        return NO_REPEATS
    place = np.minimum(np.searchsorted(several, identity), len(several) - 1)
    rows = np.flatnonzero(several[place] == identity)
    del place
    identity = identity[rows]
    content = np.zeros_like(identity) if recorded else _content(files, rows)
    again = Seen().again(event_hash(identity, content, np.zeros_like(content)))
    further = Seen().again(identity) & ~again
    return Repeats(rows[again], rows[further], content[further])


def _content(files: Sequence[PathLike], rows: np.ndarray) -> np.ndarray:
    """Return a hash of the content of these rows, uint64, shape (rows,)."""
    hashes, first = [], 0
    for file in files:
        there = set(parquet.column_names(file))
        names = [name for name in CONTENT if name in there]
        for table in parquet.row_groups(file, names, layout_of(names)):
            _, own = _inside(rows, first, table.num_rows)
            first += table.num_rows
            if len(own):
                part = table.take(pa.array(own))
                hashes.append(hashed(parquet.float64(part, name) for name in names))
    return np.concatenate(hashes)
