"""CMS NanoAOD: what all its kinds share, and the reader of files for their METs alone.

NanoAOD holds no candidates (v15: some, of fat jets), but every MET of CMS, jets and leptons. So
does PFNano, whose candidates this reader ignores.
"""

from __future__ import annotations

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged
from ptmiss.events.mets import STORED_METS
from ptmiss.events.readers.batch import Candidates
from ptmiss.events.readers.branch import Table
from ptmiss.events.readers.branches import expected, friends_of
from ptmiss.events.readers.decoding import decoding
from ptmiss.events.readers.reader import Identity
from ptmiss.events.readers.remote import Remote
from ptmiss.events.readers.rootfile import opened, table_of
from ptmiss.events.readers.tree import TreeReader

_SUMS = ("genEventSumw", "genEventSumw_")


class NanoEvents(TreeReader):
    """One file of NanoAOD of any kind: how it names events and counts vertices."""

    @classmethod
    def generated(cls, address: str, remote: Remote) -> float | None:
        """Return the sum of genEventSumw (before v7: genEventSumw_) of the tree Runs, None without.

        Raises `UserError` for a file that cannot be read and a sum that is no number.
        """
        with opened(address, remote) as file:
            with decoding(address):
                trees = {key.split(";")[0] for key in file.keys(recursive=False)}
            if "Runs" not in trees:
                return None
            runs = table_of(file, address, "Runs")
            name = next((name for name in _SUMS if name in runs.names), None)
            if name is None:
                return None
            branch = runs.branch(name).prepare(runs.n_events)
            return float(branch.flat(0, runs.n_events).astype(np.float64).sum())

    def identities(self, start: int, stop: int) -> Identity:
        """Return the identity of the events start .. stop."""
        run, lumi, event = (
            self.columns.needed(name, start, stop) for name in ("run", "lumi", "event")
        )
        return run.astype(np.uint32), lumi.astype(np.uint32), event.astype(np.uint64)

    def vertices(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of all and of good vertices, int64, shape (n_events,)."""
        n_pv = self.columns.needed("n_pv", start, stop).astype(np.int64)
        good = self.columns.flat("n_pv_good", start, stop)
        return n_pv, n_pv if good is None else good.astype(np.int64)


class NanoAODReader(NanoEvents):
    """One file of NanoAOD, without candidates."""

    form = "nanoaod"
    has_candidates = False

    @classmethod
    def look_at(cls, table: Table, address: str) -> None:
        """Refuse a file that holds no MET that could be measured."""
        fields = expected(cls.form).fields
        names = [name for met in STORED_METS for name in fields[f"stored_{met}_pt"].names]
        if not set(names) & set(table.names):
            raise UserError(
                f"{address}: none of the METs that NanoAOD stores ({', '.join(names)})"
                f"{friends_of(table)}; produce the file with one of them"
            )

    @property
    def has_truth(self) -> bool:
        """No candidates, no truth of them."""
        return False

    def candidates(self, start: int, stop: int, keep: np.ndarray) -> Candidates:
        """Return no candidates."""
        offsets = np.zeros(int(np.count_nonzero(keep[: stop - start])) + 1, dtype=np.int64)
        return Candidates(Ragged(offsets, {"pt": np.zeros(0, dtype=np.float32)}))
