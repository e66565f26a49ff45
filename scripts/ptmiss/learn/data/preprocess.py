"""From skims to the datasets of a training: folds, mixing, weights, order. Memory stays flat.

Every event goes to a bucket on disk by a hash of its identity, its sample and the seed; sums per
sample are kept on the way. Then the buckets are read one by one, sorted, weighted and written.
The order, and so the file, depends neither on the order of the inputs nor on how a sample is cut
into parts.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.hashing import event_hash
from ptmiss.core.io import atomic, parquet
from ptmiss.core.paths import PathLike
from ptmiss.events.folds import in_folds
from ptmiss.events.samples import Part, RowGroup, Sample, grouped, part_of
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.learn.data import dataset
from ptmiss.learn.data.dataset import Events
from ptmiss.learn.data.spill import Spill
from ptmiss.learn.data.weighting import Mix, SampleSums, event_weights
from ptmiss.learn.settings.preprocess import PreprocessSettings
from ptmiss.learn.settings.trainings import Training
from ptmiss.learn.task import DatasetLayout, Details, LearningTask

EVENT_COLUMNS = ("run", "lumi", "event", "fold", "weight")
SPLITS = ("train", "validation")
_HASH = "hash"

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """What a dataset is made by: the task, the training of this name, its entry of `trainings`."""

    task: LearningTask
    training: str
    spec: Training
    folds: FoldSettings
    settings: PreprocessSettings

    @property
    def samples(self) -> list[str]:
        """Samples in the order of their indices."""
        return sorted(self.spec.samples)

    @property
    def columns(self) -> list[str]:
        """Columns of a skim that are read."""
        return [*EVENT_COLUMNS, *self.task.columns]

    @property
    def dataset(self) -> DatasetLayout:
        """What the datasets hold."""
        return self.task.dataset_for(self.spec.network, self.spec.head)


@dataclass
class _Tally:
    """What is counted while the skims are read."""

    sums: dict[str, list[SampleSums]]
    repairs: Counter[str] = field(default_factory=Counter)
    odd: Counter[str] = field(default_factory=Counter)
    other_folds: int = 0
    repeated: int = 0


@dataclass(frozen=True)
class Outputs:
    """Both datasets and their summary."""

    train: PathLike
    validation: PathLike
    summary: PathLike


def preprocess(skims: Sequence[PathLike], recipe: Recipe, outputs: Outputs) -> dict[str, object]:
    """Write both datasets of a training and their summary; the stage preprocess.

    skims: all parts of all samples of the training, in any order. Returns the summary. An event
    that several parts hold counts once. Raises `UserError` for a sample without truth, a sample
    missing or not asked for, a part given twice, weights that cannot be normalised, skims that do
    not go together for the task, and an empty dataset.
    """
    name, settings, samples = recipe.training, recipe.settings, recipe.samples
    parts = _parts(skims, recipe)
    details = recipe.task.details([Path(part.path) for part in parts], name, recipe.spec, settings)
    n_buckets = max(1, -(-sum(part.rows for part in parts) // settings.bucket_events))
    tally = _Tally({s: [SampleSums(settings.flat_edges) for _ in samples] for s in SPLITS})
    folder, layout = Path(outputs.train).parent, recipe.dataset
    with (
        Spill(folder / ".train.spill", n_buckets, layout) as train,
        Spill(folder / ".validation.spill", n_buckets, layout) as validation,
    ):
        spills = dict(zip(SPLITS, (train, validation), strict=True))
        _read(parts, recipe, details, spills, tally)
        _check_not_empty(recipe, tally)
        written = {
            split: _write(getattr(outputs, split), spills[split], recipe, tally.sums[split])
            for split in SPLITS
        }
    if tally.repeated:
        _LOG.warning("%s: %d events are in several skims and count once", name, tally.repeated)
    result: dict[str, object] = {
        "training": name,
        "spec": recipe.spec.of_dataset(),
        "settings": settings.model_dump(mode="json"),
        "folds": {split: list(getattr(recipe.folds, split)) for split in SPLITS},
        **details,
        "samples": samples,
        "inputs": {sample: sorted(_hashes(parts, sample)) for sample in samples},
        "repairs": dict(sorted(tally.repairs.items())),
        **tally.odd,
        "events_of_other_folds": tally.other_folds,
        **({"events_repeated": tally.repeated} if tally.repeated else {}),
        **written,
    }
    atomic.write_json(outputs.summary, result)
    return result


def _parts(skims: Sequence[PathLike], recipe: Recipe) -> list[Part]:
    """Return the skims, after checking what they are."""
    name, samples = recipe.training, recipe.samples

    def require(schema: pa.Schema, path: str) -> None:
        for column in recipe.columns:
            if column not in schema.names:
                raise UserError(f"{path}: no column {column}, so this is not a skim; skim it again")

    parts = [part_of(path, require, "make the skim again") for path in skims]
    for part in parts:
        sample = part.info.sample
        if sample not in samples:
            raise UserError(
                f"{part.path}: holds sample {sample!r}, but training {name} uses"
                f" {', '.join(samples)}; leave the file out or add the sample to trainings"
            )
        if part.info.is_data:
            raise UserError(
                f"{part.path}: sample {sample} is recorded data without truth; a training needs"
                f" simulated samples, take it out of trainings.{name}.samples"
            )
    given = {part.info.sample for part in parts}
    absent = [sample for sample in samples if sample not in given]
    if absent:
        raise UserError(f"training {name}: no skim of sample {absent[0]} is given")
    return parts


def _read(
    parts: Sequence[Part],
    recipe: Recipe,
    details: Details,
    spills: Mapping[str, Spill],
    tally: _Tally,
) -> None:
    """Give the events of all skims to the buckets of their folds."""
    done, n_rows = 0, sum(part.rows for part in parts)
    for index, members in enumerate(grouped(parts)):
        sample = Sample(members)
        tally.repeated += len(sample.repeats.dropped)
        optional = [name for name in recipe.task.optional_columns if sample.has(name)]
        for group in sample.row_groups([*recipe.columns, *optional]):
            _distribute(sample, group, index, _Target(recipe, details, spills, tally))
        done += sum(part.rows for part in members)
        _LOG.info("%s: %d of %d events read", recipe.training, done, n_rows)


@dataclass(frozen=True)
class _Target:
    """Where events go, and how they are made."""

    recipe: Recipe
    details: Details
    spills: Mapping[str, Spill]
    tally: _Tally


def _distribute(sample: Sample, group: RowGroup, index: int, target: _Target) -> None:
    """Give the events of a row group to the buckets of their folds. index: of the sample."""
    recipe, tally = target.recipe, target.tally
    table, identity = sample.distinct(group)
    table = table.append_column(_HASH, pa.array(identity))
    fold = table.column("fold").to_numpy()
    wanted = in_folds(fold, [*recipe.folds.train, *recipe.folds.validation])
    tally.other_folds += int(np.count_nonzero(~wanted))
    table = table.filter(pa.array(wanted))
    if table.num_rows == 0:
        return
    events, weight = _events(table, Path(group.file), index, target)
    for split in SPLITS:
        chosen = np.flatnonzero(in_folds(fold[wanted], getattr(recipe.folds, split)))
        part = events.take(chosen)
        spread = recipe.task.spread(part.targets)
        sums = tally.sums[split][index]
        sums.add(weight[chosen], spread, np.diff(part.offsets))
        target.spills[split].add(part, weight[chosen])


def _events(table: pa.Table, path: Path, index: int, target: _Target) -> tuple[Events, np.ndarray]:
    """Return the events of a table and their float64 weights; count what is odd."""
    rows = target.recipe.task.rows(table, path, target.details)
    target.tally.repairs.update(rows.repairs)
    target.tally.odd.update(rows.odd)
    weight = table.column("weight").to_numpy().astype(np.float64)
    if not np.isfinite(weight).all():
        raise UserError(f"{path}: an event weight is not finite; make the skim again")
    events = Events(
        rows.offsets,
        rows.continuous,
        rows.categories,
        rows.targets,
        weight.astype(np.float32),
        np.full(len(weight), index, dtype=np.uint8),
        _keys(table, index, target.recipe.spec.seed),
    )
    return events, weight


def _keys(table: pa.Table, index: int, seed: int) -> np.ndarray:
    """Return each event's place in the shuffled order: a hash of its identity, sample and seed."""
    identity = table.column(_HASH).to_numpy()
    return event_hash(identity, np.full_like(identity, index), np.full_like(identity, seed))


def _check_not_empty(recipe: Recipe, tally: _Tally) -> None:
    for split in SPLITS:
        for sample, sums in zip(recipe.samples, tally.sums[split], strict=True):
            if sums.events == 0:
                raise UserError(
                    f"training {recipe.training}: sample {sample} has no event in the {split}"
                    " folds, so the dataset would be empty; give it more events or other folds"
                )


def _write(
    path: PathLike, spill: Spill, recipe: Recipe, sums: list[SampleSums]
) -> dict[str, object]:
    """Write one dataset in the order of the keys; return its part of the summary."""
    samples, layout = recipe.samples, recipe.dataset
    shares = np.array([recipe.spec.samples[s] for s in samples], dtype=np.float64)
    mix = Mix(sums, shares / shares.sum(), samples)
    written = np.zeros(len(samples))
    step = recipe.settings.rows_per_group
    with parquet.writing(path, dataset.schema(layout)) as writer:
        for bucket in range(spill.n_buckets):
            content = spill.read(bucket)
            if content is None:
                continue
            events, weight = content
            spread = recipe.task.spread(events.targets)
            final = event_weights(weight, spread, events.sample, mix, recipe.settings)
            written += np.bincount(events.sample, final, minlength=len(samples))
            events = replace(events, weight=final.astype(np.float32))
            for first in range(0, events.n_events, step):
                rows = np.arange(first, min(first + step, events.n_events))
                writer.write_table(dataset.to_table(events.take(rows), layout))
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "events": mix.n_events,
        "candidates": sum(s.candidates for s in sums),
        "max_candidates": max(s.max_candidates for s in sums),
        "sha256": digest,
        "by_sample": {
            sample: {
                "events": s.events,
                "negative_weights": s.negative,
                "sum_of_generator_weights": s.sum_of_weights,
                "share": float(mix.shares[i]),
                "sum_of_weights": float(written[i]),
            }
            for i, (sample, s) in enumerate(zip(samples, sums, strict=True))
        },
    }


def _hashes(parts: Sequence[Part], sample: str) -> list[str]:
    hashes = []
    for part in parts:
        if part.info.sample == sample:
            with open(part.path, "rb") as file:
                hashes.append(hashlib.file_digest(file, "sha256").hexdigest())
    return hashes
