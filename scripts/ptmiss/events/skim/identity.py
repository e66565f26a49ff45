"""Which events of the input are the same one, and what tells apart those that carry one number.

Recorded events are the same where run, luminosity block and event are. Simulation is often numbered
from 1 in every job: there an event is the same one only if its content is as well. Such numbers
would put different events into one fold and give them the same bootstrap copies. Therefore the
luminosity block becomes a hash of the content for all events of a file that was numbered on its own
and for those that repeat a number within their file (files joined by hadd). Both follow from the
file alone: how a sample is cut into parts changes nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ptmiss.core.hashing import event_hash
from ptmiss.core.ragged import Ragged, segment_sum
from ptmiss.events.readers.batch import EventBatch
from ptmiss.events.readers.reader import Reader
from ptmiss.events.seen import Seen, hashed

FIRST_EVENTS = 1000
"""A counter that begins at 1 has an event below this, even behind a filter of the generator."""

EACH_FILE, INSIDE = "event counter begins anew in each file", "event counter begins anew in a file"
"""Why events got another luminosity block."""


def content_of(events: EventBatch) -> np.ndarray:
    """Return a hash of what an event holds besides its candidates, uint64, shape (n,)."""
    columns = [events.gen_weight, events.n_pv, events.n_pv_good, events.rho]
    for vector in (events.gen_met, *(events.stored[name] for name in sorted(events.stored))):
        columns += [] if vector is None else [vector.px, vector.py]
    for objects in (events.muons, events.electrons, events.jets, events.gen_jets):
        columns += [] if objects is None else _sums(objects)
    return hashed(np.asarray(values, dtype=np.float64) for values in columns if values is not None)


def _sums(objects: Ragged) -> list[np.ndarray]:
    names = sorted({"pt", "eta", "phi"} & set(objects.columns))
    with np.errstate(invalid="ignore", over="ignore"):
        return [objects.counts, *(segment_sum(objects[name], objects.offsets) for name in names)]


def numbered_on_its_own(reader: Reader, limit: int) -> bool:
    """Tell whether all events of a file are in block 1 of run 1 and its counter begins there.

    limit: events to read at a time.
    """
    smallest = None
    for start, stop in reader.chunks(limit):
        run, lumi, event = reader.identities(start, stop)
        if (run > 1).any() or (lumi > 1).any():
            return False
        low = int(event.min())
        smallest = low if smallest is None else min(low, smallest)
    return smallest is not None and smallest < FIRST_EVENTS


class Identities:
    """Judges the events of a part, file after file.

    by_content: simulation of unknown origin, whose numbers alone say little.
    """

    def __init__(self, by_content: bool) -> None:
        self._by_content = by_content
        self._seen = Seen()
        self._of_file = Seen()
        self._own = False

    def open(self, reader: Reader, limit: int) -> None:
        """Begin a new file. limit: events to read at a time."""
        self._of_file = Seen()
        # our simulation, which says its energy, numbers the events of all parts together
        ours = not self._by_content or reader.sqrt_s is not None
        self._own = not ours and numbered_on_its_own(reader, limit)

    def judge(self, events: EventBatch) -> tuple[EventBatch, np.ndarray, dict[str, int]]:
        """Return the events as they are to be called, which of them came before, and how many of
        the others got another luminosity block, by reason.
        """
        identity = event_hash(events.run, events.lumi, events.event)
        if not self._by_content:
            return events, self._seen.again(identity), {}
        content = content_of(events)
        again = self._seen.again(event_hash(identity, content, np.zeros_like(content)))
        inside = self._of_file.again(identity)
        renamed = np.ones_like(inside) if self._own else inside
        lumi = np.where(renamed, content & np.uint64(0xFFFFFFFF), events.lumi).astype(np.uint32)
        counts = {
            EACH_FILE: int(np.count_nonzero(renamed & ~inside & ~again)),
            INSIDE: int(np.count_nonzero(inside & ~again)),
        }
        return replace(events, lumi=lumi), again, {k: n for k, n in counts.items() if n}
