"""Settings of the stage evaluate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ptmiss.settings.base import Section

Estimator = Literal["pf", "chs", "puppi", "oracle"]


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("each estimator is given once")
    return names


class EvaluateSettings(Section):
    """Which classical estimators are computed from the candidates."""

    estimators: Annotated[
        tuple[Estimator, ...],
        AfterValidator(_each_once),
        Field(min_length=1, description="classical estimators; oracle needs simulated truth"),
    ]
