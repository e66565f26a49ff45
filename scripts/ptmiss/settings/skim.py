"""Settings of the stage skim: event selections, limits and repairs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ptmiss.settings.base import Section
from ptmiss.settings.samples import Name

PositiveGeV = Annotated[float, Field(ge=0, le=13_000)]


class Selection(Section):
    """What an event must have. `kind` says which boson is rebuilt, the rest are its cuts."""

    kind: Annotated[Literal["none", "zmumu", "wmunu"], Field(description="boson to rebuild")]
    muon_pt: Annotated[PositiveGeV, Field(description="least pT of each selected muon, GeV")]
    muon_abs_eta: Annotated[float, Field(gt=0, le=5, description="largest |eta| of a muon")]
    muon_isolation: Annotated[float, Field(gt=0, description="largest relative isolation")]
    mass_low: Annotated[PositiveGeV, Field(description="dimuon mass window, lower edge, GeV")]
    mass_high: Annotated[PositiveGeV, Field(description="dimuon mass window, upper edge, GeV")]


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
