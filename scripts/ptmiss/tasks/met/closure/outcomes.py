"""What a test of the closure measures, and what follows when all of a family are seen together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ptmiss.core.stats.distance import Outcome
from ptmiss.tasks.met.calibration.verdict import Comparison
from ptmiss.tasks.met.closure import modulation
from ptmiss.tasks.met.settings.calibration import ClosureSettings


@dataclass(frozen=True)
class Subject:
    """What a test is of: an estimator in a sample, in a region of q_t."""

    estimator: str
    sample: str
    region: str


@dataclass(frozen=True)
class Probability:
    """A measured probability, which is judged with those of its family.

    before: without the correction; slope: in GeV, of a test that a mean does not move.
    """

    name: str
    subject: Subject
    what: str
    before: float
    p: float
    slope: float | None = None

    @property
    def family(self) -> tuple[str, str]:
        """What it is judged together with."""
        return "slope" if self.slope is not None else self.name, self.subject.estimator

    def judged(self, adjusted: float, settings: ClosureSettings) -> Judged:
        """Return the verdict. adjusted: the probability among those of its family (see `holm`)."""
        if self.slope is None:
            numbers = adjusted, settings.p_value, self.p
            return Judged(self._comparison("least", numbers, {}), True)
        numbers = modulation.sigmas(adjusted), settings.slope_sigmas, modulation.sigmas(self.p)
        return Judged(self._comparison("most", numbers, {"slope": self.slope}), True)

    def _comparison(
        self,
        bound: Literal["least", "most"],
        numbers: tuple[float, float, float],
        more: dict[str, float],
    ) -> Comparison:
        value, limit, alone = numbers
        return Comparison(
            name=self.name,
            estimator=self.subject.estimator,
            sample=self.subject.sample,
            region=self.subject.region,
            what=self.what,
            value=value,
            limit=limit,
            bound=bound,
            before=self.before,
            passed=bool(value >= limit if bound == "least" else value <= limit),
            alone=alone,
            **more,
        )


@dataclass(frozen=True)
class Remainder:
    """Distances before and after a correction, which is to reduce them by `reduction`."""

    name: str
    subject: Subject
    what: str
    before: Outcome
    after: Outcome
    reduction: float

    def judged(self) -> Judged:
        """Return the verdict on the share that is left.

        It is not decisive where even a perfect correction could not show the reduction.
        """
        before, after = self.before, self.after
        left = after.distance / before.distance if before.distance > 0.0 else 1.0
        limit = 1.0 / self.reduction
        comparison = Comparison(
            name=self.name,
            estimator=self.subject.estimator,
            sample=self.subject.sample,
            region=self.subject.region,
            what=self.what,
            value=left,
            limit=limit,
            bound="most",
            before=None,
            passed=bool(left <= limit),
            distance_before=before.distance,
            distance_after=after.distance,
            chance=after.chance,
            floor=after.floor,
        )
        return Judged(comparison, bool(after.floor * self.reduction <= before.distance))


Measured = Probability | Remainder


@dataclass(frozen=True)
class Judged:
    """A test with its verdict. decisive: events are enough to show what is asked for."""

    comparison: Comparison
    decisive: bool


def judge(measured: Sequence[Measured], settings: ClosureSettings) -> list[Judged]:
    """Return the tests with their verdicts, in the same order.

    Probabilities and slopes are of all tests of that name and estimator together, because of twenty
    slopes that are zero one lies beyond two standard deviations.
    """
    families: dict[tuple[str, str], list[int]] = {}
    for number, test in enumerate(measured):
        if isinstance(test, Probability):
            families.setdefault(test.family, []).append(number)
    adjusted: dict[int, float] = {}
    for members in families.values():
        alone = [test.p for test in (measured[i] for i in members) if isinstance(test, Probability)]
        adjusted.update(zip(members, holm(alone), strict=True))
    return [
        test.judged(adjusted[number], settings) if isinstance(test, Probability) else test.judged()
        for number, test in enumerate(measured)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number: the least is below a with probability a.

    Source: Holm, Scand. J. Stat. 6 (1979) 65.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    out = np.empty(p.size)
    out[order] = np.minimum(raised, 1.0)
    return [float(value) for value in out]
