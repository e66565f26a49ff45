from __future__ import annotations

import json
from pathlib import Path

import pytest

import calibration_toys as toys
import performance_toys
from command_modules import command as run
from ptmiss.core.errors import UserError
from ptmiss.core.settings.base import to_json

FOLDS = json.dumps({"train": [0, 1, 2, 3, 4], "validation": [5], "test": [6, 7, 8, 9]})


def settings(**changes) -> str:
    quick = {
        "replicas": 20, "data": "data", "simulation": "z", "backgrounds": [], "apply": {},
        "closure": {"estimators": ["pf"], "qt_ranges": [[0, 50]], "permutations": 800},
    }  # fmt: skip
    return to_json(toys.settings(**{**quick, **changes}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("closure")
    other = {"response": 0.96, "sigma": 28.0, "slope": (0.3, 0.0)}
    for name, n, seed, how in (
        ("data", 2500, 11, other),
        ("z", 6000, 2, {}),
        ("same", 2500, 7, {}),
    ):
        columns = toys.columns(n, seed, **how)
        sample = "data" if name == "same" else name
        performance_toys.write(folder / f"{name}.parquet", columns, sample=sample)
    for data in ("data", "same"):
        run("calibrate", "--estimates", folder / f"{data}.parquet", folder / "z.parquet",
            "--folds", FOLDS, "--settings", settings(), "--corrections", folder / f"{data}.json.gz",
            "--fits", folder / f"{data}.npz", "--table", folder / f"{data}.csv",
            "--hepdata", folder / f"{data}.tar.gz", "--met_xy", folder / f"{data}.xy.json.gz",
            "--recoil", folder / f"{data}.recoil")  # fmt: skip
    return folder


def verdict(folder: Path, corrections: str, name: str) -> Path:
    path = folder / f"{name}.json"
    run("closure", "--estimates", folder / "data.parquet", folder / "z.parquet", "--folds", FOLDS,
        "--settings", settings(), "--corrections", folder / f"{corrections}.json.gz",
        "--fits", folder / f"{corrections}.npz", "--verdict", path)  # fmt: skip
    return path


def accept(verdict: Path, chosen: str, out: Path) -> None:
    """Run the command accept on a closure and a gate that has nothing against the run."""
    gate = {"gate": "quality", "training": "a", "judged": False, "passed": True, "tests": []}
    (out.parent / "gate.json").write_text(json.dumps(gate))
    limits = json.dumps({"response_low": 0.8, "response_high": 1.2, "require": True})
    run("accept", "--gates", out.parent / "gate.json", "--closures", verdict, "--settings", limits,
        "--calibration", chosen, "--accepted", f"{out}.gates", "--confirmed", out)  # fmt: skip


def test_a_passed_closure_is_confirmed(folder):
    path = verdict(folder, "data", "passed")
    found = json.loads(path.read_text())
    assert found["passed"]
    keys = {"name", "estimator", "what", "value", "limit", "passed", "sample", "region"}
    assert all(keys <= set(test) for test in found["tests"])
    accept(path, settings(), folder / "ok.json")
    assert json.loads((folder / "ok.json").read_text()) == [found]
    again = verdict(folder, "data", "again")
    assert again.read_bytes() == path.read_bytes()


def test_a_failed_closure_ends_the_run_unless_it_may_not(folder, caplog):
    path = verdict(folder, "same", "failed")  # derived from data that were no different
    assert not json.loads(path.read_text())["passed"]
    out = folder / "not.json"
    with pytest.raises(UserError, match=r"allowed at .*calibration\.require_closure: false"):
        accept(path, settings(), out)
    assert not out.exists()
    allowed = settings(require_closure=False)
    accept(path, allowed, out)
    assert "closure, training classical, estimator pf" in caplog.text
    assert out.exists()
