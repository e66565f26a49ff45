"""Settings of the stage preprocess: event weights and the shape of datasets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import Edges


class PreprocessSettings(Section):
    """How skims become datasets; a task adds the settings of its features."""

    weights: Annotated[
        Literal["generator", "root", "sign", "flat"],
        Field(
            description="event weights: as generated; root of their size; sign; flat in a quantity"
        ),
    ]
    flat_edges: Annotated[
        Edges, Field(description="bins in which `flat` works; of true recoil, GeV")
    ]
    flat_limit: Annotated[
        float, Field(ge=1, le=1e4, description="largest ratio of weights that `flat` makes")
    ]
    rows_per_group: Annotated[int, Field(ge=1, le=100_000, description="events of one row group")]
    bucket_events: Annotated[
        int, Field(ge=1, le=1_000_000, description="events shuffled in memory at a time")
    ]
