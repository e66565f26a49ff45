"""The JSON of performance and interpretation: what its readers rely on. Writers may add keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from ptmiss.core.io.records import Count, Excerpt, Number, Text


class Quoted(Excerpt):
    """A number with the bounds of its interval; None where there is none."""

    value: Number | None
    low: Number | None
    high: Number | None


class Gain(Quoted):
    """A gain or a share of the way to the limit, and in which bin it is measured."""

    estimator: Text
    over: Text
    quantity: Text
    axis: Text
    bin_low: Number | None
    bin_high: Number | None


class Numbers(Excerpt):
    """The headline numbers of an estimator: plateau responses, and one resolution a further key."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Quoted | None]

    response: Quoted | None = None
    response_met: Quoted | None = None
    non_finite: Count = 0


class Form(Excerpt):
    """A resolution `of` a sample in a form (`performance.names.FORMS`), in a bin of the tables."""

    form: Text
    of: Text
    quantity: Text
    axis: Text
    bin_low: Number | None
    bin_high: Number | None
    estimators: dict[str, Quoted]
    gains: list[Gain]
    limit: list[Gain]


class Responses(Excerpt):
    """The response of every estimator in a bin of q_T."""

    bin_low: Number
    bin_high: Number
    estimators: dict[str, Quoted]


class HeadlineSample(Excerpt):
    """The headline numbers of a sample and variation."""

    sample: Text
    variation: Text
    label: str
    n_events: Count
    estimators: dict[str, Numbers]
    gains: list[Gain]
    gains_bincorr: list[Gain] = Field(default_factory=list)
    limit: list[Gain] = Field(default_factory=list)
    forms: list[Form] = Field(default_factory=list)
    response_qt: list[Responses] = Field(default_factory=list)
    coverage: dict[str, dict[str, Quoted]] = Field(default_factory=dict)


class Headline(Excerpt):
    """performance/{training}.headline.json."""

    training: Text
    samples: list[HeadlineSample]


Pair = Annotated[list[Number], Field(min_length=2, max_length=2)]


Values = list[Number | None]


class _LeftOut(Excerpt):
    candidates: Count


class DisplayedEvent(Excerpt):
    """One event of interpretation/{training}.displays.json, GeV: pairs are (x, y)."""

    sample: Text
    event: Annotated[str, Field(pattern=r"^\d{1,20}:\d{1,20}:\d{1,20}$")]
    why: Text
    true: Pair
    estimates: dict[str, Pair]
    pt: Values
    eta: Values
    phi: Values
    weight: Values
    group: list[str]
    left_out: _LeftOut | None = None

    @model_validator(mode="after")
    def _one_value_each(self) -> DisplayedEvent:
        lengths = [len(getattr(self, name)) for name in ("pt", "eta", "phi", "weight", "group")]
        if len(set(lengths)) > 1:
            raise ValueError(f"pt, eta, phi, weight and group have {lengths} entries")
        return self


class Displays(Excerpt):
    """interpretation/{training}.displays.json."""

    displays: list[DisplayedEvent]
