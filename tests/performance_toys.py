"""Toy events with known response and resolution, in memory and as estimates files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml

from ptmiss.core.io import parquet
from ptmiss.core.settings.base import from_mapping
from ptmiss.core.stats.bootstrap import streams
from ptmiss.events.columns import CANDIDATE_COLUMNS, skim_schema
from ptmiss.events.folds import fold_of
from ptmiss.events.samples import Part
from ptmiss.events.skim.info import Info
from ptmiss.tasks.met.estimators.table import declaration
from ptmiss.tasks.met.features import ESTIMATE, WITH_ERRORS
from ptmiss.tasks.met.performance.stream import Chunk, Source
from ptmiss.tasks.met.settings.performance import PerformanceSettings

ESTIMATORS = {"pf": (0.9, 25.0), "puppi": (0.8, 18.0), "oracle": (1.0, 8.0)}
"""Estimator -> response and resolution in GeV of each recoil component (both before correction)."""


def settings(**changes: object) -> PerformanceSettings:
    path = Path(__file__).parents[1] / "config.yaml"
    section = yaml.safe_load(path.read_text(encoding="utf-8"))["performance"]
    return from_mapping(PerformanceSettings, {**section, **changes}, "performance")


def toy(
    n: int,
    seed: int = 1,
    kind: str = "dilepton",
    estimators: dict[str, tuple[float, float]] = ESTIMATORS,
) -> dict[str, np.ndarray]:
    """Columns of an estimates file, each (n,). kind: dilepton, w (boson and neutrino), none."""
    rng = np.random.default_rng(seed)
    q_t = rng.gamma(1.6, 22.0, n) + np.where(rng.random(n) < 0.3, rng.exponential(150.0, n), 0.0)
    phi = rng.uniform(-np.pi, np.pi, n)
    boson = q_t * np.array([np.cos(phi), np.sin(phi)])
    share = {"dilepton": 0.0, "w": 0.5, "none": 1.0}[kind]
    turn = rng.uniform(-0.5, 0.5, n) if kind == "w" else np.zeros(n)
    unseen = share * q_t * np.array([np.cos(phi + turn), np.sin(phi + turn)])
    event = np.arange(n, dtype=np.uint64) + np.uint64(seed * 10_000_000)
    ones = np.ones(n, dtype=np.uint32)
    columns = {
        "run": ones, "lumi": ones, "event": event, "fold": fold_of(ones, ones, event),
        "weight": np.ones(n), "n_pv": rng.poisson(20.0, n).astype(np.uint16),
        "rho": np.full(n, 10.0, dtype=np.float32),
        "gen_met_px": unseen[0], "gen_met_py": unseen[1], "gen_ht": q_t + rng.exponential(200.0, n),
        "boson_px": boson[0], "boson_py": boson[1], "n_jets": np.zeros(n, dtype=np.uint8),
    }  # fmt: skip
    if kind == "none":
        del columns["boson_px"], columns["boson_py"]
    for name, (response, sigma) in estimators.items():
        noise = rng.normal(0.0, sigma, (2, n))
        # recoil = -response * boson + noise; met = -(visible boson + recoil)
        met = -(boson - unseen - response * boson + noise)
        if kind == "none":
            met = response * unseen + noise
        columns[f"{name}_px"], columns[f"{name}_py"] = met
    return columns


def chunk(columns: dict[str, np.ndarray], seed: int = 11, kind: str = "dilepton") -> Chunk:
    n = columns["event"].size
    none = np.full(n, np.nan)
    known = set(skim_schema(has_truth=False).names)
    names = [c.removesuffix("_px") for c in columns if c.endswith("_px") and c not in known]
    return Chunk(
        states=streams(columns["run"], columns["lumi"], columns["event"], seed),
        weight=columns["weight"].astype(np.float64),
        n_pv=columns["n_pv"].astype(np.float64),
        gen_ht=columns.get("gen_ht", none),
        boson=np.array([columns.get("boson_px", none), columns.get("boson_py", none)]),
        true_met=np.array([columns.get("gen_met_px", none), columns.get("gen_met_py", none)]),
        met=np.array([[columns[f"{name}_px"], columns[f"{name}_py"]] for name in names]),
        boson_has_neutrino=kind == "w",
        more={name: columns[name] for name in columns if "_error_" in name or name == "n_jets"},
    )


def select(columns: dict[str, np.ndarray], which: np.ndarray) -> dict[str, np.ndarray]:
    return {name: values[which] for name, values in columns.items()}


def write(
    path: Path,
    columns: dict[str, np.ndarray],
    part: str = "0",
    drop: Sequence[str] = (),
    rows_per_group: int = 1000,
    **metadata: str,
) -> Path:
    n = columns["event"].size
    arrays, fields = [], []
    schema = skim_schema(has_truth=False)
    for field in schema:
        if field.name in CANDIDATE_COLUMNS or field.name in drop:
            continue
        if field.name in columns:
            arrays.append(pa.array(columns[field.name]).cast(field.type))
        else:
            arrays.append(pa.nulls(n, field.type))
        fields.append(field)
    for name in columns:
        if name not in schema.names and name not in drop:
            arrays.append(pa.array(columns[name]))
            fields.append(pa.field(name, arrays[-1].type))
    given = [field.name for field in fields if field.name not in schema.names]
    names = [name.removesuffix("_px") for name in given if name.endswith("_px")]
    said = {
        "estimators": declaration({
            n: WITH_ERRORS if f"{n}_error_xx" in given else ESTIMATE
            for n in names if f"{n}_py" in given
        }),
        "sample": "zmumu", "label": "Z to mumu", "training": "classical", "variation": "nominal",
        "part": part, "is_data": "false", "selection": "zmumu", **metadata,
    }  # fmt: skip
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=said))
    parquet.write(path, table, rows_per_group)
    return path


def source(sample: str, selection: str, estimators: tuple[str, ...]) -> Source:
    """Return nominal estimates of a sample that has no file."""
    said = Info(sample, "0000", sample, False, selection, "", "classical", "nominal", "")
    return Source((Part("x", 0, pa.schema([]), said),), estimators)
