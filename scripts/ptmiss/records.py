"""The JSON that stages hand to each other: what their readers rely on.

Writers may add keys; a reader gets the whole object, and these are the parts it can trust.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from ptmiss.io.records import Count, Excerpt, Number

Text = Annotated[str, Field(min_length=1, max_length=1000)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Counts = dict[str, Count]
Positive = Annotated[Number, Field(ge=0.0)]


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


class Headline(Excerpt):
    """performance/{training}.headline.json."""

    training: Text
    samples: list[HeadlineSample]


class _Events(Excerpt):
    n_in: Count = Field(alias="in")
    kept: Count
    rejected: Counts


class _Candidates(Excerpt):
    kept: Count
    repaired: Counts
    dropped: Counts
    derived: Counts


class _Weights(Excerpt):
    weight_in: Number = Field(alias="in")
    kept: Number


class _Input(Excerpt):
    name: Text
    sha256: Sha256 | None
    off_raw_met: Positive | None = None


class Ledger(Excerpt):
    """skim/{sample}/{part}.ledger.json."""

    sample: Text
    part: Text
    inputs: list[_Input]
    events: _Events
    candidates: _Candidates
    weights: _Weights
    stored_mets_not_finite: Counts
    renumbered: Counts = Field(default_factory=dict)


class Parity(Excerpt):
    """models/{training}/onnx/parity.json: largest differences in GeV."""

    events: Count
    limit_gev: Positive
    largest_difference_gev: Annotated[dict[str, Positive], Field(min_length=1)]


class TrainingRecord(Excerpt):
    """models/{training}/training.json, as far as the page shows it."""

    best_epoch: Count
    epochs: Count
    seed: int
    parameters: Count | None = None
    events: Counts | None = None


class TrainedNetwork(Excerpt):
    """The same file, as far as it says which network it is about."""

    training: Text
    weights_sha256: Sha256


class _Features(Excerpt):
    """What `model.features.FeatureRules` is made of, and nothing else."""

    model_config = ConfigDict(extra="forbid")

    dz_limit: Positive
    unknown_codes: bool
    use_puppi: bool
    puppi_flavour: Text


class _Dataset(Excerpt):
    events: Count
    sha256: Sha256


class DatasetSummary(Excerpt):
    """datasets/{training}/dataset.json: what a training must know of its datasets."""

    training: Text
    spec: dict[str, object]
    features: _Features
    pinned_pt: Positive
    inputs: dict[str, list[Sha256]]
    train: _Dataset
    validation: _Dataset


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
