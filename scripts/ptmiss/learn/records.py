"""The JSON of datasets, trainings and parity: what its readers rely on. Writers may add keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ptmiss.core.io.records import Count, Counts, Excerpt, Positive, Sha256, Text


class Parity(Excerpt):
    """models/{training}/onnx/parity.json: largest differences in GeV."""

    events: Count
    limit_gev: Positive
    largest_difference_gev: Annotated[dict[str, Positive], Field(min_length=1)]


class TrainingRecord(Excerpt):
    """models/{training}/training.json, as far as the page shows it."""

    best_epoch: Count
    epochs: Count
    seed: int
    parameters: Count | None = None
    events: Counts | None = None


class TrainedNetwork(Excerpt):
    """The same file, as far as it says which network it is about."""

    training: Text
    weights_sha256: Sha256


class _Dataset(Excerpt):
    events: Count
    sha256: Sha256


class DatasetSummary(Excerpt):
    """datasets/{training}/dataset.json: what a training must know of its datasets.

    A task adds what it says of its features.
    """

    training: Text
    spec: dict[str, object]
    inputs: dict[str, list[Sha256]]
    train: _Dataset
    validation: _Dataset
