"""The quality gate: is a network an estimator of missing momentum, or has it learnt to shrink?

In Z to mumu the true pTmiss is zero, so a network that shrinks everything, the muons included,
looks superb there and is useless elsewhere. No network is therefore accepted on Z to mumu alone:
where there is real pTmiss its response must be near 1, and its response-corrected resolution must
not be worse than that of the plain sum of all candidates.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ptmiss.core.io import atomic, records
from ptmiss.core.io.records import Excerpt, Record
from ptmiss.core.paths import PathLike
from ptmiss.tasks.met.settings.gate import GateSettings

NETWORK = "deepmet"
"""The estimator that is judged; baselines and models of others are only compared with."""


class _Response(Excerpt):
    value: float | None


class _Estimator(Excerpt):
    response_met: _Response | None = None


class _Gain(Excerpt):
    estimator: str
    over: str
    quantity: str
    high: float | None


class _Sample(Excerpt):
    sample: str
    estimators: Annotated[dict[str, _Estimator], Field(min_length=1)]
    gains: tuple[_Gain, ...]


class Headline(Excerpt):
    """What the gate reads of the headline numbers that the stage performance writes."""

    training: str
    samples: Annotated[tuple[_Sample, ...], Field(min_length=1)]


class Comparison(Record):
    """One number that was compared with its limits, None where open."""

    sample: str
    quantity: str
    value: float
    low: float | None
    high: float | None
    passed: bool

    @model_validator(mode="after")
    def _as_its_limits_say(self) -> Self:
        if self.passed != within(self.value, self.low, self.high):
            raise ValueError(f"passed is {self.passed}, which value and limits do not say")
        return self


class Verdict(Record):
    """What the gate says of the network of one training; `judged`: there was one to compare."""

    gate: Literal["quality"]
    training: str
    tests: tuple[Comparison, ...]
    judged: bool
    passed: bool

    @model_validator(mode="after")
    def _as_its_tests_say(self) -> Self:
        if self.judged != bool(self.tests):
            raise ValueError(f"judged is {self.judged} with {len(self.tests)} tests")
        if self.judged and self.passed != all(test.passed for test in self.tests):
            raise ValueError(f"passed is {self.passed}, which its tests do not say")
        return self


def within(value: float, low: float | None, high: float | None) -> bool:
    """Return whether a value lies within its limits, which belong to the range; None is open."""
    return (low is None or value >= low) and (high is None or value <= high)


def gate(headline: PathLike, settings: GateSettings, verdict: PathLike) -> None:
    """Judge a training by its headline numbers and write the verdict; the stage gate."""
    judged = judge(records.read(Headline, headline, "performance"), settings)
    atomic.write_json(verdict, records.to_values(judged))


def judge(headline: Headline, settings: GateSettings) -> Verdict:
    """Judge the network of one training by what the stage performance writes of it.

    A training without any sample that has real pTmiss fails, because nothing protects it from the
    degenerate solution; one without a network (the classical estimators alone) has nothing to be
    judged and passes.
    """
    tests = []
    has_network = False
    for sample in headline.samples:
        numbers = sample.estimators.get(NETWORK)
        if numbers is None:
            continue
        has_network = True
        if numbers.response_met is None or numbers.response_met.value is None:
            continue
        limits = (settings.response_low, settings.response_high)
        tests.append(_test(sample.sample, "response_met", numbers.response_met.value, *limits))
        for gain in sample.gains:
            key = (gain.estimator, gain.over, gain.quantity)
            if key == (NETWORK, "pf", "sigma_xy") and gain.high is not None:
                # the upper end of the interval: worse beyond doubt, not by chance
                tests.append(_test(sample.sample, "gain over pf", gain.high, 0.0, None))
    return Verdict(
        gate="quality",
        training=headline.training,
        tests=tuple(tests),
        judged=bool(tests),
        passed=not has_network or (bool(tests) and all(test.passed for test in tests)),
    )


def _test(
    sample: str, quantity: str, value: float, low: float | None, high: float | None
) -> Comparison:
    return Comparison(
        sample=sample,
        quantity=quantity,
        value=value,
        low=low,
        high=high,
        passed=within(value, low, high),
    )


def problems(verdict: Verdict) -> list[str]:
    """Return a line for each reason why a network is refused, none where it is not."""
    if verdict.passed:
        return []
    if not verdict.tests:
        return [
            f"{verdict.gate} gate, training {verdict.training}: no sample with real missing"
            " momentum has enough test events, so nothing shows that the network does not just"
            " shrink; add one such as ttbar"
        ]
    return [
        f"{verdict.gate} gate, training {verdict.training}, sample {test.sample}:"
        f" {test.quantity} is {test.value:.3f}, allowed {_range(test.low, test.high)}"
        for test in verdict.tests
        if not test.passed
    ]


def _range(low: float | None, high: float | None) -> str:
    if high is None:
        return f"at least {low:g}"
    return f"{low:g} to {high:g}"
