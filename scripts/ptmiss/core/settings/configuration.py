"""A whole configuration: what everything that runs asks of it, whatever is estimated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, Self, cast

from ptmiss.core.settings.base import Section, from_mapping
from ptmiss.core.settings.names import require_known, written

CLASSICAL = "classical"
"""What a run without trainings is called."""


class _Learns(Protocol):
    @property
    def samples(self) -> Mapping[str, float]: ...


class Configuration(Section):
    """The sections that every task has; a task adds its own and narrows the types of these."""

    task: str
    samples: Mapping[str, Section]
    trainings: Mapping[str, Section]
    folds: Section

    @classmethod
    def load(cls, values: Mapping[str, object], own: Mapping[str, object] | None = None) -> Self:
        """Check the values of a configuration; raises `UserError` in one line.

        own: those that the user wrote; None for all. A name that stands there must exist. Lists of
        a default configuration name its own samples and trainings, which an own configuration may
        have replaced: what does not exist is left out.
        """
        return from_mapping(cls, dict(values), "").cross_checked(values if own is None else own)

    @property
    def measured_folds(self) -> Section:
        """The folds for stages that measure."""
        return self.folds

    def learnt_samples(self, training: str) -> list[str]:
        """Return the samples that a training learns from."""
        return list(cast(_Learns, self.trainings[training]).samples)

    def cross_checked(self, own: Mapping[str, object]) -> Self:
        """Return the configuration without default names of what does not exist.

        own: what the user wrote. Raises `UserError` at the first name there that no section has.
        """
        if written(own, "trainings") is not None:
            require_known(
                (f"trainings.{name}.samples", self.learnt_samples(name), self.samples)
                for name in self.trainings
            )
        return self
