"""What a sample asks of an event as a whole: certified blocks, triggers, filters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.events.readers.asked import Asked
from ptmiss.events.readers.batch import EventBatch
from ptmiss.events.settings.samples import FileSample, SimulatedSample
from ptmiss.events.settings.skim import NoSelection, Selection
from ptmiss.events.settings.weights import EventWeight
from ptmiss.events.skim import golden

NOT_CERTIFIED, NO_TRIGGER = "not in the golden JSON", "no trigger fired"
"""Why an event is rejected; a filter is a reason of its own."""

MAYBE = "?"
"""At the end of a branch's name: files without it are read too."""


@dataclass(frozen=True)
class Quality:
    """The requirements of a sample.

    certified: None where all blocks are; triggers, filters: branches, with `MAYBE` or without;
    weights: which ask for branches too.
    """

    certified: golden.Golden | None
    triggers: tuple[str, ...]
    filters: tuple[str, ...]
    weights: tuple[EventWeight, ...] = ()

    @classmethod
    def of(cls, spec: SimulatedSample | FileSample) -> Quality:
        """Return the requirements; raises `UserError` for a golden JSON of another format."""
        if not isinstance(spec, FileSample):
            return cls(None, (), ())
        certified = None if spec.golden_json is None else golden.read(spec.golden_json)
        return cls(certified, spec.triggers, spec.filters, tuple(spec.weights.values()))

    def asked(self, selection: Selection) -> Asked:
        """Return the branches that these requirements and a selection ask for."""
        names = dict.fromkeys((*self.triggers, *self.filters))
        leptons = () if isinstance(selection, NoSelection) else selection.lepton.branches
        kind = "" if isinstance(selection, NoSelection) else selection.lepton.kind
        columns = dict.fromkeys(name for one in self.weights for name in one.branches)
        return Asked(
            columns=tuple(columns),
            muon=leptons if kind == "muon" else (),
            electron=leptons if kind == "electron" else (),
            flags=tuple(dict.fromkeys(name.removesuffix(MAYBE) for name in names)),
            optional=frozenset(n.removesuffix(MAYBE) for n in names if n.endswith(MAYBE)),
        )

    def failed(self, events: EventBatch, address: str) -> dict[str, np.ndarray]:
        """Return reason -> which events fail for it, bool, shape (n_events,).

        Raises `UserError` if a branch is missing that is not allowed to.
        """
        failed = {}
        if self.certified is not None:
            failed[NOT_CERTIFIED] = ~self.certified.good(events.run, events.lumi)
        if self.triggers:
            flags = [_flag(events, name, False, address) for name in self.triggers]
            failed[NO_TRIGGER] = ~np.logical_or.reduce(flags)
        for name in self.filters:
            failed[f"filter {name.removesuffix(MAYBE)}"] = ~_flag(events, name, True, address)
        return failed


def _flag(events: EventBatch, name: str, absent: bool, address: str) -> np.ndarray:
    values = events.flags.get(name.removesuffix(MAYBE))
    if values is not None:
        return values
    if not name.endswith(MAYBE):
        raise UserError(
            f"{address}: the reader of this format gives no {name}, which triggers and filters of"
            " the sample ask for; leave it out"
        )
    return np.full(events.n_events, absent)
