"""The command train.py, as a user calls it: also killed half-way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptmiss.events.settings.folds import FoldSettings
from ptmiss.learn.data.preprocess import Outputs, Recipe, preprocess
from ptmiss.tasks.met.learning import TASK
from ptmiss.tasks.met.settings.learning import PreprocessSettings, Training
from toys import toy_skim

COMMAND = Path(__file__).parents[2] / "scripts" / "train.py"
SPEC = {"samples": {"toy": 1}, "tune": "response", "bias": "caption", "seed": 1, "use_puppi": True}
SETTINGS = {
    "features": "log", "epochs": 12, "presentations": 1000000, "patience": 12,
    "response_min_events": 1,
    "batch_events": 8, "batch_candidates": 400,
    "learning_rate": 0.003, "warm_up": 0.2, "final_rate": 0.1, "weight_decay": 0.0001,
    "clip_norm": 1.0, "average": 0.9, "huber": 0.0, "response": 1.0,
    "response_recoil_edges": [15], "response_met_edges": [30], "response_memory": 10,
    "compile": False, "cache_mb": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    toy_skim(folder / "in.parquet", 300, pileup=2.0, per_collision=4.0, per_hard=10.0)
    settings = PreprocessSettings(
        dz_limit=100.0, unknown_codes=True, pinned_pt=10.0, weights="sign",
        flat_edges=(0.0, 50.0), flat_limit=2.0, rows_per_group=50, bucket_events=100,
    )  # fmt: skip
    folds = FoldSettings(train=(0, 1, 2, 3, 4), validation=(5,), test=(6, 7, 8, 9))
    outputs = Outputs(
        folder / "train.parquet", folder / "validation.parquet", folder / "dataset.json"
    )
    preprocess(
        [folder / "in.parquet"],
        Recipe(TASK, "mine", Training(**SPEC | {"samples": {"toy": 1.0}}), folds, settings),
        outputs,
    )
    return folder


def command(data: Path, out: Path, settings: dict = SETTINGS) -> list[str]:
    flags = {
        "train": data / "train.parquet", "validation": data / "validation.parquet",
        "summary": data / "dataset.json", "training": "t", "spec": json.dumps(SPEC),
        "settings": json.dumps(settings), "threads": 1, "model": out / "model.keras",
        "history": out / "history.csv", "record": out / "training.json",
        "checkpoints": out / "checkpoints", "tensorboard": out / "tensorboard",
    }  # fmt: skip
    parts = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    return [sys.executable, str(COMMAND), *parts]


def test_a_run_stopped_by_sigterm_goes_on_and_ends_bit_equal(data: Path, tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    done = subprocess.run(command(data, whole), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "epoch 12 of 12" in done.stderr

    process = subprocess.Popen(command(data, stopped), stderr=subprocess.PIPE, text=True)
    for _ in range(3000):
        if (stopped / "checkpoints/training.npz").exists() or process.poll() is not None:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == -signal.SIGTERM
    assert not (stopped / "model.keras").exists()

    done = subprocess.run(command(data, stopped), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "going on after epoch" in done.stderr
    for name in ("model.keras", "history.csv", "training.json"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_mistake_is_one_line(data: Path, tmp_path: Path) -> None:
    settings = {**SETTINGS, "batch_candidates": 10}
    done = subprocess.run(
        command(data, tmp_path, settings), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "raise train.batch_candidates" in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "model.keras").exists()
