"""The ledger of a part: every event and candidate accounted for, by reason."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ptmiss.core.io.atomic import write_json
from ptmiss.core.paths import PathLike

OFF_RAW_MET = 3.0
"""GeV. Packing of all candidates leaves 0.2 GeV between their sum and the stored raw MET in CMS
events with 30 vertices (0.4 in the worst one); those above 0.3 GeV alone are 4 GeV off, those of
jets 24 to 40, PUPPI-weighted ones 37. Packing grows with the momenta: 3 GeV are far above it at a
TeV too."""

COMMON_REASONS = (
    "duplicate of run, lumi and event",
    "generator weight not finite",
    "generator MET not finite",
)
"""Why an event is lost whatever the selection."""


@dataclass
class Ledger:
    """Counts of one part; filled batch by batch.

    Events: in = kept + rejected, exactly. Sums of weights: the same to rounding; an event without
    a usable weight counts as 0 there. Candidates, of kept events only (those of others are not
    read): in = kept + dropped; `repaired` and `derived` are among the kept or dropped ones.
    renumbered: events whose luminosity block became a hash, because their number was not unique.
    factors: weights by correctionlib, which those above do not have, summed over kept events.
    """

    sample: str
    part: str
    source: str
    selection: str
    is_data: bool
    inputs: list[dict[str, Any]] = field(default_factory=list)
    events_in: int = 0
    events_kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    weight_in: float = 0.0
    weight_kept: float = 0.0
    weight_size: float = 0.0
    weight_rejected: dict[str, float] = field(default_factory=dict)
    candidates_in: int = 0
    candidates_kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    derived: Counter[str] = field(default_factory=Counter)
    not_finite: Counter[str] = field(default_factory=Counter)
    renumbered: Counter[str] = field(default_factory=Counter)
    factors: dict[str, float] = field(default_factory=dict)

    def add_input(self, name: str, sha256: str | None, events: int) -> None:
        """Note an input: its name without folders, its hash (None if remote), its events."""
        self.inputs.append({"name": name, "sha256": sha256, "events": events})

    @property
    def compared(self) -> bool:
        """Whether the last input's candidates were compared with its stored MET."""
        return bool(self.inputs) and "off_raw_met" in self.inputs[-1]

    def add_comparison(self, median: float) -> None:
        """Note by how many GeV the sum of the last input's candidates misses its raw MET."""
        self.inputs[-1]["off_raw_met"] = round(median, 3)

    def add_events(
        self, weight: np.ndarray, reason: np.ndarray, reasons: tuple[str, ...] | list[str]
    ) -> None:
        """Account for a batch of events read.

        weight: float64, shape (n_events,), finite or not; reason: index into `reasons` of why an
        event is rejected, -1 for kept ones.
        """
        usable = np.where(np.isfinite(weight), weight, 0.0)
        kept = reason < 0
        self.events_in += len(weight)
        self.events_kept += int(np.count_nonzero(kept))
        self.weight_in = math.fsum((self.weight_in, *usable))
        self.weight_size = math.fsum((self.weight_size, *np.abs(usable)))
        self.weight_kept = math.fsum((self.weight_kept, *usable[kept]))
        for k, text in enumerate(reasons):
            hit = reason == k
            if hit.any():
                self.rejected[text] += int(np.count_nonzero(hit))
                before = self.weight_rejected.get(text, 0.0)
                self.weight_rejected[text] = math.fsum((before, *usable[hit]))

    def add_factors(self, sums: dict[str, float]) -> None:
        """Account for the weights by correctionlib of a batch of kept events: sum of each."""
        for name, value in sums.items():
            self.factors[name] = math.fsum((self.factors.get(name, 0.0), value))

    def add_candidates(
        self,
        n_in: int,
        n_kept: int,
        dropped: dict[str, int],
        repaired: dict[str, int],
        derived: dict[str, int],
    ) -> None:
        """Account for the candidates of a batch of kept events.

        Parameters
        ----------
        n_in, n_kept
            Candidates read, and left.
        dropped, repaired, derived
            Numbers by reason; `n_in` is `n_kept` and all that were dropped.
        """
        self.candidates_in += n_in
        self.candidates_kept += n_kept
        self.dropped.update(dropped)
        self.repaired.update(repaired)
        self.derived.update(derived)

    def check(self) -> None:
        """Raise `AssertionError` if something is not accounted for: a defect of this project."""
        if self.events_in != self.events_kept + sum(self.rejected.values()):
            raise AssertionError("the ledger's events do not add up")
        if self.candidates_in != self.candidates_kept + sum(self.dropped.values()):
            raise AssertionError("the ledger's candidates do not add up")
        if self.events_in != sum(entry["events"] for entry in self.inputs):
            raise AssertionError("the ledger's events are not those of its inputs")
        rest = math.fsum(
            (self.weight_in, -self.weight_kept, *(-w for w in self.weight_rejected.values()))
        )
        if abs(rest) > 1e-12 * max(self.weight_size, 1e-300):
            raise AssertionError(f"the ledger's weights do not add up: {rest} is left")

    def as_dict(self) -> dict[str, Any]:
        """Return the ledger in the form it is written."""
        return {
            "sample": self.sample,
            "part": self.part,
            "source": self.source,
            "selection": self.selection,
            "is_data": self.is_data,
            "inputs": self.inputs,
            "events": {
                "in": self.events_in,
                "kept": self.events_kept,
                "rejected": dict(self.rejected),
            },
            "weights": {
                "in": self.weight_in,
                "kept": self.weight_kept,
                "rejected": self.weight_rejected,
            },
            "candidates": {
                "in": self.candidates_in,
                "kept": self.candidates_kept,
                "dropped": dict(self.dropped),
                "repaired": dict(self.repaired),
                "derived": dict(self.derived),
            },
            "stored_mets_not_finite": dict(self.not_finite),
            **({"mean_factors": self._means} if self.factors else {}),
            **({"renumbered": dict(self.renumbered)} if self.renumbered else {}),
        }

    @property
    def _means(self) -> dict[str, float]:
        """Mean of each factor over the kept events."""
        return {name: value / max(self.events_kept, 1) for name, value in self.factors.items()}

    def write(self, path: PathLike) -> None:
        """Check the ledger and write it as JSON."""
        self.check()
        write_json(path, self.as_dict())
