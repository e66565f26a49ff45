"""What is learned: the energy, from four deposits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ptmiss.learn.features import Column, FeatureLayout, Target
from ptmiss.learn.records import DatasetSummary
from ptmiss.learn.settings.heads import Head
from ptmiss.learn.settings.networks import Network
from ptmiss.learn.settings.preprocess import PreprocessSettings
from ptmiss.learn.settings.trainings import Training
from ptmiss.learn.task import DatasetLayout, Details, Rows
from shower_energy.words import LAYERS, TRUTH

SCALE = 100.0
"""GeV of one unit of features and target."""

LAYOUT = FeatureLayout(
    continuous=tuple(Column(name=name, unit="GeV", scale=SCALE) for name in LAYERS), categories=()
)

DATASET = DatasetLayout(LAYOUT, (Target(name=TRUTH, unit="GeV", scale=SCALE),))


def features(table: pa.Table) -> np.ndarray:
    """Return the features of the showers of a table, float32 (n, 4)."""
    columns = [table.column(name).to_numpy() for name in LAYERS]
    return np.stack(columns, axis=1).astype(np.float32) / np.float32(SCALE)


@dataclass(frozen=True)
class ShowerLearning:
    """See `ptmiss.learn.task.LearningTask`."""

    name: str = "shower_energy"
    columns: tuple[str, ...] = (TRUTH, *LAYERS)
    optional_columns: tuple[str, ...] = ()
    summary: type[DatasetSummary] = DatasetSummary
    description: str = "Energy of a shower / 100 GeV from its deposits in four layers."

    def dataset_for(self, network: Network, head: Head) -> DatasetLayout:
        """Return the same for all: four deposits and the energy."""
        return DATASET

    def details(
        self, skims: Sequence[Path], name: str, training: Training, settings: PreprocessSettings
    ) -> Details:
        """Return nothing: features are made in one way only."""
        return {}

    def rows(self, table: pa.Table, path: Path, details: Details) -> Rows:
        """Return features and true energy."""
        truth = table.column(TRUTH).to_numpy().astype(np.float32)[:, np.newaxis]
        offsets = np.arange(len(truth) + 1, dtype=np.int64)
        codes = np.zeros((len(truth), 0), np.uint8)
        return Rows(offsets, features(table), codes, truth / np.float32(SCALE), {}, {})

    def spread(self, targets: np.ndarray) -> np.ndarray:
        """Return the true energy, GeV."""
        return SCALE * targets[:, 0].astype(np.float64)

    def layout(self, details: Mapping[str, object]) -> FeatureLayout:
        """Return the features."""
        return LAYOUT

    def network_details(self, details: Mapping[str, object]) -> Details:
        """Return nothing."""
        return {}

    def metadata(self, details: Mapping[str, object], layout: FeatureLayout) -> dict[str, object]:
        """Return how to read the output."""
        return {"ptmiss.output": f"energy = {SCALE:g} GeV x output"}


TASK = ShowerLearning()
