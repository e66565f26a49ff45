"""Settings of the stage evaluate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ptmiss.settings.base import Section

Estimator = Literal["pf", "chs", "puppi", "oracle"]


class EvaluateSettings(Section):
    """Which classical estimators are computed from the candidates."""

    estimators: Annotated[tuple[Estimator, ...], Field(min_length=1)]
