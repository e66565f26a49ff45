"""METs that files store, as estimators of evaluate, performance, uncertainty and calibration."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import performance_toys
from calibration_toys import settings as calibration_settings
from models import LIMITS
from nanoaod_toys import WIDTHS, write_nanoaod
from ptmiss.core.errors import UserError
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.calibration.inputs import load_inputs
from ptmiss.tasks.met.estimators.evaluate import evaluate
from ptmiss.tasks.met.performance.run import Outputs, performance
from ptmiss.tasks.met.performance.stream import sources
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings
from ptmiss.tasks.met.settings.uncertainty import UncertaintySettings
from ptmiss.tasks.met.uncertainty.run import uncertainty
from skims import skim
from toys import write_pfnano

FOLDS = FoldSettings(train=(), validation=(), test=tuple(range(10)))
CLASSICAL = EvaluateSettings.model_validate_json(
    json.dumps({"estimators": ["pf", "puppi"], "external": {}, "limits": LIMITS})
)
SETTINGS = performance_toys.settings(
    qt_edges=[0, 20, 300], qt_ranges=[[0, 300]], headline_qt=[0, 300],
    headline_high_qt=[0, 300], replicas=30, min_events=10,
    slices={}, stored=["pf", "puppi"],
)  # fmt: skip


def estimates(folder: Path, name: str = "mc", *, drop: tuple[str, ...] = (), **options) -> Path:
    """Write toy NanoAOD, skim and evaluate it; drop: branches to leave out."""
    (folder / name).mkdir()

    def edit(made):
        for branch in drop:
            del made[branch]
        if options.get("spoil"):
            made["DeepMETResponseTune_phi"][::10] = np.nan

    toy = {key: value for key, value in options.items() if key != "spoil"}
    write_nanoaod(folder / f"{name}.root", edit=edit, **toy)
    sample = {"source": "nanoaod", "selection": "zmumu", "is_data": toy.get("is_data", False)}
    skim(folder / f"{name}.root", folder / name, **sample)
    table = pq.read_table(folder / name / "events.parquet")
    said = {**table.schema.metadata, b"sample": name.encode(), b"label": name.encode()}
    pq.write_table(table.replace_schema_metadata(said), folder / name / "named.parquet")
    out = folder / f"{name}.parquet"
    evaluate(folder / name / "named.parquet", "classical", CLASSICAL, out)
    return out


def measured(folder: Path, *files: Path) -> pd.DataFrame:
    names = ("table", "gains", "spectra", "roc", "slices", "coverage", "headline")
    performance(files, FOLDS, SETTINGS, Outputs(*(folder / name for name in names)))
    return pd.read_csv(folder / "table")


def test_stored_mets_are_the_estimators(tmp_path):
    path = estimates(tmp_path, n=40)
    table = pq.read_table(path)
    (source,) = sources([path], ("pf",))
    assert set(source.estimators) == set(WIDTHS)
    assert not [name for name in table.column_names if name.startswith(("stored_", "cand_"))]
    skimmed = pq.read_table(tmp_path / "mc/events.parquet")
    for name in (*WIDTHS, "puppi_jes_up", "pf_unclustered_down"):
        np.testing.assert_array_equal(
            table[f"{name}_px"].to_numpy(), skimmed[f"stored_{name}_px"].to_numpy().astype(float)
        )


def test_not_finite_is_counted_and_left_out_alone(tmp_path):
    path = estimates(tmp_path, n=300, spoil=True)
    bad = int(np.isnan(pq.read_table(path)["deepmet_response_px"].to_numpy()).sum())
    assert bad > 10
    measured(tmp_path, path)
    (sample,) = json.loads((tmp_path / "headline").read_text())["samples"]
    assert sample["estimators"]["deepmet_response"]["non_finite"] == bad
    assert sample["estimators"]["puppi"]["non_finite"] == 0


def test_widths_are_those_that_were_put_in(tmp_path):
    path = estimates(tmp_path, n=4000, response=1.0)
    frame = measured(tmp_path, path)
    rows = frame[(frame["axis"] == "all") & (frame["quantity"] == "sigma_perp_raw")]
    found = dict(zip(rows["estimator"], rows["value"], strict=True))
    table = pq.read_table(path)
    boson = np.stack([table[f"boson_p{axis}"].to_numpy() for axis in "xy"])
    across = np.stack([-boson[1], boson[0]]) / np.hypot(*boson)
    for name, width in WIDTHS.items():
        met = np.stack([table[f"{name}_p{axis}"].to_numpy() for axis in "xy"])
        low, high = np.quantile((met * across).sum(axis=0), [0.16, 0.84])
        assert found[name] == pytest.approx(0.5 * (high - low), rel=0.02)
        assert found[name] == pytest.approx(0.94 * width, rel=0.08)  # of many numbers of vertices


def test_no_weights_and_no_model_without_candidates(tmp_path):
    estimates(tmp_path, n=10)
    with pytest.raises(UserError, match="has no candidates, so there are no weights"):
        evaluate(
            tmp_path / "mc/named.parquet", "t", CLASSICAL, tmp_path / "o", weights=tmp_path / "w"
        )
    assert not (tmp_path / "o").exists()


def shifts(folder: Path, *files: Path) -> pd.DataFrame:
    frame = measured(folder, *files)
    assert not frame.empty
    wanted = UncertaintySettings(pileup=0.05, axes=("all",), quantities=("response", "mean_met"))
    uncertainty(files, folder / "table", FOLDS, SETTINGS, wanted, folder / "u.csv")
    return pd.read_csv(folder / "u.csv")


def test_uncertainties_are_those_that_the_input_stores(tmp_path, caplog):
    frame = shifts(tmp_path, estimates(tmp_path, n=2000))
    mean = frame[frame["quantity"] == "mean_met"]
    assert set(mean["estimator"]) == {"pf", "puppi"}
    assert "no variation of raw_pf, raw_puppi, deepmet_resolution" in caplog.text
    puppi = mean[mean["estimator"] == "puppi"].set_index("source")
    assert set(puppi.index) == {"jes", "unclustered", "pileup", "systematic", "total"}
    # the toy makes MET larger by 5 and 10 %
    for source, size in (("jes", 0.05), ("unclustered", 0.1)):
        row = puppi.loc[source]
        assert row["up"] == pytest.approx(size * row["nominal"], rel=1e-3)
        assert row["down"] == pytest.approx(-size * row["nominal"], rel=1e-3)
    assert "jes" not in set(mean[mean["estimator"] == "pf"]["source"])


def test_an_event_without_a_finite_variation_keeps_its_estimate(tmp_path):
    path = estimates(tmp_path, n=400)
    table = pq.read_table(path)
    rows = np.arange(table.num_rows) % 2 == 0
    for axis in "xy":
        name = f"puppi_jes_up_p{axis}"
        values = np.where(rows, np.nan, table[name].to_numpy())
        place = table.column_names.index(name)
        table = table.set_column(place, table.schema.field(name), [values])
    pq.write_table(table, tmp_path / "spoilt.parquet")
    found = shifts(tmp_path, tmp_path / "spoilt.parquet")
    found = found[(found["estimator"] == "puppi") & (found["quantity"] == "mean_met")]
    row = found.set_index("source").loc["jes"]
    met = np.hypot(table["puppi_px"].to_numpy(), table["puppi_py"].to_numpy())
    assert row["up"] == pytest.approx(0.05 * met[~rows].sum() / len(met), rel=1e-3)
    assert row["down"] == pytest.approx(-0.05 * row["nominal"], rel=1e-3)


def test_a_stored_weight_takes_the_place_of_another_pileup_profile(tmp_path):
    path = estimates(tmp_path, n=2000)
    table = pq.read_table(path)
    heavy = np.where(table["n_pv"].to_numpy() > 30, 2.0, 1.0)
    for way, values in (("up", heavy), ("down", np.ones(table.num_rows))):
        for name in ("pileup", "trigger"):
            table = table.append_column(f"weight_{name}_{way}", [values])
    pq.write_table(table, tmp_path / "weighted.parquet")
    found = shifts(tmp_path, tmp_path / "weighted.parquet")
    found = found[(found["estimator"] == "puppi") & (found["quantity"] == "mean_met")]
    rows = found.set_index("source")
    met = np.hypot(table["puppi_px"].to_numpy(), table["puppi_py"].to_numpy())
    expected = np.average(met, weights=heavy) - met.mean()
    for name in ("pileup", "trigger"):
        assert rows.loc[name, "up"] == pytest.approx(expected, rel=1e-6)
        assert rows.loc[name, "down"] == pytest.approx(0.0, abs=1e-9)


def test_calibration_reads_the_stored_mets(tmp_path):
    files = [
        estimates(tmp_path, "data", n=300, is_data=True, seed=2),
        estimates(tmp_path, n=300, drop=("DeepMETResponseTune_pt",)),
    ]
    roles = {"data": "data", "simulation": "mc", "backgrounds": [], "apply": {}}
    made = load_inputs(files, FOLDS, calibration_settings(**roles))
    assert set(made.estimators) == set(WIDTHS) - {"deepmet_response"}
    assert not made.simulated
    assert made.dilepton.simulation.size > 200


def pfnano_estimates(folder: Path, name: str, edit=None, **options) -> Path:
    (folder / name).mkdir()
    write_pfnano(folder / f"{name}.root", 200, edit=edit, pileup=2.0, selected=True, **options)
    skim(folder / f"{name}.root", folder / name, selection="zmumu")
    table = pq.read_table(folder / name / "events.parquet")
    said = {**table.schema.metadata, b"sample": name.encode()}
    pq.write_table(table.replace_schema_metadata(said), folder / name / "named.parquet")
    evaluate(folder / name / "named.parquet", "classical", CLASSICAL, folder / f"{name}.parquet")
    return folder / f"{name}.parquet"


def with_pf(made) -> None:
    for field in ("pt", "phi"):
        made[f"MET_{field}"] = made[f"RawMET_{field}"]


def test_with_candidates_both_kinds_are_calibrated_under_names_of_their_own(tmp_path):
    files = [
        pfnano_estimates(tmp_path, name, edit, seed=seed)
        for name, edit, seed in (("data", with_pf, 1), ("mc", with_pf, 2), ("other", None, 3))
    ]
    roles = {"data": "data", "simulation": "mc", "backgrounds": [], "apply": {}}
    made = load_inputs(files[:2], FOLDS, calibration_settings(**roles, stored=["pf", "puppi"]))
    assert made.estimators == ("pf", "puppi", "stored_pf")
    some = calibration_settings(**{**roles, "simulation": "other"})
    assert load_inputs([files[0], files[2]], FOLDS, some).estimators == ("pf", "puppi")


def test_samples_with_and_without_candidates_are_not_compared(tmp_path):
    files = [estimates(tmp_path, n=50), pfnano_estimates(tmp_path, "data")]
    roles = {"data": "data", "simulation": "mc", "backgrounds": [], "apply": {}}
    with pytest.raises(UserError, match=r"data has candidates and mc has none.*source: nanoaod"):
        load_inputs(files, FOLDS, calibration_settings(**roles))


def test_w_of_recorded_events_have_pt_miss_and_a_transverse_mass(tmp_path):
    made = {}
    for name, is_data in (("data", True), ("mc", False)):
        (tmp_path / name).mkdir()
        write_nanoaod(tmp_path / f"{name}.root", 1500, w=True, is_data=is_data)
        sample = {"source": "nanoaod", "selection": "wmunu", "is_data": is_data}
        skim(tmp_path / f"{name}.root", tmp_path / name, **sample)
        evaluate(tmp_path / name / "events.parquet", "c", CLASSICAL, tmp_path / f"{name}.parquet")
        measured(tmp_path, tmp_path / f"{name}.parquet")
        made[name] = pd.read_csv(tmp_path / "spectra"), pd.read_csv(tmp_path / "table")
    shapes = {name: frame[frame["estimator"] == "puppi"] for name, (frame, _) in made.items()}
    assert set(shapes["data"]["spectrum"]) == {"met", "mt"}
    recorded = set(made["data"][0]["estimator"])
    assert "truth" not in recorded
    assert "truth" in set(made["mc"][0]["estimator"])
    # the same events, with and without their truth
    for spectrum in ("met", "mt"):
        rows = [
            frame[frame["spectrum"] == spectrum]["value"].to_numpy() for frame in shapes.values()
        ]
        np.testing.assert_allclose(*rows, rtol=1e-3)
    table = made["data"][1]
    assert {"mt_width", "mt_edge"} <= set(table["quantity"])
    assert not {"response", "sigma_xy"} & set(table["quantity"])
