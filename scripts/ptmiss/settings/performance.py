"""Settings of the stage performance: bins, replicas and what counts as enough events."""

from __future__ import annotations

import itertools
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from ptmiss.columns import STORED_METS
from ptmiss.errors import UserError
from ptmiss.performance.where import parse as parse_condition
from ptmiss.settings.base import Section
from ptmiss.settings.samples import Name


def _rising(edges: tuple[float, ...]) -> tuple[float, ...]:
    if any(low >= high for low, high in itertools.pairwise(edges)):
        raise ValueError("each edge must be above the one before it")
    return edges


def _stored(names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = sorted(set(names) - set(STORED_METS))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: not known, allowed: {', '.join(STORED_METS)}")
    return names


def _from_zero(edges: tuple[float, ...]) -> tuple[float, ...]:
    if edges[0] != 0.0:
        raise ValueError("the first edge must be 0")
    return _rising(edges)


def _condition(text: str) -> str:
    try:
        parse_condition(text)
    except UserError as error:
        raise ValueError(str(error)) from None
    return text


def _over(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("each estimator is given once")
    if missing := [name for name in ("pf", "puppi") if name not in names]:
        raise ValueError(f"{', '.join(missing)} must be there: gate and first screen quote it")
    return names


Edges = Annotated[tuple[float, ...], Field(min_length=2), AfterValidator(_rising)]
EdgesFromZero = Annotated[tuple[float, ...], Field(min_length=3), AfterValidator(_from_zero)]
SliceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
EstimatorName = SliceName
Range = Annotated[tuple[float, float], AfterValidator(_rising)]
Positive = Annotated[float, Field(gt=0.0, le=10_000.0)]


class PerformanceSettings(Section):
    """How response and resolution are measured. Momenta in GeV."""

    replicas: Annotated[int, Field(ge=20, le=10_000, description="bootstrap replicas")]
    seed: Annotated[int, Field(ge=0, le=900_000_000, description="of the bootstrap")]
    qt_edges: Edges
    qt_ranges: Annotated[tuple[Range, ...], Field(description="wider bins of the axis qt")]
    correction_edges: Edges
    qt_split: Annotated[Positive, Field(description="between n_pv_low_qt and n_pv_high_qt")]
    n_pv_edges: Edges
    gen_ht_edges: Edges
    gen_met_edges: Edges
    plateau_low: Annotated[float, Field(ge=0, description="plateau response from this qT, GeV")]
    plateau_high: Annotated[float, Field(gt=0, description="plateau response up to this qT, GeV")]
    plateau_gen_met: Annotated[
        Positive, Field(description="plateau response to true pTmiss, from this true pTmiss")
    ]
    response_gen_met: Annotated[
        Positive, Field(description="response to true pTmiss is of events above this true pTmiss")
    ]
    headline_qt: Annotated[Range, Field(description="the one of qt_ranges that headlines use")]
    median_range: Annotated[
        Range, Field(description="response_median is of |pTmiss| / true within this")
    ]
    met_edges: Annotated[EdgesFromZero, Field(description="spectra of pTmiss, thresholds of ROC")]
    mt_edges: Annotated[EdgesFromZero, Field(description="spectra of the transverse mass")]
    roc_share: Annotated[
        float,
        Field(ge=0, le=1, description="share of events with true pTmiss above response_gen_met"
              " that makes a sample a signal"),
    ]  # fmt: skip
    slices: Annotated[
        dict[SliceName, Annotated[str, AfterValidator(_condition)]],
        Field(description="name -> condition on events, each makes rows of the table of slices"),
    ]
    rms_range: Annotated[
        float, Field(ge=10.0, le=500.0, description="RMS is of values within +- this, GeV")
    ]
    min_events: Annotated[int, Field(ge=2, description="effective events a bin needs")]
    over: Annotated[
        tuple[EstimatorName, ...],
        AfterValidator(_over),
        Field(description="estimators over which gains are quoted, of those that a sample has"),
    ]
    leave_out: Annotated[
        tuple[Name, ...], Field(description="samples that are not measured, of those that exist")
    ]
    stored: Annotated[
        tuple[str, ...],
        AfterValidator(_stored),
        Field(description="METs of the input that are measured too, where it has them"),
    ]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.headline_qt not in self.qt_ranges:
            raise ValueError(f"headline_qt {list(self.headline_qt)} must be one of qt_ranges")
        if self.plateau_low >= self.plateau_high:
            raise ValueError("plateau_low must be below plateau_high")
        return self
