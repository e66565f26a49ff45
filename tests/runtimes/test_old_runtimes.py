"""Runtimes of years ago, in environments of their own, give the numbers of the pinned ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import calibration_toys
from graph_toys import random_model
from network_toys import FORMS, network, toy_features
from ptmiss.learn.export import build
from ptmiss.learn.onnx.file import INPUTS, WEIGHT
from ptmiss.learn.onnx.packing import tensors
from ptmiss.tasks.met.calibration import document
from ptmiss.tasks.met.learning import TASK

pytestmark = [
    pytest.mark.runtimes,
    # Keras 3.15 converts variables in a way that numpy 2 announces to change
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

ROOT = Path(__file__).parents[2]
EVALUATE = Path(__file__).parent / "evaluate.py"
NEWEST = (3, 11)
"""Newest Python for which the wheels of requirements/old-runtimes.txt exist."""

LOCKS = {
    "old-runtimes": {"onnxruntime", "correctionlib"},
    "oldest-corrections": {"correctionlib"},
}
"""Lock file -> what is compared in its environment."""

EMPTY = {"no_candidates": (3, 0), "no_events": (0, 5), "nothing": (0, 0)}


def events() -> dict[str, np.ndarray]:
    """Batches of toy events and empty ones, as "case/input"."""
    made = toy_features(40)
    codes = np.ascontiguousarray(made.categories.T, dtype=np.float32)
    counts = np.diff(made.offsets)
    cases = {
        "batch": tensors(made, codes, np.arange(40), (40, int(counts.max()))),
        "alone": tensors(made, codes, np.array([0]), (1, int(counts[0]))),
        "padded": tensors(made, codes, np.arange(2), (2, 4500)),
    }
    for case, shape in EMPTY.items():
        cases[case] = {name: np.zeros((*shape, n), np.float32) for name, n in INPUTS.items()}
    return {f"{case}/{name}": one for case, feed in cases.items() for name, one in feed.items()}


def columns() -> dict[str, np.ndarray]:
    """Columns with all that lies outside at their ends."""
    rng, n = np.random.default_rng(5), 20_000
    outside = [np.nan, np.inf, -np.inf, -1.0, 0.0, 1e9]
    inside = {
        "n_pv": rng.poisson(25.0, n), "q_t": rng.exponential(50.0, n),
        "u": rng.normal(0.0, 50.0, n), "n_jets": rng.poisson(1.0, n),
    }  # fmt: skip
    shifted = {name: np.roll(outside, i) for i, name in enumerate(inside)}
    return {name: np.append(one, shifted[name]) for name, one in inside.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with what the current code writes, and the numbers of the pinned runtimes."""
    folder = tmp_path_factory.mktemp("written")
    record = {"training": "toy", "weights_sha256": "0"}
    models = {bias: build(network(bias), TASK, record) for bias in FORMS}
    models["untransformed"] = random_model()
    for name, model in models.items():
        kind = onnx.TensorProto.FLOAT
        model.graph.output.append(onnx.helper.make_tensor_value_info(WEIGHT, kind, ["B", "N"]))
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    data = calibration_toys.toy(3000, 1, response=0.95, sigma=24.0, slope=(0.1, 0.0))
    made = calibration_toys.derived(
        data, calibration_toys.toy(3000, 2), calibration_toys.settings(xy_order=2)
    )
    document.write(folder / "corrections.json.gz", document.document([made], "toy"))
    np.savez(folder / "events.npz", **events())
    np.savez(folder / "columns.npz", **columns())
    run(sys.executable, EVALUATE, folder, folder / "pinned.npz")
    return folder


def run(*command: object) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(
    sys.version_info[:2] > NEWEST,
    reason=f"wheels of old runtimes exist up to Python {'.'.join(map(str, NEWEST))}, this is"
    f" {sys.version.split()[0]}: not compared",
)
@pytest.mark.parametrize("lock", LOCKS)
def test_old_runtimes_give_the_numbers_of_the_pinned_ones(lock, folder, tmp_path):
    uv, python = Path(sys.executable).parent / "uv", tmp_path / "old/bin/python"
    run(uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "old")
    run(uv, "pip", "install", "--quiet", "--python", python, "--require-hashes",
        "--only-binary", ":all:", "-r", ROOT / "requirements" / f"{lock}.txt")  # fmt: skip
    run(python, "-I", EVALUATE, folder, tmp_path / "old.npz")
    pinned, old = np.load(folder / "pinned.npz"), np.load(tmp_path / "old.npz")
    assert {key.partition(":")[0] for key in old} == LOCKS[lock]
    assert set(old) == {key for key in pinned if key.partition(":")[0] in LOCKS[lock]}
    worst = {
        "onnxruntime": 2e-5,  # 0.001 GeV, as `export.parity_limit`: sums in another order
        "correctionlib": 0.0,
    }
    for key in old:
        assert old[key].shape == pinned[key].shape, key
        limit = worst[key.partition(":")[0]]
        np.testing.assert_allclose(old[key], pinned[key], rtol=0.0, atol=limit, err_msg=key)
