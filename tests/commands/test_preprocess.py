"""The command preprocess.py, as a user calls it."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

from command_modules import imported
from ptmiss.learn.data import dataset
from ptmiss.tasks.met.learning import TASK
from toys import toy_skim

COMMAND = Path(__file__).parents[2] / "scripts" / "preprocess.py"
SPEC = {"samples": {"toy": 1}, "tune": "response", "bias": "caption", "seed": 1, "use_puppi": True}
FOLDS = {"train": [0, 1, 2, 3, 4], "validation": [5], "test": [6, 7, 8, 9]}
SETTINGS = {
    "dz_limit": 100.0, "unknown_codes": True, "pinned_pt": 10.0, "weights": "flat",
    "flat_edges": [0, 20, 50], "flat_limit": 5.0, "rows_per_group": 50, "bucket_events": 100,
}  # fmt: skip


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", [str(COMMAND), *map(str, arguments)])
    runpy.run_path(str(COMMAND), run_name="__main__")


def flags(skims: list[Path], out: Path, **changes: object) -> list[str | Path]:
    values = {"spec": SPEC, "folds": FOLDS, "settings": SETTINGS, **changes}
    return ["--skims", *skims, "--training", "mine",
            *(part for name, value in values.items() for part in (f"--{name}", json.dumps(value))),
            "--train", out / "train.parquet", "--validation", out / "validation.parquet",
            "--summary", out / "dataset.json"]  # fmt: skip


def test_datasets_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy_skim(tmp_path / "in.parquet", n_events=60, pileup=1.0)
    run(monkeypatch, *flags([tmp_path / "in.parquet"], tmp_path / "out"))
    summary = json.loads((tmp_path / "out/dataset.json").read_text())
    events = list(dataset.groups(tmp_path / "out/train.parquet", TASK.dataset))
    assert sum(group.n_events for group in events) == summary["train"]["events"] > 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "dataset.json", "dataset.json.sha256", "train.parquet", "train.parquet.sha256",
        "validation.parquet", "validation.parquet.sha256",
    ]  # fmt: skip


def test_mistakes_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    toy_skim(tmp_path / "in.parquet", n_events=20, is_data=True, pileup=1.0)
    for changes, says in (
        ({}, "sample toy is recorded data"),
        (
            {"spec": {**SPEC, "tune": "louder"}},
            "setting trainings.mine.tune: found 'louder'",
        ),
        (
            {"settings": {**SETTINGS, "flat_edges": [3, 2]}},
            "each edge must be above the one before it",
        ),
    ):
        with pytest.raises(SystemExit) as end:
            run(monkeypatch, *flags([tmp_path / "in.parquet"], tmp_path / "out", **changes))
        assert end.value.code == 1
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("error: ")
        assert says in error
    assert not list((tmp_path / "out").glob("*"))


def test_tensorflow_is_not_needed() -> None:
    assert not {"tensorflow", "keras"} & imported("preprocess")
