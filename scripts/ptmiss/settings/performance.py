"""Settings of the stage performance: bins, replicas and what counts as enough events."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ptmiss.settings.base import Section

Edges = Annotated[tuple[float, ...], Field(min_length=2)]


class PerformanceSettings(Section):
    """How response and resolution are measured."""

    replicas: Annotated[int, Field(ge=20, le=10_000, description="bootstrap replicas")]
    seed: Annotated[int, Field(ge=0, le=900_000_000, description="of the bootstrap")]
    qt_edges: Edges
    n_pv_edges: Edges
    gen_ht_edges: Edges
    gen_met_edges: Edges
    plateau_low: Annotated[float, Field(ge=0, description="plateau response from this qT, GeV")]
    plateau_high: Annotated[float, Field(gt=0, description="plateau response up to this qT, GeV")]
    min_events: Annotated[int, Field(ge=2, description="effective events a bin needs")]
