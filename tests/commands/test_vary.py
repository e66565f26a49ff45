"""The command vary.py, as a user calls it."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from command_modules import imported
from models import LIMITS, pf_model
from toys import toy_skim
from variation_toys import SECTION

COMMAND = Path(__file__).parents[2] / "scripts" / "vary.py"
ESTIMATORS = json.dumps({"estimators": ["pf", "puppi"], "external": {}, "limits": LIMITS})
FOLDS = '{"train": [0, 1, 2, 3, 4], "validation": [5], "test": [6, 7, 8, 9]}'


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", [str(COMMAND), *map(str, arguments)])
    runpy.run_path(str(COMMAND), run_name="__main__")


def flags(folder: Path, *variations: str, files: int = 2) -> list[str | Path]:
    return ["--skim", folder / "in.parquet", "--training", "mixed", "--variations", *variations,
            "--settings", json.dumps(SECTION), "--evaluate", ESTIMATORS, "--folds", FOLDS,
            "--estimates", *[folder / f"out{k}.parquet" for k in range(files)]]  # fmt: skip


def test_one_file_for_each_variation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy_skim(tmp_path / "in.parquet", n_events=12, pileup=1.0)
    (tmp_path / "pf.onnx").write_bytes(pf_model().SerializeToString())
    model = tmp_path / "pf.onnx"
    more = ["--model", model, "--external", f"one={model}", "--threads", "1"]
    run(monkeypatch, *flags(tmp_path, "jer_up", "unclustered_photon_down"), *more)
    for number, variation in enumerate([b"jer_up", b"unclustered_photon_down"]):
        table = pq.read_table(tmp_path / f"out{number}.parquet")
        assert table.schema.metadata[b"variation"] == variation
        assert 0 < table.num_rows < 12
        assert {"pf_px", "deepmet_px", "one_px"} <= set(table.column_names)


def test_tensorflow_is_not_needed() -> None:
    assert not {"tensorflow", "keras", "tf2onnx"} & imported("vary")


@pytest.mark.parametrize(
    ("variations", "text"),
    [
        (("jer_up", "jer"), "'jer': not known"),
        (("jer_up",), "2 files for 1 variations"),
        (("jer_up", "pileup_up"), "changes the weights"),
        (("jer_up", "jes_up"), "no such file"),
    ],
)
def test_a_mistake_is_one_line_and_exit_status_1(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variations: tuple[str, ...],
    text: str,
) -> None:
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, *flags(tmp_path, *variations))
    assert end.value.code == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("error: ")
    assert text in message
    assert list(tmp_path.iterdir()) == []
