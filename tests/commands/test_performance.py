from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import performance_toys as toys
from command_modules import command
from ptmiss.core.errors import UserError
from ptmiss.core.settings.base import to_json
from ptmiss.tasks.met.report import tables as report_tables

SCRIPT = Path(__file__).parents[2] / "scripts" / "performance.py"
FOLDS = json.dumps({"train": [0, 1, 2, 3, 4], "validation": [5], "test": [6, 7, 8, 9]})
SETTINGS = to_json(toys.settings(replicas=30))


def _main(
    estimates, folder: Path, settings: str = SETTINGS, learnt: tuple[str, ...] = ()
) -> tuple[Path, Path]:
    outputs = _outputs(folder)
    arguments = [text for flag, path in outputs.items() for text in (f"--{flag}", str(path))]
    command("performance", "--estimates", *estimates, "--folds", FOLDS, "--settings", settings,
            "--learnt", *learnt, *arguments)  # fmt: skip
    return outputs["table"], outputs["headline"]


def _outputs(folder: Path) -> dict[str, Path]:
    names = {
        flag: folder / f"classical.{flag}.csv"
        for flag in ("gains", "spectra", "roc", "slices", "coverage")
    }
    return {
        "table": folder / "classical.csv", **names,
        "headline": folder / "classical.headline.json",
    }  # fmt: skip


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


def test_the_other_tables(estimates, tmp_path):
    _, headline = _main(estimates, tmp_path)
    frames = {name: pd.read_csv(path) for name, path in _outputs(tmp_path).items()
              if path.suffix == ".csv"}  # fmt: skip
    assert list(frames["gains"].columns[:5]) == [
        "sample", "variation", "estimator", "over", "axis"
    ]  # fmt: skip
    assert set(frames["gains"]["over"]) == {"pf", "puppi", "limit"}
    spectra = frames["spectra"]
    assert set(spectra["spectrum"]) == {"met", "gen_met", "mt"}
    assert set(spectra[spectra["spectrum"] == "mt"]["sample"]) == {"wmunu"}
    area = ((spectra["bin_high"] - spectra["bin_low"]) * spectra["value"]).groupby(
        [spectra["sample"], spectra["estimator"], spectra["spectrum"]]
    )
    np.testing.assert_allclose(area.sum(), 1.0)
    roc = frames["roc"]
    assert set(zip(roc["signal"], roc["background"], strict=True)) == {("wmunu", "zmumu")}
    assert (roc[roc["threshold"] == 0.0][["signal_efficiency", "background_efficiency"]] == 1).all(
        axis=None
    )
    assert {"mt_width", "mt_edge"} <= set(frames["table"]["quantity"])
    samples = {one["sample"]: one for one in json.loads(headline.read_text())["samples"]}
    areas = {one["estimator"]: one for one in samples["wmunu"]["roc"]}
    assert set(areas) == {"pf", "puppi", "oracle"}
    assert 0.5 < areas["pf"]["low"] < areas["pf"]["value"] < areas["oracle"]["value"] < 1.0
    assert samples["zmumu"]["roc"] == []


def test_slices_are_what_a_sample_of_their_events_gives(estimates, tmp_path):
    everything = to_json(toys.settings(replicas=30, slices={"all": "n_pv >= 0", "low": "n_pv<20"}))
    _main(estimates, tmp_path, everything)
    table, slices = (pd.read_csv(tmp_path / name) for name in
                     ("classical.csv", "classical.slices.csv"))  # fmt: skip
    assert list(slices.columns) == ["slice", *table.columns]
    same = slices[slices["slice"] == "all"].drop(columns="slice").reset_index(drop=True)
    kept = table[table["axis"].isin(["all", "qt", "n_pv", "gen_ht", "gen_met"])]
    kept = kept[~kept["quantity"].str.startswith("mt_")].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, kept)
    low = slices[(slices["slice"] == "low") & (slices["axis"] == "n_pv")]
    assert (low[low["bin_low"] >= 21.5]["n_events"] == 0).all()
    assert low[low["bin_low"] == 13.5]["value"].notna().any()


def test_a_networks_recoil_is_rescaled_where_the_training_learned_from_a_sample(tmp_path, caplog):
    columns = toys.toy(3000, estimators={"puppi": (0.9, 18.0), "deepmet": (0.9, 12.0)})
    other = toys.toy(1000, 2, "none", {"puppi": (0.9, 18.0), "deepmet": (0.9, 12.0)})
    paths = [
        toys.write(tmp_path / "z.parquet", columns),
        toys.write(tmp_path / "t.parquet", other, sample="ttbar", selection="none"),
    ]
    (tmp_path / "plain").mkdir()
    table, _ = _main(paths, tmp_path / "plain")
    assert set(report_tables.read([table])["estimator"]) == {"puppi", "deepmet"}
    with caplog.at_level("INFO"):
        table, headline = _main(paths, tmp_path, learnt=("zmumu", "ttbar"))
    assert "deepmet_rescaled: 0." in caplog.text
    warnings = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert not [line for line in warnings if "rescaled" in line]
    frame = report_tables.read([table])
    assert set(frame["estimator"]) == {"puppi", "deepmet", "deepmet_rescaled"}
    rescaled = frame[frame["estimator"] == "deepmet_rescaled"]
    assert set(rescaled["sample"]) == {"zmumu"}
    response = frame[
        (frame["sample"] == "zmumu") & (frame["axis"] == "qt") & (frame["quantity"] == "response")
    ].set_index(["estimator", "bin_low", "bin_high"])["value"]
    low, high = (
        response["deepmet_rescaled", a, b] / response["deepmet", a, b]
        for a, b in ((0, 10), (50, 80))
    )
    # 12 GeV of noise: the best factor of a small recoil is small, of a large one nearly 1 / 0.9
    assert low < 0.8
    assert high == pytest.approx(1.0, abs=0.12)
    gains = pd.read_csv(_outputs(tmp_path)["gains"])
    beyond = gains[gains["over"] == "deepmet_rescaled"]
    assert set(beyond["estimator"]) == {"deepmet"}
    samples = {one["sample"]: one for one in json.loads(headline.read_text())["samples"]}
    assert "deepmet_rescaled" in samples["zmumu"]["estimators"]
    assert "deepmet_rescaled" not in samples["ttbar"]["estimators"]
    forms = {(one["form"], one["of"]) for one in samples["zmumu"]["forms"]}
    assert len(forms) == 6
    assert {one["form"] for one in samples["ttbar"]["forms"]} == {"own_response", "plateau"}
    assert [one["bin_high"] for one in samples["zmumu"]["response_qt"]] == [10, 20, 30, 50, 80]
    # what stood there before is as it was: one form, over the estimators of the settings
    assert {one["over"] for one in samples["zmumu"]["gains"]} == {"puppi"}


def test_a_network_without_events_to_rescale_it_is_said(tmp_path, caplog):
    columns = toys.toy(400, kind="none", estimators={"puppi": (0.9, 18.0), "deepmet": (0.9, 9.0)})
    path = toys.write(tmp_path / "t.parquet", columns, sample="ttbar", selection="none")
    table, _ = _main([path], tmp_path, learnt=("ttbar",))
    assert "no deepmet_rescaled: none of ttbar has enough events with a boson" in caplog.text
    assert "deepmet_rescaled" not in table.read_text()


def test_stored_estimates_are_measured_masked_and_counted(tmp_path, caplog):
    columns = toys.toy(2000)
    for axis in ("px", "py"):
        columns[f"stored_deepmet_response_{axis}"] = columns[f"pf_{axis}"].astype("float32")
    columns["stored_deepmet_response_px"][::40] = np.nan
    path = toys.write(tmp_path / "a.parquet", columns)
    table, headline = _main([path], tmp_path)
    frame = pd.read_csv(table)
    assert set(frame["estimator"]) == {"pf", "puppi", "oracle", "stored_deepmet_response"}
    bad = int((columns["fold"][::40] >= 6).sum())
    found = json.loads(headline.read_text())["samples"][0]["estimators"]
    assert found["stored_deepmet_response"]["non_finite"] == bad > 0
    assert f"zmumu, nominal: {bad} of " in caplog.text
    assert "stored_pf" not in found


def test_recorded_events_skip_what_needs_the_truth_and_say_so(tmp_path, caplog):
    columns = toys.toy(1500)
    for name in ("gen_met_px", "gen_met_py", "gen_ht"):
        del columns[name]
    path = toys.write(tmp_path / "a.parquet", columns, is_data="true")
    table, _ = _main([path], tmp_path)
    assert "zmumu, nominal: no true pTmiss, so what needs it is left out" in caplog.text
    frame = pd.read_csv(table)
    assert set(frame["axis"]) == {"all", "qt", "n_pv", "n_pv_low_qt", "n_pv_high_qt"}
    assert frame[frame["axis"] == "all"]["n_events"].max() == 1500  # recorded: all folds
    spectra = pd.read_csv(tmp_path / "classical.spectra.csv")
    assert set(spectra["spectrum"]) == {"met"}


def test_order_of_the_files_and_cores_do_not_matter(estimates, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = _main(estimates, tmp_path / "a")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    two = _main(estimates[::-1], tmp_path / "b")
    assert one[0].parent != two[0].parent
    for first in _outputs(one[0].parent).values():
        assert first.read_bytes() == (two[0].parent / first.name).read_bytes(), first.name


def test_a_users_mistake_is_one_line_and_leaves_no_file(estimates, tmp_path):
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(estimates[0].read_bytes()[:-500])
    table = tmp_path / "out.csv"
    done = subprocess.run(
        [sys.executable, SCRIPT, "--estimates", estimates[1], broken, "--folds", FOLDS,
         "--settings", SETTINGS, "--table", table,
         *(text for flag in ("gains", "spectra", "roc", "slices", "coverage", "headline")
           for text in (f"--{flag}", tmp_path / f"out.{flag}"))],
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
        ("met_edges", [5, 10, 20], "the first edge must be 0"),
        ("slices", {"two": "n_jets => 2"}, "position 8: found '=>', expected comparisons"),
        ("slices", {"Two": "n_jets >= 2"}, "allowed pattern"),
    ],
)
def test_settings_that_cannot_be_are_refused(estimates, tmp_path, key, value, text):
    from ptmiss.core.errors import UserError

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


def test_all_weights_zero_is_one_line(tmp_path):
    """Before: tables without a number, and no word."""
    columns = toys.toy(200)
    columns["weight"] = np.zeros(200)
    path = toys.write(tmp_path / "a.parquet", columns)
    with pytest.raises(UserError, match="all weights of sample zmumu are 0"):
        _main([path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_events_of_several_parts_are_counted(tmp_path):
    columns = toys.toy(200)
    paths = [toys.write(tmp_path / f"{i}.parquet", columns, str(i)) for i in "01"]
    _, headline = _main(paths, tmp_path)
    (sample,) = json.loads(headline.read_text())["samples"]
    assert sample["repeated"] == 200
