"""Settings of the stage performance: bins, replicas and what counts as enough events."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from ptmiss.core.conditions import parse as parse_condition
from ptmiss.core.errors import UserError
from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import (
    LARGEST,
    Edges,
    EdgesFromZero,
    FieldName,
    Name,
    NotNegative,
    Range,
    Ranges,
    each_once,
)
from ptmiss.tasks.met.settings.stored import StoredMets


def _condition(text: str) -> str:
    try:
        parse_condition(text)
    except UserError as error:
        raise ValueError(str(error)) from None
    return text


def _over(names: tuple[str, ...]) -> tuple[str, ...]:
    if missing := [name for name in ("pf", "puppi") if name not in names]:
        raise ValueError(f"{', '.join(missing)} must be there: gate and first screen quote it")
    return each_once(names)


Positive = Annotated[float, Field(gt=0.0, le=10_000.0)]


class PerformanceSettings(Section):
    """How response and resolution are measured. Momenta in GeV."""

    replicas: Annotated[int, Field(ge=20, le=10_000, description="bootstrap replicas")]
    seed: Annotated[int, Field(ge=0, le=900_000_000, description="of the bootstrap")]
    qt_edges: Edges
    qt_ranges: Annotated[Ranges, Field(description="wider bins of the axis qt")]
    correction_edges: Edges
    qt_split: Annotated[Positive, Field(description="between n_pv_low_qt and n_pv_high_qt")]
    n_pv_edges: Edges
    gen_ht_edges: Edges
    gen_met_edges: Edges
    plateau_low: Annotated[NotNegative, Field(description="plateau response from this qT, GeV")]
    plateau_high: Annotated[
        float, Field(gt=0, le=LARGEST, description="plateau response up to this qT, GeV")
    ]
    plateau_gen_met: Annotated[
        Positive, Field(description="plateau response to true pTmiss, from this true pTmiss")
    ]
    response_gen_met: Annotated[
        Positive, Field(description="response to true pTmiss is of events above this true pTmiss")
    ]
    headline_qt: Annotated[Range, Field(description="the one of qt_ranges that headlines use")]
    headline_high_qt: Annotated[
        Range, Field(description="the one of qt_ranges that stands beside it: no low recoil")
    ]
    response_edges: Annotated[
        Edges, Field(description="bins of qT of the table of responses at low recoil")
    ]
    median_range: Annotated[
        Range, Field(description="response_median is of |pTmiss| / true within this")
    ]
    met_edges: Annotated[EdgesFromZero, Field(description="spectra of pTmiss, thresholds of ROC")]
    mt_edges: Annotated[EdgesFromZero, Field(description="spectra of the transverse mass")]
    roc_share: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="share of events with true pTmiss above response_gen_met"
            " that makes a sample a signal",
        ),
    ]
    slices: Annotated[
        dict[FieldName, Annotated[str, AfterValidator(_condition)]],
        Field(
            max_length=100,
            description="name -> condition on events, each makes rows of the table of slices",
        ),
    ]
    rms_range: Annotated[
        float, Field(ge=10.0, le=500.0, description="RMS is of values within +- this, GeV")
    ]
    min_events: Annotated[
        int, Field(ge=2, le=1_000_000_000, description="effective events a bin needs")
    ]
    over: Annotated[
        tuple[FieldName, ...],
        AfterValidator(_over),
        Field(description="estimators over which gains are quoted, of those that a sample has"),
    ]
    leave_out: Annotated[
        tuple[Name, ...],
        AfterValidator(each_once),
        Field(description="samples that are not measured, of those that exist"),
    ]
    stored: Annotated[
        StoredMets,
        Field(
            description="METs of inputs with candidates that are measured too, where they have them"
        ),
    ]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("headline_qt", "headline_high_qt"):
            if (chosen := getattr(self, name)) not in self.qt_ranges:
                raise ValueError(f"{name} {list(chosen)} must be one of qt_ranges")
        if self.plateau_low >= self.plateau_high:
            raise ValueError("plateau_low must be below plateau_high")
        return self


CELLS, OBSERVABLES = 61, 9
"""Of a histogram of a replica, and most of a sample: `performance.histograms` and `observables`."""


def memory_mb(settings: PerformanceSettings, n_estimators: int) -> int:
    """Return an upper bound of the memory that the histograms of one sample take, in MB.

    Every replica of every estimator, observable and bin has a histogram of 8 bytes a cell. The
    bins of `correction_edges` and `qt_ranges` overlap: each can be cut by all edges of the other.
    """
    n_recoil = len(settings.qt_edges) + len(settings.response_edges) + 2 * len(settings.qt_ranges)
    n_recoil += len(settings.correction_edges) * len(settings.qt_ranges)
    n_bins = n_recoil + 3 * len(settings.n_pv_edges)
    n_bins += len(settings.gen_ht_edges) + len(settings.gen_met_edges)
    return n_estimators * OBSERVABLES * n_bins * CELLS * (1 + settings.replicas) * 8 // 1_000_000
