"""Events that a calibration lacks: estimators that are not finite, ranges and samples without any;
files of several trainings in one."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import correctionlib
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

import calibration_toys as toys
import performance_toys
from command_modules import command as run
from ptmiss.core.errors import UserError
from ptmiss.core.settings.base import to_json
from ptmiss.tasks.met.calibration.reading import load
from ptmiss.tasks.met.performance.stream import sources

FOLDS = json.dumps({"train": [0, 1, 2, 3, 4], "validation": [5], "test": [6, 7, 8, 9]})
OTHER = {"response": 0.9, "sigma": 25.0, "slope": (0.3, 0.0)}


def settings(**changes) -> str:
    quick = {
        "replicas": 20, "data": "data", "simulation": "z", "backgrounds": [], "apply": {},
        "plateau_low": 60.0,
        "closure": {"estimators": ["pf"], "qt_ranges": [[0, 50]], "permutations": 200},
    }  # fmt: skip
    return to_json(toys.settings(**{**quick, **changes}))


def calibrate(folder: Path, files, chosen: str) -> Path:
    run("calibrate", "--estimates", *files, "--folds", FOLDS, "--settings", chosen,
        "--corrections", folder / "corrections.json.gz", "--fits", folder / "fits.npz",
        "--table", folder / "tables.csv", "--hepdata", folder / "hepdata.tar.gz",
        "--histograms", folder / "histograms.root",
        "--met_xy", folder / "met_xy_corrections.json.gz",
        "--recoil", folder / "recoil")  # fmt: skip
    return folder


def closure(folder: Path, files, chosen: str) -> dict[str, object]:
    run("closure", "--estimates", *files, "--folds", FOLDS, "--settings", chosen,
        "--corrections", folder / "corrections.json.gz", "--fits", folder / "fits.npz",
        "--verdict", folder / "closure.json")  # fmt: skip
    return json.loads((folder / "closure.json").read_text())


def samples(**changes) -> dict[str, dict[str, np.ndarray]]:
    """Columns of data and simulation; changes: sample -> function that changes its columns."""
    found = {"data": toys.columns(2500, 1, **OTHER), "z": toys.columns(6000, 2)}
    for name, change in changes.items():
        change(found[name])
    return found


def write(folder: Path, found, training: str = "classical") -> list[Path]:
    return [
        performance_toys.write(folder / f"{name}.parquet", columns, sample=name, training=training)
        for name, columns in found.items()
    ]


def rows(folder: Path, **wanted: str) -> list[dict[str, str]]:
    with open(folder / "tables.csv", newline="") as file:
        return [
            row for row in csv.DictReader(file)
            if all(row[key] == value for key, value in wanted.items())
        ]  # fmt: skip


def second(columns: dict[str, np.ndarray], bad: int = 0) -> None:
    """Add an estimator equal to pf, but not finite in the first `bad` events."""
    for axis in "xy":
        columns[f"mine_p{axis}"] = columns[f"pf_p{axis}"].copy()
    columns["mine_px"][:bad] = np.nan


def corrections(folder: Path, estimator: str) -> list[str]:
    with gzip.open(folder / "corrections.json.gz", "rt") as file:
        found = json.load(file)["corrections"]
    mine = [one for one in found if one["name"].startswith(f"{estimator}_")]
    return [json.dumps(one).replace(estimator, "NAME") for one in mine]


def test_an_estimator_that_is_not_finite_is_masked_alone(tmp_path, caplog):
    """Half of the events of one estimator are lost: the other loses none."""
    folders = {name: tmp_path / name for name in ("whole", "holes")}
    bad = {"whole": (0, 0), "holes": (900, 3000)}
    verdicts = {}
    for name, folder in folders.items():
        folder.mkdir()
        found = samples(data=lambda c, n=name: second(c, bad[n][0]),
                        z=lambda c, n=name: second(c, bad[n][1]))  # fmt: skip
        files = write(folder, found)
        calibrate(folder, files, settings())
        verdicts[name] = closure(folder, files, settings())
    assert "masked" not in verdicts["whole"]
    expected = 3000 * 0.4  # of the test folds
    masked = {(one["estimator"], one["sample"]): one for one in verdicts["holes"]["masked"]}
    assert set(masked) == {("mine", "data"), ("mine", "z")}
    assert (masked["mine", "data"]["events"], masked["mine", "data"]["of"]) == (900, 2500)
    assert masked["mine", "z"]["events"] == pytest.approx(expected, rel=0.1)
    assert "data: mine is not finite in 900 of 2500 events" in caplog.text

    def events(folder, estimator):
        found = rows(folder, table="xy", dataset="data", axis="n_pv", quantity="mean_x",
                     estimator=estimator)  # fmt: skip
        return sum(float(row["n_events"]) for row in found)

    whole, holes = folders["whole"], folders["holes"]
    assert corrections(whole, "pf") == corrections(whole, "mine")
    assert events(holes, "pf") == events(whole, "pf")
    assert events(holes, "mine") == pytest.approx(events(whole, "pf") * 1600 / 2500, rel=0.1)
    # the lines and responses of pf are those of all its events; maps share their bins
    of_pf = [corrections(folder, "pf") for folder in (whole, holes)]
    assert of_pf[0][:4] == of_pf[1][:4]
    assert "NaN" not in "".join(corrections(holes, "mine"))


def test_an_estimator_that_is_hardly_ever_finite_is_one_line(tmp_path):
    files = write(tmp_path, samples(data=lambda c: second(c, 2450), z=second))
    with pytest.raises(UserError, match=r"mine is finite in .* events of data, fewer than the 100"):
        calibrate(tmp_path, files, settings())
    assert not (tmp_path / "corrections.json.gz").exists()


def without(low: float, high: float):
    """Return a change that takes the events of a range of q_t away."""

    def change(columns: dict[str, np.ndarray]) -> None:
        q_t = np.hypot(columns["boson_px"], columns["boson_py"])
        kept = (q_t < low) | (q_t >= high)
        columns |= {name: values[kept] for name, values in columns.items()}

    return change


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("sample", ["data", "z", "both"])
def test_a_range_without_events_is_empty(tmp_path, sample, caplog):
    """No event above 200 GeV in one sample, or in both: its densities have no values."""
    names = ("data", "z") if sample == "both" else (sample,)
    files = write(tmp_path, samples(**dict.fromkeys(names, without(200.0, 1000.0))))
    closing = {"estimators": ["pf"], "qt_ranges": [[0, 50], [200, 1000]], "permutations": 200}
    calibrate(tmp_path, files, settings(closure=closing))
    for dataset, its in (("data", "data"), ("simulation", "z")):
        found = rows(tmp_path, table="before", dataset=dataset, quantity="density_qt_200_1000")
        assert len(found) == 80
        assert {bool(row["value"]) for row in found} == {its not in names}
        if its in names:
            assert {(row["err_low"], row["n_events"]) for row in found} == {("", "0.0")}
    # after the stage, which silences what the validator imports
    from hepdata_validator.full_submission_validator import FullSubmissionValidator

    validator = FullSubmissionValidator()
    archive = tmp_path / "hepdata.tar.gz"
    assert validator.validate(archive=str(archive)), validator.get_messages()
    with tarfile.open(archive) as opened:
        content = {one.name: opened.extractfile(one).read() for one in opened.getmembers()}
    heads = list(yaml.safe_load_all(content["submission.yaml"]))[1:]
    head = next(one for one in heads if one["name"] == "before pf u_par density qt 200 1000")
    table = yaml.safe_load(content[head["data_file"]])
    values = {one["header"]["name"]: one["values"] for one in table["dependent_variables"]}
    name = "density qt 200 1000 data" if "data" in names else "density qt 200 1000 simulation"
    assert values[name] == [{"value": "-"}] * 40
    verdict = closure(tmp_path, files, settings(closure=closing))
    assert "no events to compare in q_t of 200 to 1000 GeV" in caplog.text
    assert {one["region"] for one in verdict["tests"]} == {"all", "qt_0_50"}


@pytest.mark.parametrize("stage", ["calibrate", "closure"])
@pytest.mark.parametrize("sample", ["data", "z", "tt", "w"])
def test_files_without_any_event_are_one_line(tmp_path, sample, stage, caplog):
    """A selection that no event passes leaves files without rows; a background may be one."""
    found = samples() | {
        "w_data": toys.columns(1200, 3, w=True, **OTHER), "w": toys.columns(3000, 4, w=True),
        "tt": toys.columns(800, 5, sigma=60.0),
    }  # fmt: skip
    found["tt"]["weight"] *= 0.1
    chosen = settings(backgrounds=["tt"], apply={"w": "w_data"})
    whole = write(tmp_path, found)
    if stage == "closure":
        calibrate(tmp_path, whole, chosen)
    (tmp_path / "empty").mkdir()
    files = write(
        tmp_path / "empty",
        found | {sample: {name: values[:0] for name, values in found[sample].items()}},
    )
    work = calibrate if stage == "calibrate" else closure
    if sample == "tt":
        work(tmp_path, files, chosen)
        assert "background tt: no event with a boson, nothing to subtract" in caplog.text
        return
    with pytest.raises(UserError, match=f"sample {sample} has no event with a boson") as caught:
        work(tmp_path, files, chosen)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sample", ["data", "z", "tt"])
def test_weights_of_zero_are_one_line(tmp_path, sample):
    found = samples() | {"tt": toys.columns(800, 5)}
    found[sample]["weight"][:] = 0.0
    with pytest.raises(UserError, match=f"weights of sample {sample} add up to 0, expected a pos"):
        calibrate(tmp_path, write(tmp_path, found), settings(backgrounds=["tt"]))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"backgrounds": ["tt", "t"]}, "calibration.backgrounds is 't', allowed: data, tt, z"),
        ({"apply": {"w": "data"}}, "calibration.apply is 'w', allowed: data, tt, z"),
        ({"data": "date"}, "calibration.data is 'date', of which there are no estimates"),
    ],
)
def test_a_misspelled_sample_is_not_none_in_silence(tmp_path, changes, says):
    files = write(tmp_path, samples() | {"tt": toys.columns(800, 5)})
    with pytest.raises(UserError, match=says):
        calibrate(tmp_path, files, settings(**changes))


@pytest.mark.parametrize("names", [["pff"], ["pf", "pff"]])
def test_a_misspelled_estimator_does_not_switch_closure_off(tmp_path, names):
    files = write(tmp_path, samples())
    calibrate(tmp_path, files, settings())
    chosen = settings(closure={"estimators": names, "qt_ranges": [], "permutations": 200})
    with pytest.raises(UserError, match=r"closure\.estimators is 'pff', allowed: pf; did you mean"):
        closure(tmp_path, files, chosen)
    assert not (tmp_path / "closure.json").exists()


def merged(*folders: Path) -> subprocess.CompletedProcess:
    """Merge documents with correctionlib's own command."""
    files = [folder / "corrections.json.gz" for folder in folders]
    code = "import sys; from correctionlib.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, "merge", *map(str, files)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_documents_of_two_trainings_merge_where_names_hold_the_training(tmp_path):
    made = {}
    for names in ("estimator", "training"):
        for training in ("one", "two"):
            folder = made[names, training] = tmp_path / f"{names}_{training}"
            folder.mkdir()
            files = write(folder, samples(), training)
            calibrate(folder, files, settings(names=names))
    refused = merged(made["estimator", "one"], made["estimator", "two"])
    assert refused.returncode == 1
    done = merged(made["training", "one"], made["training", "two"])
    assert done.returncode == 0, done.stderr
    whole = correctionlib.CorrectionSet.from_string(done.stdout)
    alone = correctionlib.CorrectionSet.from_file(
        str(made["estimator", "one"] / "corrections.json.gz")
    )
    assert set(whole) == {f"{training}.{name}" for training in ("one", "two") for name in alone}
    found = whole["two.pf_xy_x"].evaluate("data", "nominal", 20.0)
    assert found == alone["pf_xy_x"].evaluate("data", "nominal", 20.0)
    # closure and the example of the documentation find the longer names
    folder = made["training", "one"]
    files = [folder / "data.parquet", folder / "z.parquet"]
    verdict = closure(folder, files, settings(names="training"))
    assert verdict["tests"]
    example = Path(__file__).parents[2] / "docs/apply_corrections.py"
    done = subprocess.run(
        [sys.executable, example, folder / "corrections.json.gz", "one.pf"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_number_of_vertices_that_is_none_leaves_ptmiss_as_it_is(tmp_path):
    calibrate(tmp_path, write(tmp_path, samples()), settings())
    made = correctionlib.CorrectionSet.from_file(str(tmp_path / "corrections.json.gz"))
    none = np.array([np.nan, np.inf, -np.inf])
    for axis in "xy":
        for systematic in ("nominal", "stat_up", "stat_down"):
            found = made[f"pf_xy_{axis}"].evaluate("data", systematic, none)
            assert found.tolist() == [0.0, 0.0, 0.0]


def test_a_file_without_a_single_group_of_rows_has_no_events(tmp_path):
    (whole,) = write(tmp_path, {"data": toys.columns(10, 1)})
    path = tmp_path / "none.parquet"
    with pq.ParquetWriter(path, pq.read_schema(whole)):
        pass
    (source,) = sources([path], ())
    events, factor = load(source, ("pf",), None, 1)
    assert (events.size, factor) == (0, 1.0)
    assert events.met["pf"].shape == (2, 0)
