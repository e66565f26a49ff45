"""What a task hands to preprocess, train and export; everything else there is the same for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from pydantic import JsonValue

from ptmiss.learn.features import FeatureLayout, Target
from ptmiss.learn.records import DatasetSummary
from ptmiss.learn.settings.heads import Head
from ptmiss.learn.settings.networks import Network
from ptmiss.learn.settings.preprocess import PreprocessSettings
from ptmiss.learn.settings.trainings import Training

Details = dict[str, JsonValue]
"""Plain values on how features were made: they go into a dataset's summary and the network."""


@dataclass(frozen=True)
class DatasetLayout:
    """Columns of a dataset: the features of constituents, and targets of an event.

    labels: truths of a constituent, which follow its continuous features; NaN where not known.
    """

    features: FeatureLayout
    targets: tuple[Target, ...]
    labels: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Number of continuous features and labels."""
        return self.features.width + len(self.labels)


@dataclass(frozen=True)
class Rows:
    """Events with their features: what a table of a skim becomes.

    offsets int64 (n + 1,); continuous float32 (n_constituents, F), labels behind the features;
    categories uint8 (n_constituents, C); targets float32 (n, T), see `Target`. A row with a fixed
    number of features is an event with exactly one constituent. repairs: constituents by reason;
    odd: other counts of the dataset's summary, by their key there.
    """

    offsets: np.ndarray
    continuous: np.ndarray
    categories: np.ndarray
    targets: np.ndarray
    repairs: Mapping[str, int]
    odd: Mapping[str, int]


class LearningTask(Protocol):
    """What is learned from what; `ptmiss.tasks.met.learning` is one."""

    @property
    def name(self) -> str:
        """The task's name in the configuration."""

    def dataset_for(self, network: Network, head: Head) -> DatasetLayout:
        """Return what a dataset for such a network holds; tables with the row of unknown values."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of a skim that `rows` reads, besides identity, fold and weight."""

    @property
    def optional_columns(self) -> tuple[str, ...]:
        """Columns that `rows` reads where a skim has them."""

    @property
    def summary(self) -> type[DatasetSummary]:
        """Class of a dataset's summary, with what `details` adds to it."""

    def details(
        self, skims: Sequence[Path], name: str, training: Training, settings: PreprocessSettings
    ) -> Details:
        """Return how features are made of these skims for the training `name`.

        Raises `UserError` for skims that do not go together.
        """

    def rows(self, table: pa.Table, path: Path, details: Details) -> Rows:
        """Return the events of a table of the skim `path`, all of them, in their order.

        Raises `UserError` for events without truth.
        """

    def spread(self, targets: np.ndarray) -> np.ndarray:
        """Return the quantity in which `preprocess.weights: flat` works; targets (n, T)."""

    def layout(self, details: Mapping[str, object]) -> FeatureLayout:
        """Return the features of a network for a dataset's summary."""

    def network_details(self, details: Mapping[str, object]) -> Details:
        """Return what a network must remember of a dataset's summary to be fed."""

    def metadata(self, details: Mapping[str, object], layout: FeatureLayout) -> dict[str, object]:
        """Return what model.onnx says of its features: texts, or what becomes JSON."""

    @property
    def description(self) -> str:
        """One sentence on the network, which model.onnx carries."""
