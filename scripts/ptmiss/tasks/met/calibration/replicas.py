"""The two samples that corrections are derived from, with the bootstrap copies of their events."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from ptmiss.core.stats.bootstrap import copies
from ptmiss.tasks.met.calibration.bosons import BosonEvents, join


@dataclass(frozen=True)
class Replicated:
    """Events of one side with their bootstrap.

    copies: uint8 (n, 1 + replicas), column 0 is one; shares: of the background uncertainty that an
    event's weight carries: 1 for subtracted background, 0 for all else.
    """

    events: BosonEvents
    copies: np.ndarray
    shares: np.ndarray

    def only(self, estimator: str) -> Replicated:
        """Return the events in which an estimator is finite, with this estimator alone."""
        finite = self.events.finite(estimator)
        alone = dataclasses.replace(self.events, met={estimator: self.events.met[estimator]})
        if finite.all():
            return Replicated(alone, self.copies, self.shares)
        return dataclasses.replace(self, events=alone).take(finite)

    def take(self, which: np.ndarray) -> Replicated:
        """Return the events that a mask or index array selects."""
        return Replicated(self.events.take(which), self.copies[which], self.shares[which])

    def weights(self, which: np.ndarray, replicas: bool, background: float = 0.0) -> np.ndarray:
        """Return weights (rows, n) of the events `which`: nominal, then replicas if asked for.

        background: relative change of the subtracted background.
        """
        w: np.ndarray = self.events.weight[which] * (1.0 + background * self.shares[which])
        if not replicas:
            return w[None, :]
        drawn: np.ndarray = w * self.copies[which].T
        return drawn


Sides = dict[str, Replicated]
"""The two sides by data set."""


def sample(events: BosonEvents, background: BosonEvents | None, replicas: int) -> Replicated:
    """Return events less background, with their bootstrap copies."""
    parts = [events] if background is None else [events, background.scaled(-1.0)]
    shares = np.repeat([0.0, 1.0][: len(parts)], [part.size for part in parts])
    whole = join(parts)
    return Replicated(whole, copies(whole.states, replicas), shares)
