"""Columns of an RNTuple, ROOT's successor of the TTree, cluster by cluster.

A NanoAOD collection is either a field for each quantity (`PFCands_pt`, as converted from a TTree)
or one field of records (`PFCands` with `pt`); both appear under the first name, and records under
that of Delphes' branches too (`Event/Event.Number`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xxhash
from uproot.source.file import MemmapSource

from ptmiss.events.readers.branch import Branch, Piece
from ptmiss.events.readers.decoding import decoding

_SUM = 8  # bytes behind a page: its hash (XXH3), least byte first

_ANONYMOUS = "_collection"  # the importer's own name of what its fields PFCands_pt point to


class NTupleTable:
    """An open RNTuple."""

    def __init__(self, ntuple: Any, address: str) -> None:
        self._ntuple = ntuple
        self._address = address
        self.n_events = int(ntuple.num_entries)
        self._paths: dict[str, str] = {}
        paths = ntuple.keys()
        for path in paths:
            collection, _, field = path.partition(".")
            if not field:
                self._paths[path] = path
            elif "." not in field and not collection.startswith(_ANONYMOUS):
                self._paths.setdefault(f"{collection}_{field}", path)
                self._paths.setdefault(f"{collection}/{collection}.{field}", path)
        self.names: Sequence[str] = list(self._paths)
        self.top = frozenset(self.names)
        self.friends: tuple[str, ...] = ()
        clusters = ntuple.cluster_summaries
        self._edges = [int(cluster.num_first_entry) for cluster in clusters] + [self.n_events]

    def branch(self, name: str) -> Branch:
        """Return a field; raises `UserError` if its description is damaged."""
        with decoding(self._address, f"field {name}"):
            field = self._ntuple[self._paths[name]]
            return NTupleField(field, self._address, name, self._edges)


class NTupleField(Branch):
    """One field of an RNTuple."""

    unit = "cluster"

    def __init__(self, field: Any, address: str, name: str, edges: list[int]) -> None:
        self._field = field
        self._bounds = edges
        form = field.to_akform()[0]
        dtype, depth = _described(form)
        self._columns = set(_columns(form))
        super().__init__(address, name, field.typename, dtype if depth < 2 else None, depth > 0)

    def _limits(self) -> list[int]:
        return self._bounds

    def _read(self, i: int) -> Piece:
        self._check_sums(i)
        start, stop = self._bounds[i : i + 2]
        layout = self._field.array(entry_start=start, entry_stop=stop, array_cache=None).layout
        if not self.has_lists:
            return Piece(np.asarray(layout.data), None)
        return Piece(np.asarray(layout.content.data), np.asarray(layout.offsets.data))

    def _check_sums(self, i: int) -> None:
        """Compare the pages of a cluster with the sums behind them, which uproot does not look at.

        Not over the network, where it would fetch every page twice.
        """
        ntuple = self._field.ntuple
        source = ntuple.file.source
        if not isinstance(source, MemmapSource):
            return
        columns = ntuple.page_link_list[i]
        for page in (page for k in self._columns if k < len(columns) for page in columns[k].pages):
            if not page.has_checksum:
                continue
            first, size = page.locator.offset, page.locator.num_bytes
            data = source.chunk(first, first + size + _SUM).raw_data
            if xxhash.xxh3_64_digest(data[:size])[::-1] != bytes(data[size:]):
                raise ValueError("its pages are not what their sums say")


def _columns(form: Any) -> Iterator[int]:
    """Yield the numbers of the columns that a field is made of, from the keys of its form."""
    kind, _, number = str(form.form_key or "").partition("-")
    if kind == "column" and number.isdigit():
        yield int(number)
    for below in getattr(form, "contents", None) or [getattr(form, "content", None)]:
        if below is not None:
            yield from _columns(below)


def _described(form: Any) -> tuple[np.dtype | None, int]:
    """Return the type of a field's numbers (None if it has none) and how deep lists are nested."""
    depth = 0
    while True:
        if form.is_record and len(form.contents) == 1:  # the way down to the field itself
            form = form.contents[0]
        elif form.is_list:
            form, depth = form.content, depth + 1
        elif form.is_numpy and not form.inner_shape:
            return np.dtype(form.primitive), depth
        else:
            return None, depth
