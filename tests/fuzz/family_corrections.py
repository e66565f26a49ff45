"""Spoiled corrections.json.gz and fits.npz, given to closure and to the example for analysts."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import runpy
import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from fuzz import harness, mutate

FOLDS = {"train": [0, 1, 2, 3, 4], "validation": [5], "test": [6, 7, 8, 9]}
EXAMPLE = harness.SCRIPTS.parent / "docs" / "apply_corrections.py"
SHARES = {"closure": 0.4, "fits": 0.4, "example": 0.2}
"""Which file is spoiled, and for whom."""
WITH_SUM = 0.1


@dataclass(frozen=True)
class State:
    """Good files, and what closure is called with."""

    good: Path
    estimates: list[Path]
    folds: object
    settings: object


def prepare(folder: Path) -> State:
    """Derive corrections of toy events once."""
    import calibration_toys as toys
    import performance_toys
    from ptmiss.core.settings.base import from_mapping
    from ptmiss.events.settings.folds import FoldSettings

    settings = toys.settings(
        replicas=20, data="data", simulation="z", backgrounds=[], apply={}, min_events=30,
        closure={"estimators": ["pf"], "qt_ranges": [], "permutations": 99, "max_events": 1000},
    )  # fmt: skip
    folds = from_mapping(FoldSettings, FOLDS, "folds")
    good = folder / "good"
    estimates = [good / "data.parquet", good / "z.parquet"]
    if not good.exists():
        making = folder / "making"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        for name, n, seed in (("data", 400, 11), ("z", 1000, 2)):
            performance_toys.write(making / f"{name}.parquet", toys.columns(n, seed), sample=name)
        _derive(making, folds, settings)
        making.rename(good)
    state = State(good, estimates, folds, settings)
    for who in SHARES:
        _read(who, state, good / "corrections.json.gz", good / "fits.npz", folder)
    return state


def _derive(folder: Path, folds, settings) -> None:
    from ptmiss.tasks.met.calibration import document, store
    from ptmiss.tasks.met.calibration.bins import make_bins
    from ptmiss.tasks.met.calibration.bosons import DERIVE
    from ptmiss.tasks.met.calibration.derive import derive
    from ptmiss.tasks.met.calibration.inputs import load_inputs
    from ptmiss.tasks.met.calibration.replicas import sample

    found = load_inputs([folder / "data.parquet", folder / "z.parquet"], folds, settings)
    half = found.dilepton.half(DERIVE)
    samples = {name: sample(getattr(half, name), None, 20) for name in ("data", "simulation")}
    bins = make_bins(samples, settings)
    made = derive("pf", samples, bins, settings)
    document.write(folder / "corrections.json.gz", document.document([made], "toy"))
    store.write(folder / "fits.npz", {"pf": made.stored()}, bins)


def case(rng: np.random.Generator, state: State, folder: Path) -> None:
    """Spoil one of the two files and read both."""
    who = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    name = "fits.npz" if who == "fits" else "corrections.json.gz"
    content = (state.good / name).read_bytes()
    spoiled = spoil_npz(rng, content) if who == "fits" else spoil_document(rng, content)
    with harness.own_folder(folder, "case") as own:
        files = {other: state.good / other for other in ("corrections.json.gz", "fits.npz")}
        files[name] = own / name
        files[name].write_bytes(spoiled)
        with_sum = who != "example" and rng.random() < WITH_SUM
        if with_sum:
            digest = hashlib.sha256(content).hexdigest()
            (own / f"{name}.sha256").write_text(f"{digest}  {name}\n")
        _read(who, state, *files.values(), own)
        if with_sum and spoiled != content:
            raise harness.SilentDifference(f"{name} is not what its sum says")


def run(seed: int, count: int, folder: Path) -> Counter:
    """Return outcomes of the first cases of a seed."""
    return harness.run(__name__, seed, count, folder)


def _read(who: str, state: State, corrections: Path, fits: Path, own: Path) -> None:
    if who == "example":
        arguments = ["apply", str(corrections), "pf"]
        with mock.patch.object(sys, "argv", arguments), contextlib.redirect_stdout(io.StringIO()):
            runpy.run_path(str(EXAMPLE), run_name="__main__")
        return
    from ptmiss.tasks.met.closure.run import closure

    closure(state.estimates, state.folds, state.settings, corrections, fits, own / "v.json")


def spoil_document(rng: np.random.Generator, content: bytes) -> bytes:
    """Return packed JSON with changes inside, or bytes that do not unpack."""
    if rng.random() < 0.2:
        return mutate.spoil_bytes(rng, content)
    plain = gzip.decompress(content)
    if rng.random() < 0.5:
        return gzip.compress(mutate.spoil_json(rng, plain), 1, mtime=0)
    return gzip.compress(_spoil_node(rng, json.loads(plain)), 1, mtime=0)


def _spoil_node(rng: np.random.Generator, document: dict) -> bytes:
    """Change what correctionlib looks at: edges, inputs, formulas, keys."""
    nodes = list(_nodes(document))
    node = mutate.pick(rng, nodes)
    key = mutate.pick(rng, sorted(node))
    value = node[key]
    if isinstance(value, list) and value and rng.random() < 0.7:
        change = rng.integers(5)
        if change == 0:
            value.reverse()
        elif change == 1:
            del value[int(rng.integers(len(value)))]
        elif change == 2:
            value.append(value[0])
        elif change == 3:
            value[int(rng.integers(len(value)))] = mutate.pick(rng, (0, -1e300, 1e300, "x", None))
        else:
            node[key] = value[:1] * int(rng.integers(2, 50))
    elif isinstance(value, str):
        node[key] = mutate.pick(rng, WORDS)
    else:
        node[key] = mutate.pick(rng, (None, -1, 99, 1e300, "clamp", "wrap", "error", [], {}))
    return json.dumps(document).encode()


WORDS = (
    "x", "", "u", "q_t", "real", "int", "string", "[9]", "1/0", "x^x^x^x", "((((", "category",
    "multibinning", "hashprng",
)  # fmt: skip


def _nodes(value):
    if isinstance(value, dict):
        if value:
            yield value
        for inner in value.values():
            yield from _nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _nodes(inner)


def spoil_npz(rng: np.random.Generator, content: bytes) -> bytes:
    """Return arrays of other shapes, types and values, or bytes that are no archive."""
    if rng.random() < 0.3:
        return mutate.spoil_bytes(rng, content)
    with np.load(io.BytesIO(content)) as file:
        arrays = {name: file[name] for name in file.files}
    for _ in range(int(rng.integers(1, 3))):
        name = mutate.pick(rng, sorted(arrays))
        arrays |= {name: _spoil_array(rng, arrays[name])}
        if rng.random() < 0.15:
            arrays.pop(name)
        elif rng.random() < 0.1:
            arrays[name + "/x"] = arrays.pop(name)
    out = io.BytesIO()
    (np.savez_compressed if rng.random() < 0.05 else np.savez)(out, **arrays)
    return out.getvalue()


def _spoil_array(rng: np.random.Generator, array: np.ndarray) -> np.ndarray:
    kind = rng.integers(8)
    if kind == 0:
        return array[..., :-1] if array.ndim else array[None]
    if kind == 1:
        return np.concatenate([array, array]) if array.ndim else np.array([array, array])
    if kind == 2:
        return array.astype(object) if rng.random() < 0.5 else array.astype("U8")
    if kind == 3:
        return array.T[::-1].copy() if array.ndim else np.array(-1)
    if kind == 4 or array.dtype.kind not in "iuf" or not array.size:
        return mutate.pick(rng, (np.array(1.0), np.zeros(0), np.array("x"), np.array(["pf", "q"]),
                                 np.zeros((2, 2)), np.array([1j]), np.array([True])))  # fmt: skip
    if kind == 5:
        return np.zeros_like(array)
    changed = array.astype(np.float64)
    values = (np.nan, np.inf, -np.inf, 1e308, -1e30, 0.0, -1.0, 1e9)
    changed.flat[int(rng.integers(changed.size))] = mutate.pick(rng, values)
    return changed
