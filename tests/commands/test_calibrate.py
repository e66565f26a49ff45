from __future__ import annotations

import csv
import json
import subprocess
import sys
import tarfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
import yaml

import calibration_toys as toys
import performance_toys
from command_modules import command
from ptmiss.core.errors import UserError
from ptmiss.core.io import parquet
from ptmiss.core.settings.base import to_json
from ptmiss.tasks.met.calibration.apply import read
from ptmiss.tasks.met.calibration.layouts import CALIBRATION
from ptmiss.tasks.met.calibration.names import SYSTEMATICS

SCRIPT = Path(__file__).parents[2] / "scripts" / "calibrate.py"
FOLDS = json.dumps({"train": [0, 1, 2, 3, 4], "validation": [5], "test": [6, 7, 8, 9]})
QUICK = {
    "replicas": 20, "apply": {"w": "w_data"}, "data": "data", "simulation": "z",
    "plateau_low": 60.0, "backgrounds": ["tt"],
    "closure": {"estimators": ["pf"], "qt_ranges": [[0, 50]]},
}  # fmt: skip
OTHER = {"response": 0.9, "sigma": 25.0, "slope": (0.3, 0.0)}


def settings(**changes) -> str:
    return to_json(toys.settings(**{**QUICK, **changes}))


def write(folder: Path, name: str, n: int, seed: int, **how) -> Path:
    metadata = {key: how.pop(key) for key in ("selection", "is_data", "sqrt_s") if key in how}
    drop, weight = how.pop("drop", ()), how.pop("weight", 1.0)
    columns = toys.columns(n, seed, **how)
    columns["weight"] = columns["weight"] * weight
    path = folder / f"{name}.parquet"
    return performance_toys.write(path, columns, sample=name, drop=drop, **metadata)


def arguments(estimates, folder: Path, chosen: str) -> list[str]:
    return [
        "--estimates", *map(str, estimates), "--folds", FOLDS, "--settings", chosen,
        "--corrections", str(folder / "corrections.json.gz"), "--fits", str(folder / "fits.npz"),
        "--table", str(folder / "tables.csv"), "--hepdata", str(folder / "hepdata.tar.gz"),
        "--histograms", str(folder / "histograms.root"),
        "--met_xy", str(folder / "met_xy_corrections.json.gz"), "--recoil", str(folder / "recoil"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def estimates(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("estimates")
    return [
        write(folder, "data", 2500, 1, **OTHER),
        write(folder, "z", 6000, 2),
        write(folder, "w_data", 1200, 3, selection="wmunu", w=True, **OTHER),
        write(folder, "w", 3000, 4, selection="wmunu", w=True),
        write(folder, "tt", 800, 5, sigma=60.0, weight=0.1),
    ]


@pytest.fixture(scope="module")
def written(estimates, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("calibration")
    command("calibrate", *arguments(estimates, folder, settings()))
    return folder


def test_the_table_holds_every_figure(written):
    with open(written / "tables.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CALIBRATION.names
    tables = {"xy", "response", "plateau", "map", "before", "after"}
    assert {row["table"] for row in rows} == tables
    quantities = {row["quantity"] for row in rows if row["table"] == "after"}
    assert quantities == {"density", "density_qt_0_50", "density_w"}
    for row in rows:
        if row["err_low"]:
            assert float(row["err_low"]) <= float(row["err_high"])
    after = [row for row in rows if (row["table"], row["quantity"]) == ("after", "density")]
    area = sum(
        float(row["value"]) * (float(row["bin_high"]) - float(row["bin_low"]))
        for row in after if row["axis"] == "u_perp" and row["dataset"] == "data"
    )  # fmt: skip
    assert area == pytest.approx(1.0, abs=0.05)


def test_rows_say_how_many_events_are_behind_them(written):
    with open(written / "tables.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    of_fits = {row["dataset"].endswith("_fit") for row in rows if not row["n_events"]}
    assert of_fits == {True}

    def events(**wanted: str) -> list[float]:
        return [
            float(row["n_events"]) for row in rows
            if all(row[key] == value for key, value in wanted.items())
        ]  # fmt: skip

    # of the half of the test folds, all of weight 1
    n = sum(events(table="xy", dataset="simulation", axis="n_pv", quantity="mean_x"))
    assert n == pytest.approx(0.5 * 0.4 * 6000, rel=0.1)
    assert min(events(table="xy", axis="n_pv", dataset="data")) >= 100.0
    assert min(events(table="map")) >= 100.0
    counts = events(table="before", dataset="simulation", axis="u_perp", quantity="density")
    assert all(number == int(number) for number in counts)
    (plateau,) = events(table="plateau", dataset="simulation")
    assert plateau == int(plateau)


def test_root_holds_the_very_numbers_of_the_table(written):
    rows = defaultdict(list)
    with open(written / "tables.csv", newline="") as file:
        for row in csv.DictReader(file):
            head = [row[key] for key in ("estimator", "table", "axis", "quantity", "dataset")]
            rows["/".join(head)].append(row)
    with uproot.open(written / "histograms.root") as file:
        assert "no number here is a result of an experiment" in str(file["about"])
        kinds = {key.split(";")[0]: kind for key, kind in file.classnames().items()}
        assert {name for name, kind in kinds.items() if kind == "TH1D"} == {
            name for name in rows if "/map/" not in name
        }
        for name in ("pf/xy/n_pv/mean_x/data", "pf/after/u_par/density/simulation_corrected",
                     "pf/response/qt/response/data_fit"):  # fmt: skip
            numbers = np.array([
                [float(row[key]) for key in ("bin_low", "bin_high", "value", "err_low", "err_high")]
                for row in rows[name]
            ])  # fmt: skip
            values, edges = file[name].to_numpy()
            np.testing.assert_array_equal(values, numbers[:, 2])
            np.testing.assert_array_equal(edges[:-1], numbers[:, 0])
            np.testing.assert_array_equal(edges[1:], numbers[:, 1])
            width = 0.5 * (numbers[:, 4] - numbers[:, 3])
            np.testing.assert_allclose(file[name].errors(), width)
        quantity = next(name for name, kind in kinds.items() if kind == "TH2D")
        values, knots, q_t = file[quantity].to_numpy()
        nodes = [one for name, one in rows.items() if name.startswith(f"{quantity}/qt_")]
        assert q_t[0] == 0.0
        assert q_t.size == len(nodes) + 1
        found = [[float(row["value"]) for row in node] for node in nodes]
        np.testing.assert_array_equal(values.T, found)
        assert knots.size == values.shape[0] + 1


def test_the_document_holds_every_uncertainty(written):
    corrections = read(written / "corrections.json.gz")
    rng = np.random.default_rng(3)
    points = rng.normal(0.0, 25.0, 2000), rng.gamma(1.6, 30.0, 2000), rng.integers(0, 4, 2000)
    for component in ("u_par", "u_perp"):
        shift = {
            name: corrections[f"pf_{component}"].evaluate(name, *points) - points[0]
            for name in SYSTEMATICS
        }
        assert SYSTEMATICS[1:] == tuple(
            f"{source}_{d}" for source in ("stat", "background", "form", "jets")
            for d in ("up", "down")
        )  # fmt: skip
        for name in SYSTEMATICS[1:]:
            assert np.abs(shift[name] - shift["nominal"]).max() > 0.01, (component, name)
        outwards = np.sign(points[0]) if component == "u_perp" else 1.0
        assert ((shift["stat_up"] - shift["stat_down"]) * outwards >= -1e-9).all()
        for source in ("form", "jets"):
            middle = 0.5 * (shift[f"{source}_up"] + shift[f"{source}_down"])
            assert np.median(np.abs(middle - shift["nominal"])) < 1e-6


def test_published_formats_hold_the_same_corrections(written):
    own = read(written / "corrections.json.gz")
    rng = np.random.default_rng(5)
    pt, phi = rng.exponential(40.0, 2000), rng.uniform(-np.pi, np.pi, 2000)
    n_pv = rng.poisson(20.0, 2000).astype(float)
    xy = read(written / "met_xy_corrections.json.gz")["met_xy_corrections"]
    for dataset, dtmc in (("data", "DATA"), ("simulation", "MC")):
        x, y = (
            pt * turn(phi) - own[f"pf_xy_{axis}"].evaluate(dataset, "nominal", n_pv)
            for axis, turn in (("x", np.cos), ("y", np.sin))
        )
        for name, expected in (("pt", np.hypot(x, y)), ("phi", np.arctan2(y, x))):
            found = xy.evaluate(name, "MET", "simulated", dtmc, "nom", pt, phi, n_pv)
            np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-6)
    recoil = read(written / "recoil" / "pf.json.gz")
    u, q_t, jets = rng.normal(0.0, 25.0, 2000), rng.gamma(1.6, 30.0, 2000), rng.integers(0, 4, 2000)
    for name, var in (("u_par", "Upara"), ("u_perp", "Uperp")):
        found = recoil["Recoil_correction_QuantileMapHist"].evaluate("LO", jets, q_t, var, u)
        expected = own[f"pf_{name}"].evaluate("nominal", u, q_t, jets)
        np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-6)


def test_a_range_of_runs_without_events_leaves_nothing_behind(estimates, tmp_path):
    published = {**toys.section()["published"], "run_ranges": {"late": [5, 9]}}
    with pytest.raises(UserError, match="run_ranges: late, runs 5 to 9, has 0 effective events"):
        command("calibrate", *arguments(estimates, tmp_path, settings(published=published)))
    assert list(tmp_path.iterdir()) == []


def test_hepdata_holds_the_very_numbers_of_the_table(written):
    with tarfile.open(written / "hepdata.tar.gz") as archive:
        content = {one.name: archive.extractfile(one).read() for one in archive.getmembers()}
        assert all(one.mtime == 0 for one in archive.getmembers())
    heads = list(yaml.safe_load_all(content["submission.yaml"]))
    assert "no number here is a result of an experiment" in heads[0]["comment"]
    head = next(one for one in heads[1:] if one["name"] == "after pf u_par density")
    table = yaml.safe_load(content[head["data_file"]])
    wanted = next(
        one for one in table["dependent_variables"]
        if one["header"]["name"] == "density simulation_corrected"
    )  # fmt: skip
    with open(written / "tables.csv", newline="") as file:
        rows = [
            row for row in csv.DictReader(file)
            if [row[key] for key in ("table", "dataset", "axis", "quantity")]
            == ["after", "simulation_corrected", "u_par", "density"]
        ]  # fmt: skip
    assert [one["value"] for one in wanted["values"]] == [float(row["value"]) for row in rows]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_hepdata_passes_its_validator(written):
    from hepdata_validator.full_submission_validator import FullSubmissionValidator

    validator = FullSubmissionValidator()
    assert validator.validate(archive=str(written / "hepdata.tar.gz")), validator.get_messages()


def test_equal_estimates_in_any_order_give_equal_bytes(estimates, written, tmp_path):
    command("calibrate", *arguments(estimates[::-1], tmp_path, settings()))
    names = ("corrections.json.gz", "fits.npz", "tables.csv", "hepdata.tar.gz", "histograms.root",
             "met_xy_corrections.json.gz", "recoil/pf.json.gz")  # fmt: skip
    for name in names:
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes(), name


@pytest.mark.parametrize(
    ("changed", "how", "text"),
    [
        ("data", None, "calibration.data is 'data', of which there are no estimates"),
        ("data", {"n": 60}, "fewer than the 100 that one bin needs"),
        ("z", {"n": 300}, "simulation has .* effective events with a boson"),
        ("data", {"weight": -1.0}, "weights of sample data add up to -2500, expected a positive"),
        ("z", {"weight": 0.0}, "weights of sample z add up to 0, expected a positive"),
        ("z", {"weight": -2.0}, "weights of sample z add up to -.*, expected a positive"),
        ("tt", {"weight": -1.0}, "weights of sample tt add up to -.*, expected a positive"),
        ("tt", {"sqrt_s": "13.6"}, r"sample z is of sqrt\(s\) = 13 TeV, tt of 13.6 TeV"),
        ("data", {"drop": ("n_pv",)}, "column n_pv is missing"),
        ("data", {"drop": ("n_jets",)}, "column n_jets is missing"),
        ("data", {"weight": np.nan}, "2500 events whose weight is not finite"),
        ("data", {"sqrt_s": "13.6"}, r"sample z is of sqrt\(s\) = 13 TeV, data of 13.6 TeV"),
    ],
)
def test_what_cannot_be_calibrated_is_one_line(estimates, tmp_path, changed, how, text):
    found = {path.stem: path for path in estimates if path.stem in ("data", "z", "tt")}
    if how is None:
        del found[changed]
    else:
        how = dict(how)
        found[changed] = write(tmp_path, changed, how.pop("n", 2500), 9, **how)
        if "sqrt_s" in how:
            found["z"] = write(tmp_path, "z", 3000, 2, sqrt_s="13")
    with pytest.raises(UserError, match=text) as caught:
        command("calibrate", *arguments(found.values(), tmp_path, settings(apply={})))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "corrections.json.gz").exists()


def test_events_without_a_number_of_vertices_are_one_line(estimates, tmp_path):
    table = pq.read_table(estimates[0])
    empty = [None if i < 7 else n for i, n in enumerate(table["n_pv"].to_pylist())]
    at = table.schema.get_field_index("n_pv")
    field = pa.field("n_pv", pa.uint16())
    table = table.set_column(at, field, pa.array(empty, pa.uint16()))
    parquet.write(tmp_path / "data.parquet", table)
    with pytest.raises(UserError, match=r"data\.parquet: column n_pv has 7 empty values"):
        command(
            "calibrate", *arguments(
                [tmp_path / "data.parquet", estimates[1]], tmp_path,
                settings(apply={}, backgrounds=[]),
            )
        )  # fmt: skip


def test_a_users_mistake_ends_with_status_1(estimates, tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments([estimates[1]], tmp_path, settings())],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("error:") == 1


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"form_variation": "kernel"}, "must differ"),
        ({"jets": [1, 2]}, "must begin with 0"),
        ({"qt_edges": [5, 10, 20]}, "must begin at 0"),
        ({"data": "z"}, "must differ"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, text):
    with pytest.raises(UserError, match=text):
        settings(**changes)
