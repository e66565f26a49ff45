"""Training: epochs over a dataset, validation, the best epoch kept, checkpoints, records."""

from __future__ import annotations

import hashlib
import logging
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ptmiss.core.errors import UserError
from ptmiss.core.io import atomic, parquet
from ptmiss.core.io.records import read_values
from ptmiss.core.progress import Progress
from ptmiss.learn.data.batches import (
    BatchShape,
    Store,
    in_order,
    pack,
    prefetch,
    rotations,
    shuffled,
)
from ptmiss.learn.data.dataset import schema
from ptmiss.learn.heads.base import Loss
from ptmiss.learn.network import NetworkSpec, new_network
from ptmiss.learn.settings.train import TrainSettings
from ptmiss.learn.settings.trainings import Training
from ptmiss.learn.task import DatasetLayout, LearningTask
from ptmiss.learn.training import checkpoint, history
from ptmiss.learn.training.board import Board
from ptmiss.learn.training.frozen import FrozenNetwork
from ptmiss.learn.training.step import OptimiserSpec, Stepper
from ptmiss.learn.training.storage import save_model

_LOG = logging.getLogger(__name__)

SECONDS = 5.0
"""Between two lines on the progress."""


@dataclass(frozen=True)
class TrainInputs:
    """The files that `preprocess` wrote."""

    train: Path
    validation: Path
    summary: Path


@dataclass(frozen=True)
class TrainOutputs:
    """The files of a trained network, and the folders of checkpoints and TensorBoard files."""

    model: Path
    history: Path
    record: Path
    checkpoints: Path
    tensorboard: Path


@dataclass(frozen=True)
class Recipe:
    """What a network is trained by: the task, the entry of `trainings`, the section `train`."""

    task: LearningTask
    spec: Training
    settings: TrainSettings


def train(inputs: TrainInputs, recipe: Recipe, outputs: TrainOutputs) -> dict[str, object]:
    """Train one network and write it, its history and its record, which is returned.

    A run that was stopped goes on after its last whole epoch and ends with the same network as
    one that was not. Raises `UserError` for an empty dataset, a dataset of another training and a
    loss that is not finite; nothing is written then.
    """
    task, training, settings = recipe.task, recipe.spec, recipe.settings
    summary = _read_summary(inputs.summary, recipe)
    name = str(summary["training"])
    spec = network_spec(recipe, summary)
    model = new_network(spec, training.seed)
    held = task.dataset_for(training.network, training.head)
    loss = model.head.loss(settings).for_dataset(
        _targets(inputs.train, held), settings.response_min_events
    )
    packing = model.backbone.packing
    labels = len(held.labels)
    shape = BatchShape(settings.batch_events, settings.batch_candidates, packing, labels)
    cache = settings.cache_mb * 1_000_000
    data = Store(inputs.train, held, cache * 4 // 5)
    held_out = Store(inputs.validation, held, cache // 5)
    optimiser = OptimiserSpec(settings.weight_decay, settings.clip_norm, settings.average)
    stepper = Stepper(model, shape, loss, optimiser, settings.compile)
    mark = checkpoint.fingerprint(
        spec.model_dump(mode="json"), training.model_dump(), settings.model_dump(), summary
    )
    run = _Run(name, recipe, stepper, data, held_out)
    run.resume(checkpoint.load(outputs.checkpoints, mark))
    board = Board(outputs.tensorboard)
    events, done = run.epochs * data.n_events, run.epoch * data.n_events
    progress = Progress(name, events, done, line=SECONDS)
    while not run.finished:
        row = run.one_epoch(progress)
        board.write(row, run.epoch)
        checkpoint.save(outputs.checkpoints, mark, run.arrays(), run.epoch)
    board.close()
    progress.close()
    run.finish()
    return _write(outputs, run, spec, summary)


def _targets(dataset: Path, layout: DatasetLayout) -> Iterator[np.ndarray]:
    """Yield the targets of a dataset, (n, T) each."""
    names = [target.name for target in layout.targets]
    for table in parquet.row_groups(dataset, names, schema(layout)):
        yield np.stack([table[name].to_numpy() for name in names], axis=1)


def network_spec(recipe: Recipe, summary: dict[str, object]) -> NetworkSpec:
    """Return the network that belongs to a training and to its dataset's summary."""
    held = recipe.task.dataset_for(recipe.spec.network, recipe.spec.head)
    return NetworkSpec(
        network=recipe.spec.network,
        head=recipe.spec.head,
        transform=recipe.settings.features,
        layout=recipe.task.layout(summary),
        targets=held.targets,
        details=recipe.task.network_details(summary),
    )


def length(settings: TrainSettings, n_events: int) -> int:
    """Return the number of epochs of the schedule for a dataset of `n_events`, at least one."""
    return max(1, min(settings.epochs, round(settings.presentations / n_events)))


def learning_rate(progress: float, settings: TrainSettings) -> float:
    """Return the rate at `progress` (0..1) of the schedule: a linear rise, then a cosine fall."""
    if progress < settings.warm_up:
        return settings.learning_rate * (0.05 + 0.95 * progress / settings.warm_up)
    fall = min(1.0, (progress - settings.warm_up) / (1.0 - settings.warm_up))
    low = settings.final_rate
    return settings.learning_rate * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * fall)))


class _Run:
    """The state of a training between epochs."""

    def __init__(
        self, name: str, recipe: Recipe, stepper: Stepper, data: Store, held_out: Store
    ) -> None:
        self.name, self.recipe, self.settings = name, recipe, recipe.settings
        self.stepper, self.data, self.held_out = stepper, data, held_out
        self.loss: Loss = stepper.loss
        self.epochs = length(self.settings, data.n_events)
        self.columns = [*history.HISTORY.names, *(f"val_{name}" for name in self.loss.columns)]
        self.epoch = 0
        self.rows: list[list[float]] = []
        self.best_epoch = 0
        self.best_weights = stepper.weights()
        self.after: dict[str, float] = {}

    @property
    def finished(self) -> bool:
        """Whether the schedule is at its end, or validation has not improved for long enough."""
        waited = self.epoch - self.best_epoch
        return self.epoch >= self.epochs or waited >= self.settings.patience

    def one_epoch(self, progress: Progress) -> dict[str, float]:
        """Train on every event once, validate; return the new row of the history."""
        error, rate = self._train_epoch(progress)
        current = self.stepper.weights()
        averaged = self.stepper.averaged_weights()
        self.stepper.set_weights(averaged)
        val_error, sums = self._validate()
        self.stepper.set_weights(current)
        self.epoch += 1
        more = self.loss.values(sums)
        values = [self.epoch, rate, error, val_error + self.loss.term(sums), val_error, *more]
        row = dict(zip(self.columns, map(float, values), strict=True))
        if self.epoch == 1 or row["val_loss"] < self._best_loss():
            self.best_epoch, self.best_weights = self.epoch, averaged
        self.rows.append(list(row.values()))
        _LOG.info(
            "%s epoch %d of %d: loss %.4f, validation %.4f (best: epoch %d)%s, %.0f events/s",
            self.name,
            self.epoch,
            self.epochs,
            error,
            row["val_loss"],
            self.best_epoch,
            "".join(
                f", {name} {value:.2f}" for name, value in zip(self.loss.columns, more, strict=True)
            ),
            progress.rate,
        )
        return row

    def finish(self) -> None:
        """Train what the head has behind the frozen network of the best epoch."""
        self.stepper.set_weights(self.best_weights)
        frozen = FrozenNetwork(self.stepper, {"train": self.data, "validation": self.held_out})
        head, seed = self.stepper.model.head, self.recipe.spec.seed
        self.after = head.finish(frozen, self.settings, seed)
        if self.after:
            text = ", ".join(f"{name} {value:.4f}" for name, value in self.after.items())
            _LOG.info("%s: layers of the event: %s", self.name, text)
            self.best_weights = self.stepper.weights()

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything that the rest of the training depends on, for a checkpoint."""
        best = {f"best{i}": values for i, values in enumerate(self.best_weights)}
        own = {"rows": np.array(self.rows, np.float64), "best_epoch": np.array(self.best_epoch)}
        return {**self.stepper.state(), **best, **own}

    def resume(self, stored: tuple[dict[str, np.ndarray], int] | None) -> None:
        """Go on from a checkpoint, if there is one."""
        if stored is None:
            return
        arrays, self.epoch = stored
        self.stepper.restore(arrays)
        self.best_weights = [arrays[f"best{i}"] for i in range(len(self.best_weights))]
        self.best_epoch = int(arrays["best_epoch"])
        self.rows = arrays["rows"].tolist()
        _LOG.info("%s: going on after epoch %d", self.name, self.epoch)

    def _best_loss(self) -> float:
        return self.rows[self.best_epoch - 1][self.columns.index("val_loss")]

    def _train_epoch(self, progress: Progress) -> tuple[float, float]:
        """Return the mean error of the epoch's events and the last learning rate."""
        # all randomness follows from seed and epoch: a resumed run draws the same numbers
        seed = self.recipe.spec.seed
        order = np.random.default_rng([seed, self.epoch, 0])
        augment = np.random.default_rng([seed, self.epoch, 1])
        shape = self.stepper.shape
        total, done, rate = 0.0, 0, 0.0
        for batch in prefetch(pack(shuffled(self.data, order), shape)):
            part = (self.epoch + done / self.data.n_events) / self.epochs
            rate = learning_rate(part, self.settings)
            error = self.stepper.train(batch, rotations(augment, len(batch.weight)), rate)
            self._check_finite(error, f"after {done} events of")
            done += batch.n_events
            total += error * batch.n_events
            about = f"epoch {self.epoch + 1}: error {total / done:.4f}"
            progress.step(batch.n_events, about)
        return total / done, rate

    def _validate(self) -> tuple[float, np.ndarray]:
        """Return the mean error and the sums of the loss of the validation events."""
        total, done, sums = 0.0, 0, np.zeros((2, self.loss.n_bins))
        for batch in prefetch(pack(in_order(self.held_out), self.stepper.shape)):
            error, part = self.stepper.validate(batch)
            total, sums, done = total + error, sums + part, done + batch.n_events
        self._check_finite(total + float(sums.sum()), "in the validation after")
        return total / done, sums

    def _check_finite(self, value: float, where: str) -> None:
        if not math.isfinite(value):
            raise UserError(
                f"training {self.name}: the loss is not finite {where} epoch {self.epoch + 1};"
                f" lower train.learning_rate (now {self.settings.learning_rate:g}) or look for"
                " extreme event weights in the dataset's summary"
            )


def _read_summary(path: Path, recipe: Recipe) -> dict[str, Any]:
    summary: dict[str, Any] = read_values(recipe.task.summary, path, "preprocess")
    for key, wanted in recipe.spec.of_dataset().items():
        value = summary["spec"].get(key)
        if value != wanted:
            raise UserError(
                f"{path}: the dataset was made with {key} = {value!r}, the training asks"
                f" for {wanted!r}; run the stage preprocess again"
            )
    return summary


def _write(
    outputs: TrainOutputs, run: _Run, spec: NetworkSpec, summary: dict[str, Any]
) -> dict[str, object]:
    """Write history, record and network of the best epoch; forget the checkpoint."""
    run.stepper.set_weights(run.best_weights)
    digest = hashlib.sha256()
    for values in run.best_weights:
        digest.update(np.ascontiguousarray(values).tobytes())
    best = dict(zip(run.columns, run.rows[run.best_epoch - 1], strict=True))
    record = {
        "training": run.name,
        "seed": run.recipe.spec.seed,
        "spec": run.recipe.spec.model_dump(mode="json"),
        "settings": run.settings.model_dump(mode="json"),
        "network": spec.model_dump(mode="json"),
        "parameters": int(sum(np.size(values) for values in run.best_weights)),
        "flops_per_candidate": run.stepper.model.backbone.flops(),
        "best_epoch": run.best_epoch,
        "epochs": run.epoch,
        "validation": best,
        **({"head": run.after} if run.after else {}),
        "weights_sha256": digest.hexdigest(),
        "inputs": {
            "skims": summary["inputs"],
            "train": summary["train"]["sha256"],
            "validation": summary["validation"]["sha256"],
        },
        "events": {split: summary[split]["events"] for split in ("train", "validation")},
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
    }
    more = run.columns[len(history.HISTORY.columns) :]
    atomic.write_text(outputs.history, history.text(run.rows, more))
    save_model(run.stepper.model, outputs.model)
    atomic.write_json(outputs.record, record)
    checkpoint.remove(outputs.checkpoints)
    _LOG.info("%s: epoch %d of %d kept", os.fspath(outputs.model), run.best_epoch, run.epoch)
    return record
