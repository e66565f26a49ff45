"""Networks with random weights, and the files around them, for tests."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from ptmiss.core.io import parquet
from ptmiss.core.ragged import Ragged
from ptmiss.learn.data import dataset
from ptmiss.learn.network import Network, NetworkSpec, new_network
from ptmiss.learn.settings.networks import PUBLISHED
from ptmiss.learn.training.storage import save_model
from ptmiss.tasks.met import features as ft
from ptmiss.tasks.met.learning import TASK
from toys import make_toy

RULES = ft.FeatureRules(100.0, unknown_codes=True, use_puppi=True)


FORMS = ("caption", "training_code", "shipped")


def spec(
    bias: str = "caption",
    transform: str = "log",
    pinned_pt: float = 10.0,
    rules: ft.FeatureRules = RULES,
    **parts: object,
) -> NetworkSpec:
    """Give a DeepMET with a vector sum, or what `parts` has in place of `network` and `head`."""
    values = {
        "network": PUBLISHED,
        "head": {"kind": "vector_sum", "bias": bias, "tune": "response"},
        "transform": transform,
        "layout": ft.layout(rules, pinned_pt),
        "targets": ft.TARGETS,
        "details": rules.as_dict(),
    }
    return NetworkSpec(**(values | parts))


def network(bias: str = "caption", seed: int = 3, **parts: object) -> Network:
    model = new_network(spec(bias, **parts), seed)
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        value = variable.numpy() + rng.normal(0, 0.02, variable.shape)
        variable.assign(np.abs(value) if "variance" in variable.name else value)
    return model


def toy_features(n_events: int = 50) -> ft.Features:
    toy = make_toy(n_events, 3, selected=True, pileup=3.0, per_collision=10.0, per_hard=10.0)
    columns = {f"cand_{name}": values for name, values in toy.candidates.items()}
    return ft.features(Ragged(toy.offsets, columns), RULES)


def write_dataset(path: Path, made: ft.Features, rows_per_group: int = 30) -> None:
    n = len(made.offsets) - 1
    zero = np.zeros((n, 4), np.float32)
    events = dataset.Events(
        made.offsets, made.continuous, made.categories.astype(np.uint8), zero,
        np.ones(n, np.float32), np.zeros(n, np.uint8), np.arange(n, dtype=np.uint64),
    )  # fmt: skip
    parquet.write(path, dataset.to_table(events, TASK.dataset), rows_per_group)


def write_training(folder: Path, model: Network) -> None:
    save_model(model, folder / "model.keras")
    digest = hashlib.sha256(b"".join(v.numpy().tobytes() for v in model.variables))
    record = {"training": "toy", "weights_sha256": digest.hexdigest()}
    (folder / "training.json").write_text(json.dumps(record))
