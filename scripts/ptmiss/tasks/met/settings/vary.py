"""Settings of the stage vary: how far each source moves the candidates, and where it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import MOST_EDGES, Name, each_once, rising


def _from(first: float | None) -> Callable[[tuple[float, ...]], tuple[float, ...]]:
    """Return a check that lower edges rise, and begin at `first` if that is given."""

    def check(edges: tuple[float, ...]) -> tuple[float, ...]:
        if first is not None and edges[0] != first:
            raise ValueError(f"the first edge must be {first:g}")
        return rising(edges)

    return check


Names = Annotated[tuple[Name, ...], AfterValidator(each_once)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Shares = tuple[Share, ...]
Terms = tuple[Annotated[float, Field(ge=0.0, le=100.0)], ...]
EtaEdges = Annotated[
    tuple[Annotated[float, Field(ge=0.0, le=10.0)], ...],
    Field(
        min_length=1,
        max_length=MOST_EDGES,
        description="lower edges in |eta|; the last bin has no upper edge",
    ),
    AfterValidator(_from(0.0)),
]
PtEdges = Annotated[
    tuple[Annotated[float, Field(ge=0.0, le=10_000.0)], ...],
    Field(
        min_length=1,
        max_length=MOST_EDGES,
        description="lower edges in pT, GeV; below the first counts as the first",
    ),
    AfterValidator(_from(None)),
]


def _of_length(section: Section, names: Iterable[str], length: int) -> None:
    for name in names:
        if len(getattr(section, name)) != length:
            raise ValueError(
                f"{name} has {len(getattr(section, name))} entries for {length} bins in |eta|"
            )


class JetScale(Section):
    """Relative uncertainty of the jet energy scale, in bins of |eta| and pT."""

    abs_eta: EtaEdges
    pt: PtEdges
    relative: Annotated[tuple[Shares, ...], Field(description="a row for each bin in |eta|")]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _of_length(self, ["relative"], len(self.abs_eta))
        if any(len(row) != len(self.pt) for row in self.relative):
            raise ValueError(f"each row of relative needs {len(self.pt)} entries, one for each pt")
        return self


class JetResolution(Section):
    """Resolution of jets, sqrt((noise/pT)^2 + stochastic^2/pT + constant^2), and how well known."""

    abs_eta: EtaEdges
    noise: Annotated[Terms, Field(description="in GeV")]
    stochastic: Annotated[Terms, Field(description="in GeV^(1/2)")]
    constant: Shares
    relative: Annotated[Shares, Field(description="relative uncertainty of the resolution")]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _of_length(self, ["noise", "stochastic", "constant", "relative"], len(self.abs_eta))
        return self


class TrackScale(Section):
    """Of charged candidates: sqrt((linear pT)^2 + constant^2 / sin(theta)), pT in GeV."""

    linear: Annotated[float, Field(ge=0.0, le=1.0, description="in 1/GeV")]
    constant: Share


class CaloScale(Section):
    """Of calorimeter candidates: sqrt(stochastic^2/E + constant^2), not above `most`; E in GeV."""

    abs_eta: EtaEdges
    stochastic: Annotated[Terms, Field(description="in GeV^(1/2)")]
    constant: Shares
    most: Shares

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _of_length(self, ["stochastic", "constant", "most"], len(self.abs_eta))
        return self


class Unclustered(Section):
    """Relative uncertainty of candidates that are in no jet and are no prompt lepton, by type."""

    charged: TrackScale
    photon: CaloScale
    neutral: CaloScale
    forward: CaloScale


class LeptonScale(Section):
    """Relative uncertainty of the momentum of prompt leptons."""

    electron: Share
    muon: Share


class VarySettings(Section):
    """Which samples and networks are varied, and by how much. Momenta in GeV."""

    samples: Annotated[
        Names,
        Field(
            description="samples to vary; [] for none, and all that are not data if the"
            " configuration has none of these"
        ),
    ]
    trainings: Annotated[
        Names, Field(description="trainings to vary; all if the configuration has none of these")
    ]
    folds: Annotated[
        Literal["test", "all"], Field(description="events to vary: of the test folds, or all")
    ]
    jet_pt: Annotated[float, Field(gt=0.0, le=1000.0, description="candidates of jets above this")]
    jet_radius: Annotated[float, Field(ge=0.05, le=2.0, description="anti-kT")]
    jes: JetScale
    jer: JetResolution
    unclustered: Unclustered
    lepton_scale: LeptonScale


def chosen(wanted: Iterable[str], exist: Iterable[str]) -> list[str]:
    """Return the names of `exist` that are wanted; all of them if none is, none if none is wanted.

    An own configuration brings samples and trainings with other names, which are varied then.
    """
    wanted, exist = set(wanted), list(exist)
    known = [name for name in exist if name in wanted]
    return known or (exist if wanted else [])
