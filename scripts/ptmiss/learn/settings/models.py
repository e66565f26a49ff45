"""Settings of running models of others."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ptmiss.core.settings.base import Section


class ModelLimits(Section):
    """What a model may take and give before the job ends with an error."""

    memory_mb: Annotated[
        int,
        Field(ge=50, le=1_000_000, description="of a model of others, beyond the runtime's own"),
    ]
    seconds: Annotated[
        float, Field(gt=0.0, le=86_400.0, description="of a model of others: to load, for a batch")
    ]
    not_finite: Annotated[
        float, Field(ge=0.0, le=1.0, description="share of events in which any model may fail")
    ]
