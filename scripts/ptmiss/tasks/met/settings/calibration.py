"""Settings of the calibration: roles of the samples, corrections, uncertainties, closure."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import (
    LARGEST,
    Edges,
    LowerEdges,
    Name,
    NotNegative,
    Ranges,
    each_once,
)
from ptmiss.tasks.met.settings.stored import StoredMets

Share = Annotated[float, Field(gt=0, lt=1)]
Jets = Annotated[tuple[Annotated[int, Field(ge=0, le=20)], ...], Field(min_length=1)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Run = Annotated[int, Field(ge=0, le=4_294_967_295)]
Form = Literal["gaussians", "kernel", "empirical"]


class ClosureSettings(Section):
    """What the corrections must do on the half of the events they were not derived from."""

    estimators: Annotated[
        tuple[str, ...],
        AfterValidator(each_once),
        Field(min_length=1, description="whose failures count; the others are only shown"),
    ]
    p_value: Annotated[Share, Field(description="least p-value, of all tests of a kind together")]
    slope_sigmas: Annotated[
        float, Field(gt=0, le=10, description="largest slope versus n_pv, of all slopes together")
    ]
    reduction: Annotated[
        float, Field(ge=1, le=1000, description="least reduction of distances, Z events")
    ]
    reduction_apply: Annotated[
        float, Field(ge=1, le=1000, description="the same in samples where nothing was fitted")
    ]
    qt_ranges: Annotated[Ranges, Field(description="GeV, besides all q_t together")]
    permutations: Annotated[int, Field(ge=99, le=100_000)]
    max_events: Annotated[
        int,
        Field(
            ge=1000,
            le=1_000_000,
            description="events of a sample whose distances are judged; of more, a part",
        ),
    ]


class PublishedSettings(Section):
    """The corrections in the formats that analyses of CMS read."""

    era: Annotated[
        Key, Field(description="key of epoch in met_xy_corrections, of era in Recoil_correction_*")
    ]
    order: Annotated[
        Literal["LO", "NLO", "NNLO"],
        Field(description="of the simulation, a key in Recoil_correction_*"),
    ]
    era_input: Annotated[
        bool, Field(description="Recoil_correction_* ask for the era before the order")
    ]
    run_ranges: Annotated[
        dict[Key, tuple[Run, Run]],
        Field(
            max_length=100,
            description="name -> first and last run of data with an xy correction of their own",
        ),
    ]
    pileup: Annotated[
        float,
        Field(ge=0, le=0.5, description="relative shift of the mean n_pv in pu_up and pu_dn"),
    ]
    njet: Annotated[Jets, Field(description="least number of jets of each bin")]
    ptll: Annotated[LowerEdges, Field(description="lower edges of the bins in qT, GeV")]
    rms_range: Annotated[
        float, Field(ge=10, le=1000, description="means and RMS are of values within +- this, GeV")
    ]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _from_no_jets("njet", self.njet)
        if self.ptll[0] != 0.0:
            raise ValueError(f"ptll begins at {self.ptll[0]:g}; it must begin at 0")
        before, end = "", -1
        for name, (first, last) in sorted(self.run_ranges.items(), key=lambda item: item[1]):
            if last < first:
                raise ValueError(f"run_ranges: {name} ends with run {last}, before it begins")
            if first <= end:
                raise ValueError(f"run_ranges: {before} and {name} both hold run {first}")
            before, end = name, last
        if self.era in self.run_ranges:
            raise ValueError(f"run_ranges has {self.era!r}, which is the era of all runs")
        return self


class CalibrationSettings(Section):
    """How an estimator is calibrated in Z to mumu events. Momenta in GeV."""

    data: Annotated[Name, Field(description="sample that the simulation is corrected to")]
    simulation: Annotated[Name, Field(description="sample that is corrected")]
    backgrounds: Annotated[
        tuple[Name, ...], AfterValidator(each_once), Field(description="subtracted from data")
    ]
    apply: Annotated[
        dict[Name, Name],
        Field(description="sample -> its counterpart in data, where the maps are only applied"),
    ]
    stored: Annotated[
        StoredMets,
        Field(
            description="METs of inputs with candidates that are calibrated too, where all samples"
            " of the calibration have them"
        ),
    ]
    mix_backgrounds: Annotated[
        bool, Field(description="add one half of the backgrounds to simulated pseudo-data")
    ]
    luminosity: Annotated[
        float,
        Field(
            ge=1e-9,
            le=1e9,
            description="1/pb; factor of the backgrounds' weights, 1 for pseudo-data",
        ),
    ]
    background_uncertainty: Annotated[float, Field(ge=0, le=1, description="relative")]
    replicas: Annotated[int, Field(ge=20, le=10_000, description="bootstrap replicas")]
    seed: Annotated[int, Field(ge=0, le=900_000_000)]
    min_events: Annotated[
        int, Field(ge=10, le=1_000_000_000, description="effective events that a bin needs")
    ]
    qt_edges: Edges
    jets: Annotated[Jets, Field(description="least number of jets of each category")]
    xy_order: Annotated[
        Literal[1, 2, "auto"], Field(description="of the polynomial in n_pv; auto tests for 2")
    ]
    second_order_p: Annotated[Share, Field(description="auto takes order 2 below this p-value")]
    form: Annotated[Form, Field(description="of the distribution functions")]
    form_variation: Annotated[Form, Field(description="the form of the systematic variation")]
    kernel_width: Annotated[float, Field(ge=0.01, le=20, description="GeV")]
    tail: Annotated[
        float,
        Field(ge=1e-9, lt=0.1, description="probability at either end left to the end's shift"),
    ]
    plateau_low: Annotated[NotNegative, Field(description="plateau response from this qT, GeV")]
    plateau_high: Annotated[
        float, Field(gt=0, le=LARGEST, description="plateau response up to this qT, GeV")
    ]
    names: Annotated[
        Literal["estimator", "training"],
        Field(description="of corrections: ESTIMATOR_xy_x, or TRAINING.ESTIMATOR_xy_x"),
    ]
    published: PublishedSettings
    closure: ClosureSettings
    require_closure: Annotated[
        bool, Field(description="false: a failed closure is a warning, not the end of the run")
    ]
    root_histograms: Annotated[
        bool, Field(description="write the tables of calibrate as ROOT histograms too")
    ]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.qt_edges[0] != 0.0:
            raise ValueError(f"qt_edges begin at {self.qt_edges[0]:g}; they must begin at 0")
        _from_no_jets("jets", self.jets)
        if self.form == self.form_variation:
            raise ValueError(f"form and form_variation are both {self.form!r}; they must differ")
        if self.plateau_low >= self.plateau_high:
            raise ValueError("plateau_low must be below plateau_high")
        if self.data == self.simulation:
            raise ValueError(f"data and simulation are both {self.data!r}; they must differ")
        for role in ("data", "simulation"):
            if getattr(self, role) in self.backgrounds:
                raise ValueError(
                    f"backgrounds has {getattr(self, role)!r}, which is the {role}; a sample has"
                    " one part"
                )
        for name, counterpart in self.apply.items():
            if name == counterpart:
                raise ValueError(f"apply compares {name!r} with itself; name its counterpart")
        return self


def _from_no_jets(name: str, edges: tuple[int, ...]) -> None:
    if edges[0] != 0 or sorted(set(edges)) != list(edges):
        raise ValueError(f"{name} {list(edges)} must begin with 0 and rise")
