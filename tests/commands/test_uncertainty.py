"""The command uncertainty.py, as a user calls it."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest
import yaml

from command_modules import imported
from performance_toys import toy, write
from ptmiss.tasks.met.performance.layouts import PERFORMANCE
from ptmiss.tasks.met.variations.names import VARIATIONS

ROOT = Path(__file__).parents[2]
COMMAND = ROOT / "scripts" / "uncertainty.py"
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, files: list[Path]) -> None:
    arguments = ["--estimates", *files, "--measured", folder / "p.csv",
                 "--folds", json.dumps(CONFIG["folds"]),
                 "--performance", json.dumps(CONFIG["performance"]),
                 "--settings", json.dumps({**CONFIG["uncertainty"], "axes": ["all"]}),
                 "--table", folder / "deep" / "u.csv"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", [str(COMMAND), *map(str, arguments)])
    runpy.run_path(str(COMMAND), run_name="__main__")


def test_the_table_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = toy(200, estimators={"pf": (0.9, 25.0)})
    files = [
        write(tmp_path / f"{name}.parquet", columns, variation=name)
        for name in ("nominal", *VARIATIONS)
    ]
    (tmp_path / "p.csv").write_text(",".join(PERFORMANCE.names) + "\n")
    run(monkeypatch, tmp_path, files)
    lines = (tmp_path / "deep" / "u.csv").read_text().splitlines()
    assert lines[0].startswith("sample,estimator,axis,bin_low,bin_high,quantity,nominal")
    assert any(",mean_met," in line and ",jes,0.0,0.0" in line for line in lines)


def test_no_runtime_of_networks_is_needed() -> None:
    assert not {"tensorflow", "onnx", "onnxruntime", "fastjet"} & imported("uncertainty")


def test_a_mistake_is_one_line_and_exit_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.csv").write_text(",".join(PERFORMANCE.names) + "\n")
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, tmp_path, [tmp_path / "none.parquet"])
    assert end.value.code == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("error: ")
    assert "no such file" in message
    assert not (tmp_path / "deep").exists()
