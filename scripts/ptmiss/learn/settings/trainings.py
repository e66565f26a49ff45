"""Settings of the trainings: what each network learns from, and the parts it is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import Name
from ptmiss.learn.settings.heads import Head, wants_labels
from ptmiss.learn.settings.networks import Network, sees_context


class Training(Section):
    """One network."""

    samples: Annotated[
        dict[Name, Annotated[float, Field(ge=1e-6, le=1e6)]],
        Field(min_length=1, description="sample -> share of the loss, relative to the others"),
    ]
    network: Annotated[Network, Field(description="the part that sees candidates")]
    head: Annotated[Head, Field(description="the part that makes an estimate of its numbers")]
    seed: Annotated[int, Field(ge=1, le=900_000_000, description="of start values and order")]

    def of_dataset(self) -> dict[str, object]:
        """Return the settings that a dataset follows from."""
        own = self.model_dump(mode="json", exclude={"network", "head"})
        # said only where it is true: datasets of before go on
        more = {"context": sees_context(self.network), "labels": wants_labels(self.head)}
        return own | {name: True for name, wanted in more.items() if wanted}
