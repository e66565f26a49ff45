"""Settings of the stage preprocess: features, event weights and the shape of datasets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import Edges


class PreprocessSettings(Section):
    """How skims become datasets."""

    dz_limit: Annotated[float, Field(gt=0, le=1e6, description="|dz| is clipped to this, cm")]
    unknown_codes: Annotated[
        bool, Field(description="own code for unknown categories; false: a drop-in for CMSSW")
    ]
    pinned_pt: Annotated[
        float, Field(ge=0, le=13_000, description="as skim.pinned_pt; goes into the network, GeV")
    ]
    weights: Annotated[
        Literal["generator", "root", "sign", "flat"],
        Field(description="event weights: as generated; root of their size; sign; flat in recoil"),
    ]
    flat_edges: Annotated[
        Edges, Field(description="bins of true recoil in which `flat` works, GeV")
    ]
    flat_limit: Annotated[
        float, Field(ge=1, le=1e4, description="largest ratio of weights that `flat` makes")
    ]
    rows_per_group: Annotated[int, Field(ge=1, le=100_000, description="events of one row group")]
    bucket_events: Annotated[
        int, Field(ge=1, le=1_000_000, description="events shuffled in memory at a time")
    ]
