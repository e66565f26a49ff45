"""The command evaluate.py, as a user calls it."""

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

COMMAND = Path(__file__).parents[2] / "scripts" / "evaluate.py"
ALL = ["pf", "chs", "puppi", "oracle"]
SETTINGS = json.dumps({"estimators": ALL, "external": {}, "limits": LIMITS})


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", [str(COMMAND), *map(str, arguments)])
    runpy.run_path(str(COMMAND), run_name="__main__")


def flags(skim: Path, out: Path, settings: str = SETTINGS) -> list[str | Path]:
    return ["--skim", skim, "--training", "zmumu", "--variation", "nominal",
            "--settings", settings, "--estimates", out]  # fmt: skip


def test_estimates_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy_skim(tmp_path / "in.parquet", n_events=4, pileup=1.0)
    run(monkeypatch, *flags(tmp_path / "in.parquet", tmp_path / "deep" / "out.parquet"))
    table = pq.read_table(tmp_path / "deep" / "out.parquet")
    assert table.num_rows == 4
    assert "puppi_py" in table.column_names


def test_models_and_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy_skim(tmp_path / "in.parquet", n_events=4, pileup=1.0)
    (tmp_path / "pf.onnx").write_bytes(pf_model().SerializeToString())
    model = tmp_path / "pf.onnx"
    more = ["--model", model, "--external", f"one={model}", "--external", f"two={model}"]
    more += ["--threads", "1", "--weights", tmp_path / "weights.parquet"]
    run(monkeypatch, *flags(tmp_path / "in.parquet", tmp_path / "out.parquet"), *more)
    names = pq.read_schema(tmp_path / "out.parquet").names
    assert {"deepmet_px", "one_px", "two_py"} <= set(names)
    assert "puppi_weight" in pq.read_schema(tmp_path / "weights.parquet").names


def test_tensorflow_is_not_needed() -> None:
    assert not {"tensorflow", "keras", "tf2onnx"} & imported("evaluate")


def test_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, "--help")
    assert end.value.code == 0
    assert "--estimates" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "text"),
    [(SETTINGS.replace("chs", "trk"), "trk"), (SETTINGS, "no such file")],
)
def test_a_mistake_is_one_line_and_exit_status_1(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settings: str,
    text: str,
) -> None:
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, *flags(tmp_path / "none.parquet", tmp_path / "out.parquet", settings))
    assert end.value.code == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("error: ")
    assert text in message
    assert list(tmp_path.iterdir()) == []
