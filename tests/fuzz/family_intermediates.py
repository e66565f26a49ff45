"""Intermediate files and records, spoiled, given to whoever reads them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import yaml

from command_modules import command
from fuzz import harness, mutate

FOLDS = {"train": [0, 1, 2], "validation": [3, 4], "test": [5, 6, 7, 8, 9]}
SPEC = {"samples": {"toy": 1}, "tune": "response", "bias": "caption", "seed": 1, "use_puppi": True}
SAMPLES = {"zmumu": True, "hh": False}
WITH_SUM, NO_FILE = 0.15, 0.04
NO_SUM = ("benchmarks/skim/a.tsv", "training.npz", "results/summary.json")
"""Shares of cases whose file keeps the sum of the good one, and of those with no file at all; files
that Snakemake writes, that nobody needs, and that are for reading alone have no sum."""


_SPOIL = {
    ".json": mutate.spoil_json,
    ".csv": mutate.spoil_csv,
    ".tsv": lambda rng, content: mutate.spoil_csv(rng, content, "\t"),
    ".parquet": mutate.spoil_parquet,
    ".npz": mutate.spoil_bytes,
    ".keras": mutate.spoil_bytes,
}


@dataclass(frozen=True)
class Target:
    """A file below the folder of good ones, and who reads it; weight: how often it is taken."""

    path: str
    read: Callable[[Path, Path], object]
    weight: float = 1.0


def prepare(folder: Path) -> list[Target]:
    """Write good files once; every reader takes them."""
    good = folder / "good"
    if not good.exists():
        making = folder / "making"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        _write(making)
        making.rename(good)
    targets = _targets(good)
    for target in targets:
        with harness.own_folder(folder, "first") as own:
            copied = _copy(good / target.path, own / "in" / target.path)
            target.read(copied, own)
    return targets


def case(rng: np.random.Generator, targets: list[Target], folder: Path) -> None:
    """Spoil one file."""
    weights = np.array([target.weight for target in targets])
    target = targets[int(rng.choice(len(targets), p=weights / weights.sum()))]
    good = folder / "good" / target.path
    with harness.own_folder(folder, "case") as own:
        path = own / "in" / target.path
        path.parent.mkdir(parents=True)
        content = good.read_bytes()
        if rng.random() < NO_FILE:
            mutate.replace_by_other_kind(rng, path)
            target.read(path, own)
            return
        spoiled = _SPOIL[path.suffix](rng, content)
        path.write_bytes(spoiled)
        if rng.random() >= WITH_SUM or target.path in NO_SUM:
            target.read(path, own)
            return
        digest = hashlib.sha256(content).hexdigest()
        path.with_name(f"{path.name}.sha256").write_text(f"{digest}  {path.name}\n")
        target.read(path, own)
        if bytes(spoiled) != content:
            raise harness.SilentDifference(f"{target.path} is not what its sum says")


def run(seed: int, count: int, folder: Path) -> Counter:
    """Return outcomes of the first cases of a seed."""
    return harness.run(__name__, seed, count, folder)


def _copy(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
    return target


def _section(name: str) -> str:
    path = harness.TESTS.parent / "config.yaml"
    return json.dumps(yaml.safe_load(path.read_text(encoding="utf-8"))[name])


def _write(good: Path) -> None:
    import performance_toys
    import report_toys
    from network_toys import network
    from ptmiss.core.io import parquet
    from ptmiss.learn.data import dataset
    from ptmiss.learn.training.storage import save_model
    from ptmiss.tasks.met.learning import TASK
    from toys import toy_skim

    report_toys.everything(good, ["t"], SAMPLES, axes=("qt",))
    report_toys._json(
        good / "skim/zmumu/0.ledger.json", report_toys.ledger("zmumu", "0", 90, {"cut": 10})
    )
    report_toys.benchmark(good / "benchmarks/skim/a.tsv", 75.0, 300.0)
    report_toys._json(
        good / "classical.gate.json",
        {"training": "classical", "gate": "quality", "judged": False, "passed": True, "tests": []},
    )
    test = {
        "name": "phi_flat",
        "estimator": "pf",
        "what": "p-value",
        "value": 0.5,
        "limit": 0.01,
        "bound": "least",
        "passed": True,
        "sample": "zmumu",
        "region": "all",
        "before": 0.1,
    }
    report_toys._json(
        good / "calibration/u/closure.json",
        {
            "gate": "closure",
            "training": "u",
            "passed": True,
            "tests": [test, test],
            "undecided": [test],
            "others": [],
        },
    )
    report_toys._json(
        good / "models/u/training.json",
        {
            "training": "u",
            "seed": 1,
            "best_epoch": 1,
            "epochs": 2,
            "parameters": 5,
            "weights_sha256": hashlib.sha256().hexdigest(),
            "events": {"train": 3, "validation": 1},
        },
    )
    part = {"events": 3, "sha256": "0" * 64}
    report_toys._json(
        good / "datasets/u/dataset.json",
        {
            "training": "u",
            "spec": SPEC,
            "features": {
                "dz_limit": 100.0,
                "unknown_codes": True,
                "use_puppi": True,
                "puppi_flavour": "no_lepton",
            },
            "pinned_pt": 10.0,
            "inputs": {"toy": ["0" * 64]},
            "train": part,
            "validation": part,
        },
    )
    summary = {
        "generalisation": {"t": {"mean_gain_over_puppi": 0.1}},
        "gate": {"t": {"passed": False}},
        "closure": {"t": {"passed": True}},
    }
    report_toys._json(good / "results/summary.json", summary)
    small = {"pileup": 1.0, "per_collision": 5.0, "per_hard": 5.0}
    toy_skim(good / "skim/toy/0.parquet", 60, rows_per_group=25, **small)
    columns = performance_toys.toy(120)
    performance_toys.write(good / "estimates/zmumu/0.parquet", columns)
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 5, 30)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    events = dataset.Events(
        offsets,
        rng.normal(size=(offsets[-1], 8)).astype(np.float32),
        rng.integers(0, 3, (offsets[-1], 3)).astype(np.uint8),
        np.zeros((30, 4), np.float32),
        np.ones(30, np.float32),
        np.zeros(30, np.uint8),
        np.arange(30, dtype=np.uint64),
    )
    parquet.write(good / "datasets/u/train.parquet", dataset.to_table(events, TASK.dataset), 20)
    save_model(network(), good / "models/u/model.keras")
    parquet.write(good / "minbias/0.parquet", _collisions(), 10)
    np.savez(good / "training.npz", mark=np.array("m"), epoch=np.array(1), x=np.arange(5.0))


def _collisions():
    import pyarrow as pa

    from ptmiss.core.ragged import to_arrow
    from ptmiss.simulation.minbias import SCHEMA

    number = np.arange(20, dtype=np.uint32)
    offsets = np.arange(21) * 2
    values = np.ones(40)
    arrays = [pa.array(number), pa.array((number % 10).astype(np.uint8))]
    arrays += [to_arrow(values.astype(field.type.value_type.to_pandas_dtype()), offsets,
                        field.type.value_type) for field in list(SCHEMA)[2:]]  # fmt: skip
    return pa.table(arrays, schema=SCHEMA)


def _targets(good: Path) -> list[Target]:
    page = _Page(good)
    settings, calibration = _section("gate"), _section("calibration")

    def judged(path, own):
        command("gate", "--headline", path, "--settings", settings, "--verdict", own / "v")

    def accepted(path, own, *closures):
        command("accept", "--gates", path, "--closures", *closures, "--settings", settings,
                "--calibration", calibration, "--accepted", own / "a",
                "--confirmed", own / "c")  # fmt: skip

    def confirmed(path, own):
        accepted(good / "classical.gate.json", own, path)

    return [
        Target("performance/t.headline.json", judged, 4),
        Target("classical.gate.json", accepted, 1),
        Target("performance/t.gate.json", accepted, 2),
        Target("calibration/u/closure.json", confirmed, 3),
        Target("results/summary.json", _closing),
        Target("models/u/training.json", _exported, 2),
        Target("datasets/u/dataset.json", _trained, 3),
        Target("datasets/u/train.parquet", _dataset, 4),
        Target("minbias/0.parquet", _library, 4),
        Target("training.npz", _checkpoint, 1),
        Target("models/u/model.keras", _network, 1),
        Target("skim/toy/0.parquet", _evaluated, 5),
        Target("skim/toy/0.parquet", _varied, 2),
        Target("skim/toy/0.parquet", _preprocessed, 5),
        Target("skim/toy/0.parquet", _interpreted, 4),
        Target("estimates/zmumu/0.parquet", _streamed, 5),
        Target("estimates/zmumu/0.parquet", _calibrated, 3),
        Target("performance/t.csv", _uncertain, 2),
        *page.targets(),
    ]  # fmt: skip


KINDS = {
    "tables": "performance/t.csv", "headlines": "performance/t.headline.json",
    "ledgers": "skim/zmumu/0.ledger.json", "benchmarks": "benchmarks/skim/a.tsv",
    "parity": "models/t/onnx/parity.json", "gains": "performance/t.gains.csv",
    "spectra": "performance/t.spectra.csv", "roc": "performance/t.roc.csv",
    "slices": "performance/t.slices.csv", "coverage": "performance/t.coverage.csv",
    "verdicts": "performance/t.gate.json",
    "histories": "models/t/history.csv", "records": "models/t/training.json",
    "weights": "interpretation/t.weights.csv", "importance": "interpretation/t.importance.csv",
    "displays": "interpretation/t.displays.json",
    "uncertainties": "performance/t.uncertainties.csv",
    "calibration": "calibration/t/tables.csv", "closures": "calibration/t/closure.json",
}  # fmt: skip
"""Input of the page -> its file."""


class _Page:
    """The page made from all inputs, one of them spoiled; nothing is drawn."""

    def __init__(self, good: Path) -> None:
        import report_toys
        from ptmiss.core.settings.base import from_mapping
        from ptmiss.tasks.met.settings.config import Config

        self.good = good
        values = report_toys.config(dict.fromkeys(SAMPLES, "a label"), dpi=50)
        self.config = from_mapping(Config, values, "config")

    def targets(self) -> list[Target]:
        """Return a target for each kind of input."""
        return [Target(path, self._reader(kind), 3) for kind, path in KINDS.items()]

    def _reader(self, kind: str) -> Callable[[Path, Path], None]:
        def read(path: Path, own: Path) -> None:
            from ptmiss.tasks.met.report import build

            needed = {"tables", "headlines", kind}
            if kind in ("tables", "headlines"):
                needed |= {"verdicts", "gains"}
            files = {name: [self.good / KINDS[name]] for name in needed} | {kind: [path]}
            files = {"ledgers": [], "benchmarks": []} | files
            with mock.patch.object(build, "draw_all", _undrawn):
                build.build(
                    build.Inputs(**files), self.config,
                    build.Outputs(own / "r.html", own / "s.json", own / "o.png"),
                )  # fmt: skip

        return read


def _undrawn(charts, dpi: int, threads: int):
    from ptmiss.core.figures.chart import Picture

    return [Picture(b"png", b"pdf", 1, 1, 0) for _ in list(charts)]


def _closing(path: Path, own: Path) -> None:
    from ptmiss.core.workflow import closing

    results = path.parent
    (results / "report").mkdir(exist_ok=True)
    (results / "report/report.html").write_text("")
    closing.words(results)


def _exported(path: Path, own: Path) -> None:
    from ptmiss.learn.export import _record

    _record(path, SimpleNamespace(variables=[]))


def _trained(path: Path, own: Path) -> None:
    from ptmiss.core.settings.base import parse
    from ptmiss.learn.settings.train import TrainSettings
    from ptmiss.learn.training.train import Recipe, _read_summary, network_spec
    from ptmiss.tasks.met.learning import TASK
    from ptmiss.tasks.met.settings.learning import Training

    training = parse(Training, json.dumps(SPEC), "trainings")
    recipe = Recipe(TASK, training, parse(TrainSettings, _section("train"), "train"))
    summary = _read_summary(path, recipe)
    network_spec(recipe, summary)
    str(summary["training"])
    [summary["inputs"], summary["train"]["sha256"], summary["validation"]["events"]]


def _dataset(path: Path, own: Path) -> None:
    from ptmiss.learn.data import dataset
    from ptmiss.learn.data.batches import BatchShape, Store, in_order, pack
    from ptmiss.tasks.met.learning import TASK

    for events in dataset.groups(path, TASK.dataset):
        assert len(events.continuous) == events.offsets[-1]
    for batch in pack(in_order(Store(path, TASK.dataset, 1000)), BatchShape(8, 64)):
        assert batch.n_events


def _library(path: Path, own: Path) -> None:
    from ptmiss.simulation.minbias import load_library

    load_library([path])


def _network(path: Path, own: Path) -> None:
    from ptmiss.learn.training.storage import load_model

    load_model(path)


def _checkpoint(path: Path, own: Path) -> None:
    from ptmiss.learn.training import checkpoint

    checkpoint.load(path.parent, "m")


def _evaluated(path: Path, own: Path) -> None:
    from models import LIMITS
    from ptmiss.core.settings.base import from_mapping
    from ptmiss.tasks.met.estimators.evaluate import evaluate
    from ptmiss.tasks.met.settings.evaluate import EvaluateSettings

    values = {"estimators": ["pf", "chs", "puppi", "oracle"], "external": {}, "limits": LIMITS}
    settings = from_mapping(EvaluateSettings, values, "evaluate")
    evaluate(path, "t", settings, own / "e.parquet", weights=own / "w.parquet")


def _varied(path: Path, own: Path) -> None:
    from models import LIMITS
    from ptmiss.core.settings.base import from_mapping, parse
    from ptmiss.events.settings.folds import FoldSettings
    from ptmiss.tasks.met.estimators.evaluate import NO_MODELS
    from ptmiss.tasks.met.settings.evaluate import EvaluateSettings
    from ptmiss.tasks.met.settings.vary import VarySettings
    from ptmiss.tasks.met.variations.run import Sections, vary

    values = {"estimators": ["pf", "puppi"], "external": {}, "limits": LIMITS}
    sections = Sections(
        parse(VarySettings, _section("vary"), "vary"),
        from_mapping(EvaluateSettings, values, "evaluate"),
        from_mapping(FoldSettings, FOLDS, "folds"),
    )
    files = {"jes_up": own / "j.parquet", "lepton_scale_up": own / "l.parquet"}
    vary(path, "t", files, sections, NO_MODELS)


def _preprocessed(path: Path, own: Path) -> None:
    from ptmiss.core.settings.base import from_mapping, parse
    from ptmiss.events.settings.folds import FoldSettings
    from ptmiss.learn.data.preprocess import Outputs, Recipe, preprocess
    from ptmiss.tasks.met.learning import TASK
    from ptmiss.tasks.met.settings.learning import PreprocessSettings, Training

    outputs = Outputs(own / "t.parquet", own / "v.parquet", own / "s.json")
    recipe = Recipe(
        TASK,
        "u",
        parse(Training, json.dumps(SPEC), "trainings"),
        from_mapping(FoldSettings, FOLDS, "folds"),
        parse(PreprocessSettings, _section("preprocess"), "preprocess"),
    )
    preprocess([path], recipe, outputs)


def _interpreted(path: Path, own: Path) -> None:
    from ptmiss.tasks.met.interpretation import chosen as events

    for sample in events.samples([path]):
        chosen = events.choose(sample, FOLDS["test"], 10)
        for part in events.read(chosen, events.has_truth(sample)):
            assert part.boson.shape[1] == len(part.run)


def _streamed(path: Path, own: Path) -> None:
    from ptmiss.tasks.met.performance.stream import sources
    from ptmiss.tasks.met.uncertainty.pileup import profile, tilted

    for source in sources([path], ["puppi"]):
        chunks = list(source.chunks(FOLDS["test"], 1))
        if chunks:
            tilted(profile((chunk.n_pv, chunk.weight) for chunk in chunks), 0.05)


def _calibrated(path: Path, own: Path) -> None:
    from ptmiss.tasks.met.calibration.reading import load
    from ptmiss.tasks.met.performance.stream import sources

    for source in sources([path], []):
        load(source, source.estimators, FOLDS["test"], 1)


def _uncertain(path: Path, own: Path) -> None:
    from ptmiss.tasks.met.uncertainty.run import _intervals

    _intervals(path)
