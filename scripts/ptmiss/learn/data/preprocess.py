"""From skims to the datasets of a training: folds, mixing, weights, order. Memory stays flat.

Every event goes to a bucket on disk by a hash of its identity, its sample and the seed; sums per
sample are kept on the way. Then the buckets are read one by one, sorted, weighted and written.
The order, and so the file, depends neither on the order of the inputs nor on how a sample is cut
into parts.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.hashing import event_hash
from ptmiss.core.io import atomic, parquet
from ptmiss.core.ragged import from_arrow, segment_sum
from ptmiss.events.columns import flavour_of, layout_of
from ptmiss.events.repeats import find
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.events.skim import info
from ptmiss.learn import features as ft
from ptmiss.learn.data import dataset
from ptmiss.learn.data.dataset import Events
from ptmiss.learn.data.spill import Spill
from ptmiss.learn.data.weighting import SampleSums, event_weights
from ptmiss.learn.settings.preprocess import PreprocessSettings
from ptmiss.learn.settings.trainings import Training

EVENT_COLUMNS = ("run", "lumi", "event", "fold", "weight", "gen_met_px", "gen_met_py")
SPLITS = ("train", "validation")
_HASH = "hash"

_LOG = logging.getLogger(__name__)


@dataclass
class _Tally:
    """What is counted while the skims are read."""

    sums: dict[str, list[SampleSums]]
    repairs: dict[str, int] = field(default_factory=dict)
    pinned_otherwise: int = 0
    other_folds: int = 0
    repeated: int = 0


@dataclass(frozen=True)
class Outputs:
    """Both datasets and their summary."""

    train: str | os.PathLike[str]
    validation: str | os.PathLike[str]
    summary: str | os.PathLike[str]


def preprocess_skims(
    skims: Sequence[str | os.PathLike[str]],
    training: str,
    spec: Training,
    folds: FoldSettings,
    settings: PreprocessSettings,
    outputs: Outputs,
) -> None:
    """Write the datasets of the training `spec`; the stage preprocess. See `preprocess`."""
    datasets = {"train": outputs.train, "validation": outputs.validation}
    preprocess(skims, training, spec, folds, settings, datasets, outputs.summary)


def preprocess(
    skims: Sequence[str | os.PathLike[str]],
    name: str,
    training: Training,
    folds: FoldSettings,
    settings: PreprocessSettings,
    outputs: Mapping[str, str | os.PathLike[str]],
    summary: str | os.PathLike[str],
) -> dict[str, object]:
    """Write the datasets `outputs["train"]`, `outputs["validation"]` and their summary.

    skims: all parts of all samples of the training `name`, in any order. Returns the summary.
    An event that several parts hold counts once. Raises `UserError` for a sample without truth, a
    sample missing or not asked for, a skim given twice, weights that cannot be normalised, skims
    with different flavours of PUPPI, and an empty dataset.
    """
    samples = sorted(training.samples)
    inputs = _inputs(skims, samples, name)
    flavour = _flavour([path for _, path, _ in inputs], name)
    rules = ft.FeatureRules(settings.dz_limit, settings.unknown_codes, training.use_puppi, flavour)
    n_rows = sum(rows for _, _, rows in inputs)
    n_buckets = max(1, -(-n_rows // settings.bucket_events))
    tally = _Tally({s: [SampleSums(settings.flat_edges) for _ in samples] for s in SPLITS})
    folder = Path(outputs["train"]).parent
    with (
        Spill(folder / ".train.spill", n_buckets) as train,
        Spill(folder / ".validation.spill", n_buckets) as validation,
    ):
        spills = dict(zip(SPLITS, (train, validation), strict=True))
        columns = [*EVENT_COLUMNS, *ft.COLUMNS, "cand_pinned"]
        done, row, of_sample = 0, 0, -1
        for index, path, rows in inputs:
            if index != of_sample:
                of_sample, row = index, 0
                repeats = find([file for i, file, _ in inputs if i == index], recorded=False)
                tally.repeated += len(repeats.dropped)
            for group in parquet.row_groups(path, columns, layout_of(columns)):
                table, identity = repeats.rows(group, row)
                row += group.num_rows
                table = table.append_column(_HASH, pa.array(identity))
                _distribute(table, index, path, training, folds, settings, rules, spills, tally)
            done += rows
            _LOG.info("%s: %d of %d events read", name, done, n_rows)
        _check_not_empty(name, samples, tally)
        parts = {
            split: _write(outputs[split], spills[split], split, samples, training, settings, tally)
            for split in SPLITS
        }
    if tally.repeated:
        _LOG.warning("%s: %d events are in several skims and count once", name, tally.repeated)
    result = {
        "training": name,
        "spec": training.model_dump(mode="json"),
        "settings": settings.model_dump(mode="json"),
        "folds": {split: list(getattr(folds, split)) for split in SPLITS},
        "features": rules.as_dict(),
        "pinned_pt": settings.pinned_pt,
        "samples": samples,
        "inputs": {sample: sorted(_hashes(inputs, i)) for i, sample in enumerate(samples)},
        "repairs": dict(sorted(tally.repairs.items())),
        "pinned_otherwise_in_skim": tally.pinned_otherwise,
        "events_of_other_folds": tally.other_folds,
        **({"events_repeated": tally.repeated} if tally.repeated else {}),
        **parts,
    }
    atomic.write_json(summary, result)
    return result


def _inputs(
    skims: Sequence[str | os.PathLike[str]], samples: Sequence[str], name: str
) -> list[tuple[int, Path, int]]:
    """Return (index of the sample, path, rows) of each skim, after checking what they are."""
    found = []
    for path in map(Path, skims):
        with parquet.reading(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
        for column in (*EVENT_COLUMNS, *ft.COLUMNS, "cand_pinned"):
            if column not in schema.names:
                raise UserError(f"{path}: no column {column}, so this is not a skim; skim it again")
        said = info.read(schema, path, "make the skim again")
        sample = said.sample
        if sample not in samples:
            raise UserError(
                f"{path}: holds sample {sample!r}, but training {name} uses {', '.join(samples)};"
                " leave the file out or add the sample to trainings"
            )
        if said.is_data:
            raise UserError(
                f"{path}: sample {sample} is recorded data without true missing momentum; a"
                f" training needs simulated samples, take it out of trainings.{name}.samples"
            )
        if any(path == other for _, other, _ in found):
            raise UserError(f"{path}: given twice; give each skim once")
        found.append((samples.index(sample), path, rows))
    absent = [s for i, s in enumerate(samples) if i not in {index for index, _, _ in found}]
    if absent:
        raise UserError(f"training {name}: no skim of sample {absent[0]} is given")
    return sorted(found, key=lambda item: (item[0], item[1].name))


def _flavour(skims: Sequence[Path], name: str) -> str:
    """Return the flavour of PUPPI that all skims have in cand_puppi."""
    found: dict[str, Path] = {}
    for path in skims:
        with parquet.reading(path) as file:
            found.setdefault(flavour_of(file.schema_arrow, path), path)
    if len(found) > 1:
        (own, one), (other, another) = list(found.items())[:2]
        raise UserError(
            f"training {name}: cand_puppi is {own!r} in {one}, but {other!r} in {another}; make all"
            " skims with one skim.puppi_flavour"
        )
    return next(iter(found))


def _distribute(
    table: pa.Table,
    index: int,
    path: Path,
    training: Training,
    folds: FoldSettings,
    settings: PreprocessSettings,
    rules: ft.FeatureRules,
    spills: Mapping[str, Spill],
    tally: _Tally,
) -> None:
    """Give the events of a row group to the buckets of their folds."""
    fold = table.column("fold").to_numpy()
    wanted = np.isin(fold, [*folds.train, *folds.validation])
    tally.other_folds += int(np.count_nonzero(~wanted))
    table = table.filter(pa.array(wanted))
    if table.num_rows == 0:
        return
    events, weight = _events(table, index, path, training.seed, settings, rules, tally)
    for split in SPLITS:
        chosen = np.flatnonzero(np.isin(fold[wanted], getattr(folds, split)))
        part = events.take(chosen)
        tally.sums[split][index].add(weight[chosen], _recoil(part), np.diff(part.offsets))
        spills[split].add(part, weight[chosen])


def _events(
    table: pa.Table,
    index: int,
    path: Path,
    seed: int,
    settings: PreprocessSettings,
    rules: ft.FeatureRules,
    tally: _Tally,
) -> tuple[Events, np.ndarray]:
    """Return the events of a table and their float64 weights; count in `tally` what is odd."""
    candidates = from_arrow(table, [*ft.COLUMNS, "cand_pinned"])
    made = ft.features(candidates, rules)
    pinned = ft.is_pinned(made.continuous, made.categories, settings.pinned_pt)
    tally.pinned_otherwise += int(np.count_nonzero(pinned != candidates["cand_pinned"]))
    for reason, number in made.repairs.items():
        tally.repairs[reason] = tally.repairs.get(reason, 0) + number
    truth = np.stack(
        [table.column(f"gen_met_p{axis}").to_numpy(zero_copy_only=False) for axis in "xy"], axis=1
    ).astype(np.float32)
    weight = table.column("weight").to_numpy().astype(np.float64)
    if not np.isfinite(truth).all():
        raise UserError(
            f"{path}: {np.count_nonzero(~np.isfinite(truth).all(axis=1))} events have no true"
            " missing momentum (gen_met); a training needs simulated samples"
        )
    if not np.isfinite(weight).all():
        raise UserError(f"{path}: an event weight is not finite; make the skim again")
    leptons = np.stack(
        [
            segment_sum(np.where(pinned, made.continuous[:, axis], 0), made.offsets)
            for axis in (ft.PX, ft.PY)
        ],
        axis=1,
    ).astype(np.float32)
    # a candidate without momentum contributes nothing, so it need not be stored
    kept = made.continuous[:, ft.PT] != 0.0
    counts = segment_sum(kept.astype(np.int64), made.offsets)
    events = Events(
        dataset.offsets_of(counts),
        made.continuous[kept],
        made.categories[kept].astype(np.uint8),
        truth / np.float32(ft.SCALE),
        leptons,
        weight.astype(np.float32),
        np.full(len(weight), index, dtype=np.uint8),
        _keys(table, index, seed),
    )
    return events, weight


def _keys(table: pa.Table, index: int, seed: int) -> np.ndarray:
    """Return each event's place in the shuffled order: a hash of its identity, sample and seed."""
    identity = table.column(_HASH).to_numpy()
    return event_hash(identity, np.full_like(identity, index), np.full_like(identity, seed))


def _recoil(events: Events) -> np.ndarray:
    """Return the true recoil of what is not pinned, GeV, float64 (n,)."""
    total = (events.truth + events.pinned).astype(np.float64)
    return ft.SCALE * np.hypot(total[:, 0], total[:, 1])


def _check_not_empty(name: str, samples: Sequence[str], tally: _Tally) -> None:
    for split in SPLITS:
        for sample, sums in zip(samples, tally.sums[split], strict=True):
            if sums.events == 0:
                raise UserError(
                    f"training {name}: sample {sample} has no event in the {split} folds, so the"
                    " dataset would be empty; give it more events or other folds"
                )


def _write(
    path: str | os.PathLike[str],
    spill: Spill,
    split: str,
    samples: Sequence[str],
    training: Training,
    settings: PreprocessSettings,
    tally: _Tally,
) -> dict[str, object]:
    """Write one dataset in the order of the keys; return its part of the summary."""
    sums = tally.sums[split]
    shares = np.array([training.samples[sample] for sample in samples], dtype=np.float64)
    shares /= shares.sum()
    n_events = sum(s.events for s in sums)
    written = np.zeros(len(samples))
    step = settings.rows_per_group
    with parquet.writing(path, dataset.SCHEMA) as writer:
        for bucket in range(spill.n_buckets):
            content = spill.read(bucket)
            if content is None:
                continue
            events, weight = content
            final = event_weights(
                weight, _recoil(events), events.sample, sums, shares, n_events, settings, samples
            )
            written += np.bincount(events.sample, final, minlength=len(samples))
            values = {f: getattr(events, f) for f in events.__dataclass_fields__}
            events = Events(**{**values, "weight": final.astype(np.float32)})
            for first in range(0, events.n_events, step):
                rows = np.arange(first, min(first + step, events.n_events))
                writer.write_table(dataset.to_table(events.take(rows)))
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "events": n_events,
        "candidates": sum(s.candidates for s in sums),
        "max_candidates": max(s.max_candidates for s in sums),
        "sha256": digest,
        "by_sample": {
            sample: {
                "events": s.events,
                "negative_weights": s.negative,
                "sum_of_generator_weights": s.sum_of_weights,
                "share": float(shares[i]),
                "sum_of_weights": float(written[i]),
            }
            for i, (sample, s) in enumerate(zip(samples, sums, strict=True))
        },
    }


def _hashes(inputs: Sequence[tuple[int, Path, int]], index: int) -> list[str]:
    found = []
    for i, path, _ in inputs:
        if i == index:
            with open(path, "rb") as file:
                found.append(hashlib.file_digest(file, "sha256").hexdigest())
    return found
