"""The command interpret.py, as a user calls it."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

from command_modules import imported
from interpretation_toys import linear_model, settings
from ptmiss.core.settings.base import to_json
from toys import toy_skim

COMMAND = Path(__file__).parents[2] / "scripts" / "interpret.py"
SETTINGS = settings()
FOLDS = '{"train": [8], "validation": [9], "test": [0, 1, 2, 3, 4, 5, 6, 7]}'


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, **changes: str | Path) -> None:
    flags = {
        "skims": folder / "in.parquet", "model": folder / "model.onnx",
        "folds": FOLDS, "performance": to_json(SETTINGS.performance),
        "settings": to_json(SETTINGS.settings), "threads": "1", "weights": folder / "out/w.csv",
        "importance": folder / "out/i.csv", "displays": folder / "out/d.json", **changes,
    }  # fmt: skip
    words = [str(word) for name, value in flags.items() for word in (f"--{name}", value)]
    monkeypatch.setattr(sys, "argv", [str(COMMAND), *words])
    runpy.run_path(str(COMMAND), run_name="__main__")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    toy_skim(tmp_path / "in.parquet", 40, 1, pileup=2.0, per_collision=5.0, per_hard=5.0)
    (tmp_path / "model.onnx").write_bytes(linear_model(0.5).SerializeToString())
    return tmp_path


def test_tables_and_events_are_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, folder)
    header = "sample,estimator,group,axis,bin_low,bin_high,value,err_low,err_high,n_candidates\n"
    assert (folder / "out/w.csv").read_text().startswith(header)
    header = "sample,feature,quantity,value,err_low,err_high,n_events\n"
    assert (folder / "out/i.csv").read_text().startswith(header)
    assert len(json.loads((folder / "out/d.json").read_text())["displays"]) == 2


def test_tensorflow_is_not_needed() -> None:
    assert not {"tensorflow", "keras"} & imported("interpret")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"model": "none.onnx"}, "none.onnx: no such file"),
        ({"settings": "{}"}, "interpret.samples: missing"),
        ({"skims": "none.parquet"}, "none.parquet: no such file"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, str],
    text: str,
) -> None:
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, folder, **change)
    assert end.value.code == 1
    assert text in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (folder / "out").exists()
