"""The weight of each event: the generator's, normalised to the cross-section of its sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.events.ledger import Ledger
from ptmiss.events.readers.batch import EventBatch
from ptmiss.events.settings.samples import FileSample, SimulatedSample

MOST_OF_SUM = 10.0
"""Share of a sample's sum of weights in one part: above 1 only by negative weights elsewhere."""


@dataclass
class Weights:
    """The weights of a part. typical: medians of the sizes of all batches, summed."""

    sample: str
    spec: SimulatedSample | FileSample
    typical: float = 0.0

    @property
    def _scaled(self) -> FileSample | None:
        """The sample, if its weights are normalised: simulation that is read from files."""
        spec = self.spec
        return spec if isinstance(spec, FileSample) and not spec.is_data else None

    def of(self, events: EventBatch) -> np.ndarray:
        """Generator weight times cross-section over the sum of all weights; 1 for data."""
        is_data = isinstance(self.spec, FileSample) and self.spec.is_data
        if is_data or events.gen_weight is None:
            weight = np.ones(events.n_events)
        else:
            weight = events.gen_weight
        spec = self._scaled
        if spec is not None and spec.sum_of_weights is not None:
            weight = weight * (spec.cross_section / spec.sum_of_weights)
        size = np.abs(weight[np.isfinite(weight)])
        self.typical += len(size) * float(np.median(size)) if len(size) else 0.0
        return weight

    def check_sum(self, ledger: Ledger) -> None:
        """Refuse a sum of weights that is far below what is seen of it here: it is of all events.

        A sum that is far above is possible, the files may be a few of many. So that one event of
        absurd weight is not taken for it, the medians of batches must say the same.
        """
        spec = self._scaled
        if spec is None or spec.sum_of_weights is None or spec.sum_of_weights == 1.0:
            return
        share = ledger.weight_in / spec.cross_section
        if min(share, self.typical / spec.cross_section) <= MOST_OF_SUM:
            return
        n = ledger.events_in
        raise UserError(
            f"samples.{self.sample}.sum_of_weights is {spec.sum_of_weights:g}, but the generator "
            f"weights of the {n} events of part {ledger.part} alone add up to "
            f"{share * spec.sum_of_weights:g} (mean {share * spec.sum_of_weights / n:g}); give the "
            "sum of the weights of all generated events, not their number"
        )
