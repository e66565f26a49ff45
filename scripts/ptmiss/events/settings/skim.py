"""Settings of the stage skim: event selections, limits and repairs."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import Name

PositiveGeV = Annotated[float, Field(ge=0, le=13_000)]


class NoSelection(Section):
    """Every event; no boson is rebuilt."""

    kind: Literal["none"]


class MuonCuts(Section):
    """What each selected muon must have."""

    muon_pt: Annotated[PositiveGeV, Field(description="least pT of each selected muon, GeV")]
    muon_abs_eta: Annotated[float, Field(gt=0, le=5, description="largest |eta| of a muon")]
    muon_isolation: Annotated[float, Field(gt=0, le=1000, description="largest relative isolation")]


class ZmumuSelection(MuonCuts):
    """The two leading muons, of opposite charge, make a Z."""

    kind: Literal["zmumu"]
    mass_low: Annotated[PositiveGeV, Field(description="dimuon mass window, lower edge, GeV")]
    mass_high: Annotated[PositiveGeV, Field(description="dimuon mass window, upper edge, GeV")]

    @model_validator(mode="after")
    def _window(self) -> Self:
        if self.mass_low >= self.mass_high:
            raise ValueError(
                f"mass_low is {self.mass_low:g}, it must be below mass_high {self.mass_high:g}"
            )
        return self


class WmunuSelection(MuonCuts):
    """The leading muon comes from a W."""

    kind: Literal["wmunu"]


Selection = Annotated[NoSelection | ZmumuSelection | WmunuSelection, Field(discriminator="kind")]


class SkimSettings(Section):
    """What is kept of an event and of its candidates."""

    selections: Annotated[dict[Name, Selection], Field(min_length=1)]
    rows_per_group: Annotated[
        int, Field(ge=1, le=1_000_000, description="events of one Parquet row group")
    ]
    chunk_events: Annotated[int, Field(ge=1, le=1_000_000, description="events read at a time")]
    max_candidates: Annotated[
        int, Field(ge=1, le=1_000_000, description="candidates kept of an event, hardest first")
    ]
    pinned_pt: Annotated[PositiveGeV, Field(description="least pT of a pinned prompt lepton, GeV")]
    jet_lepton_pt: Annotated[
        PositiveGeV, Field(description="jets around a lepton above this pT do not count, GeV")
    ]
    jet_lepton_isolation: Annotated[
        float, Field(gt=0, le=1000, description="largest relative isolation of such a lepton")
    ]
    puppi_flavour: Annotated[
        Literal["no_lepton", "standard"],
        Field(description="PUPPI weight of cand_puppi and of trainings; the other is kept beside"),
    ]
    missing_from_pv: Annotated[
        Literal["derive", "refuse"], Field(description="what to do without fromPV in the input")
    ]
    from_pv_tight: Annotated[
        float, Field(gt=0, le=10, description="|dz| below which the vertex is the primary one, cm")
    ]
    from_pv_weighted: Annotated[
        float, Field(gt=0, le=10, description="the same for a track in a fit with PUPPI 1, cm")
    ]
    from_pv_loose: Annotated[
        float, Field(gt=0, le=10, description="largest |dz| of an undecided track, cm")
    ]

    neighbours: Annotated[
        bool, Field(description="store features of each candidate's neighbours, cand_nb_*")
    ]

    incomplete_candidates: Annotated[
        Literal["refuse", "accept"],
        Field(description="what to do with files whose candidates do not add up to their raw MET"),
    ]

    remote_attempts: Annotated[
        int, Field(ge=1, le=100, description="how often a remote file is asked before giving up")
    ]
    remote_wait: Annotated[
        float, Field(ge=0, le=3600, description="pause before the second attempt, s; then doubled")
    ]
    remote_timeout: Annotated[
        int, Field(ge=1, le=86_400, description="longest silence of a server, s")
    ]

    @model_validator(mode="after")
    def _loose_beyond_tight(self) -> Self:
        for name in ("from_pv_weighted", "from_pv_loose"):
            if getattr(self, name) < self.from_pv_tight:
                raise ValueError(
                    f"{name} is {getattr(self, name):g}, it must not be below from_pv_tight "
                    f"{self.from_pv_tight:g}; give both"
                )
        return self
