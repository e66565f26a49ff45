"""What the closure says of a training, and a line for each reason why it does not pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ptmiss.core.io.records import Record


class Comparison(Record):
    """One test of a closure.

    what: was compared; bound: `least` or `most`, what the limit is; before: the number without the
    correction, None where there is none; alone: the number by itself, where `value` is of all tests
    of that name and estimator together (`closure.outcomes.holm`).
    """

    name: str
    estimator: str
    sample: str
    region: str
    what: str
    value: float
    limit: float
    bound: Literal["least", "most"]
    before: float | None
    passed: bool
    alone: float | None = None
    slope: float | None = None
    distance_before: float | None = None
    distance_after: float | None = None
    chance: float | None = None
    floor: float | None = None

    @model_validator(mode="after")
    def _as_its_limit_says(self) -> Self:
        low = self.bound == "least"
        if self.passed != (self.value >= self.limit if low else self.value <= self.limit):
            raise ValueError(f"passed is {self.passed}, which value and limit do not say")
        return self


class Masked(Record):
    """How many events of a sample an estimator is not finite in, of how many."""

    estimator: str
    sample: str
    events: Annotated[int, Field(ge=1)]
    of: Annotated[int, Field(ge=1)]


class Verdict(Record):
    """What the closure says of one training; `tests` count, the others are only shown."""

    gate: Literal["closure"]
    training: str
    passed: bool
    tests: tuple[Comparison, ...]
    undecided: tuple[Comparison, ...]
    others: tuple[Comparison, ...]
    masked: tuple[Masked, ...] = ()

    @model_validator(mode="after")
    def _as_its_tests_say(self) -> Self:
        if self.passed != verdict_of([test.passed for test in self.tests]):
            raise ValueError(
                f"passed is {self.passed}, which its {len(self.tests)} tests do not say"
            )
        return self


def verdict_of(passed: Sequence[bool]) -> bool:
    """Return whether all tests passed; without a test nothing has been shown, so no."""
    return bool(passed) and all(passed)


def problems(verdict: Verdict) -> list[str]:
    """Return a line for each reason why a closure does not pass, none where it does."""
    if not verdict.tests:
        return [
            f"closure, training {verdict.training}: no test counts, so nothing shows that the"
            " corrections hold; name estimators that the training has in"
            " calibration.closure.estimators"
        ]
    return [
        f"closure, training {verdict.training}, estimator {test.estimator}, sample {test.sample},"
        f" region {test.region}: {test.name} ({test.what}) is {test.value:.3g}, allowed"
        f" at {test.bound} {test.limit:g}"
        for test in verdict.tests
        if not test.passed
    ]
