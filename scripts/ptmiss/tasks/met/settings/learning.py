"""What missing momentum adds to the settings of trainings and datasets: its features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from ptmiss.learn.settings import preprocess, trainings
from ptmiss.learn.settings.networks import PUBLISHED


class Training(trainings.Training):
    """One network; `tune` and `bias` in place of `head` stand for a vector sum of DeepMET."""

    use_puppi: Annotated[bool, Field(description="false: the network sees no PUPPI weight")]

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, values: object) -> object:
        """Take `tune: response, bias: caption` for the published network with that head."""
        if not isinstance(values, Mapping):
            return values
        old = [key for key in ("tune", "bias") if key in values]
        if not old:
            return values
        if "head" in values or len(old) == 1:
            raise ValueError(
                f"tune and bias have their place in head: {{kind: vector_sum, bias: caption, tune:"
                f" response}}; {' and '.join(old)} beside it, or without the other, is refused"
            )
        rest = {key: value for key, value in values.items() if key not in old}
        head = {"kind": "vector_sum", **{key: values[key] for key in old}}
        return {"network": PUBLISHED, **rest, "head": head}

    @model_validator(mode="after")
    def _estimates_missing_momentum(self) -> Self:
        if self.head.kind not in ("vector_sum", "event"):
            raise ValueError(
                f"head.kind is {self.head.kind!r}; missing momentum is the estimate of a vector_sum"
                " or an event"
            )
        return self


class PreprocessSettings(preprocess.PreprocessSettings):
    """How skims become datasets."""

    dz_limit: Annotated[float, Field(gt=0, le=1e6, description="|dz| is clipped to this, cm")]
    unknown_codes: Annotated[
        bool, Field(description="own code for unknown categories; false: a drop-in for CMSSW")
    ]
    pinned_pt: Annotated[
        float, Field(ge=0, le=13_000, description="as skim.pinned_pt; goes into the network, GeV")
    ]
