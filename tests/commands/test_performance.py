from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

import performance_toys as toys
from ptmiss.report import tables as report_tables
from ptmiss.settings.base import to_json

SCRIPT = Path(__file__).parents[2] / "scripts" / "performance.py"
FOLDS = json.dumps({"train": [0, 1, 2, 3, 4], "validation": [5], "test": [6, 7, 8, 9]})
SETTINGS = to_json(toys.settings(replicas=30))


def _main(estimates, folder: Path, settings: str = SETTINGS) -> tuple[Path, Path]:
    spec = importlib.util.spec_from_file_location("command_performance", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table, headline = folder / "classical.csv", folder / "classical.headline.json"
    module.main([
        "--estimates", *map(str, estimates), "--folds", FOLDS, "--settings", settings,
        "--table", str(table), "--headline", str(headline),
    ])  # fmt: skip
    return table, headline


@pytest.fixture(scope="module")
def estimates(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("estimates")
    columns = toys.toy(3000)
    halves = [toys.select(columns, slice(0, 1300)), toys.select(columns, slice(1300, 3000))]
    paths = [
        toys.write(folder / f"z{part}.parquet", half, part=str(part))
        for part, half in enumerate(halves)
    ]
    w = toys.toy(2000, kind="w")
    paths.append(toys.write(folder / "w.parquet", w, sample="wmunu", selection="wmunu"))
    return paths


def test_table_and_headline(estimates, tmp_path):
    table, headline = _main(estimates, tmp_path)
    frame = report_tables.read([table])
    assert set(frame["sample"]) == {"zmumu", "wmunu"}
    assert set(frame["estimator"]) == {"pf", "puppi", "oracle"}
    found = json.loads(headline.read_text())
    assert found["training"] == "classical"
    assert [one["sample"] for one in found["samples"]] == ["wmunu", "zmumu"]


def test_order_of_the_files_and_cores_do_not_matter(estimates, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = _main(estimates, tmp_path / "a")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    two = _main(estimates[::-1], tmp_path / "b")
    for first, second in zip(one, two, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_a_users_mistake_is_one_line_and_leaves_no_file(estimates, tmp_path):
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(estimates[0].read_bytes()[:-500])
    table = tmp_path / "out.csv"
    done = subprocess.run(
        [sys.executable, SCRIPT, "--estimates", estimates[1], broken, "--folds", FOLDS,
         "--settings", SETTINGS, "--table", table, "--headline", tmp_path / "out.json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "broken.parquet" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.parquet"]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("qt_edges", [0, 10, 5], "each edge must be above"),
        ("headline_qt", [0, 140], "must be one of qt_ranges"),
        ("plateau_low", 2000.0, "plateau_low must be below"),
        ("stored", ["magic"], "magic: not known, allowed: raw_pf"),
        ("replicas", 3, "greater than or equal to 20"),
    ],
)
def test_settings_that_cannot_be_are_refused(estimates, tmp_path, key, value, text):
    from ptmiss.errors import UserError

    settings = json.dumps({**json.loads(SETTINGS), key: value})
    with pytest.raises(UserError, match=text):
        _main(estimates, tmp_path, settings)


def test_a_sample_without_test_events_is_said_and_has_no_rows(tmp_path, caplog):
    columns = toys.toy(50)
    columns["fold"][:] = 0
    path = toys.write(tmp_path / "a.parquet", columns)
    table, headline = _main([path], tmp_path)
    assert "zmumu, nominal: no event in the test folds [6, 7, 8, 9]" in caplog.text
    assert table.read_text().count("\n") == 1
    assert json.loads(headline.read_text())["samples"][0]["n_events"] == 0


def test_what_is_missing_is_said_once_a_sample(tmp_path, caplog):
    columns = toys.toy(900)
    columns["pf_px"][columns["fold"] == 7] = float("nan")
    low = (columns["boson_px"] ** 2 + columns["boson_py"] ** 2) < 100.0**2
    path = toys.write(tmp_path / "a.parquet", toys.select(columns, low))
    _, headline = _main([path], tmp_path)
    bad = int((columns["fold"][low] == 7).sum())
    assert f"zmumu, nominal: {bad} of " in caplog.text
    assert "events of pf are not finite and left out" in caplog.text
    assert "on the response plateau of pf, puppi, oracle:" in caplog.text
    found = json.loads(headline.read_text())["samples"][0]["estimators"]
    assert found["pf"]["non_finite"] == bad
    assert found["pf"]["sigma_par"]["value"] is None
