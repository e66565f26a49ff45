"""The command export.py, as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from network_toys import network, toy_features, write_dataset, write_training

# Keras 3.15 converts variables in a way that numpy 2 announces to change
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

COMMAND = Path(__file__).parents[2] / "scripts" / "export.py"
SETTINGS = {
    "parity_events": 2000, "parity_limit": 0.001, "server_name": "deepmet",
    "max_batch_size": 100, "preferred_batch_sizes": [8, 16],
}  # fmt: skip


def run(folder: Path, settings: dict[str, object]) -> subprocess.CompletedProcess[str]:
    flags = {
        "model": folder / "model.keras", "record": folder / "training.json",
        "dataset": folder / "validation.parquet", "settings": json.dumps(settings), "threads": 1,
        "onnx": folder / "onnx" / "model.onnx", "triton": folder / "onnx" / "config.pbtxt",
        "parity": folder / "onnx" / "parity.json",
    }  # fmt: skip
    words = [str(word) for name, value in flags.items() for word in (f"--{name}", value)]
    # a process of its own: TensorFlow takes its number of threads only once
    return subprocess.run(
        [sys.executable, COMMAND, *words], capture_output=True, text=True, check=False
    )


def test_the_files_of_a_server_are_written(tmp_path: Path) -> None:
    write_training(tmp_path, network())
    write_dataset(tmp_path / "validation.parquet", toy_features(20))
    done = run(tmp_path, SETTINGS)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "onnx" / "parity.json").read_text())
    assert result["events"] >= 2000
    assert (tmp_path / "onnx" / "model.onnx").stat().st_size < 100_000
    assert (tmp_path / "onnx" / "config.pbtxt").exists()


def test_fewer_events_or_a_wider_limit_than_promised_are_refused(tmp_path: Path) -> None:
    done = run(tmp_path, {**SETTINGS, "parity_limit": 0.1})
    assert done.returncode == 1
    assert "setting export.parity_limit: found 0.1" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "onnx").exists()
