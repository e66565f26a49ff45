"""Columns of an RNTuple, ROOT's successor of the TTree, cluster by cluster.

A NanoAOD collection is either a field for each quantity (`PFCands_pt`, as converted from a TTree)
or one field of records (`PFCands` with `pt`); both appear under the first name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ptmiss.readers.branch import Branch, Piece
from ptmiss.readers.decoding import decoding

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
        self.names = list(self._paths)
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
        dtype, depth = _described(field.to_akform()[0])
        super().__init__(address, name, field.typename, dtype if depth < 2 else None, depth > 0)

    def _limits(self) -> list[int]:
        return self._bounds

    def _read(self, i: int) -> Piece:
        start, stop = self._bounds[i : i + 2]
        layout = self._field.array(entry_start=start, entry_stop=stop, array_cache=None).layout
        if not self.has_lists:
            return Piece(np.asarray(layout.data), None)
        return Piece(np.asarray(layout.content.data), np.asarray(layout.offsets.data))


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
