"""Friend trees: aligned with their input, with the numbers of the analyst's library."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
import uproot
import yaml

from correction_toys import write_corrections
from models import LIMITS, pf_model
from nanoaod_toys import write_nanoaod
from ptmiss.analysis.corrections import Boson, load
from ptmiss.core.errors import UserError
from ptmiss.core.settings.base import from_mapping
from ptmiss.tasks.met.calibration.names import SYSTEMATICS
from ptmiss.tasks.met.estimators.evaluate import Models, evaluate
from ptmiss.tasks.met.estimators.stage import ModelFiles
from ptmiss.tasks.met.friends.names import form, met_names
from ptmiss.tasks.met.friends.stage import Outputs, What, apply, check_friend
from ptmiss.tasks.met.settings.apply import SUFFIX, ApplySettings
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings
from skims import CONFIG, sample_of, settings_of, skim
from toys import write_pfnano

EVALUATE = EvaluateSettings.model_validate_json(
    json.dumps({"estimators": ["pf", "chs", "puppi"], "external": {}, "limits": LIMITS})
)
ESTIMATORS = ("puppi", "pf", "deepmet", "deepmet_resolution", "stored_raw_pf")
N = 400


@pytest.fixture(scope="module")
def corrections(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("corrections") / "corrections.json.gz"
    write_corrections(path, ESTIMATORS)
    return path


def settings(**changes) -> ApplySettings:
    values = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["apply"]
    return from_mapping(ApplySettings, values | {"samples": ["test"]} | changes, "apply")


def friend(
    ntuple: Path, corrections: Path, *, model=None, external=(), apply_to=None, **sample
) -> Path:
    """Make the friend of a file and return it."""
    chosen = settings(**(apply_to or {}))
    what = What(
        "test", "0000", "classical", sample_of(**{"source": "nanoaod", **sample}), settings_of(),
        chosen,
    )  # fmt: skip
    path = ntuple.with_name(f"{ntuple.stem}.friend.{SUFFIX[chosen.format]}")
    outputs = Outputs(path, path.with_suffix(".json"))
    apply(str(ntuple), str(corrections), what, EVALUATE, ModelFiles(model, external, 1), outputs)
    return path


def read(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return {name: table[name].to_numpy() for name in table.column_names}
    with uproot.open(path) as file:
        arrays = file["Friends"].arrays()
        return {name: np.asarray(arrays[name]) for name in arrays.fields}


def branches(path: Path, *names: str) -> list[np.ndarray]:
    with uproot.open(path) as file:
        return [file["Events"][name].array(library="np") for name in names]


@pytest.mark.parametrize("kind", SUFFIX)
def test_a_friend_has_all_events_in_their_order(tmp_path, corrections, kind):
    write_nanoaod(tmp_path / "z.root", N, 3)
    path = friend(tmp_path / "z.root", corrections, apply_to={"format": kind}, selection="zmumu")
    found = read(path)
    for name in ("run", "luminosityBlock", "event"):
        (own,) = branches(tmp_path / "z.root", name)
        np.testing.assert_array_equal(found[name], own)
        assert found[name].dtype == own.dtype
    check_friend(str(path), str(tmp_path / "z.root"), "nanoaod")
    names = {"CalibratedPuppiMET", "CalibratedPFMET", "CalibratedDeepMETResolution"}
    assert {name.partition("_")[0] for name in found if "MET" in name} == names
    for name in names:
        assert {f"{name}_{a}{form(v)}" for a in ("pt", "phi") for v in SYSTEMATICS} <= set(found)
    assert "CalibratedPuppiMET_ptUnclusteredUp" in found
    assert not found["recoilMapped"].any()
    ledger = json.loads(path.with_suffix(".json").read_text())
    assert ledger["events"] == {"in": N, "kept": N, "rejected": {}}


def test_a_friend_opens_as_a_root_friend_would(tmp_path, corrections):
    write_nanoaod(tmp_path / "z.root", N, 3)
    path = friend(tmp_path / "z.root", corrections)
    with uproot.open(path) as file:
        assert file["Friends"].num_entries == N
        about = json.loads(str(file["about"]))
    assert about["input"]["name"] == "z.root"
    again = path.read_bytes()
    friend(tmp_path / "z.root", corrections)
    assert path.read_bytes() == again


@pytest.mark.parametrize("is_data", [False, True])
def test_without_a_boson_numbers_are_those_of_the_library(tmp_path, corrections, is_data):
    write_nanoaod(tmp_path / "z.root", N, 3, is_data=is_data)
    found = read(friend(tmp_path / "z.root", corrections, is_data=is_data))
    pt, phi, n_pv = branches(tmp_path / "z.root", "PuppiMET_pt", "PuppiMET_phi", "PV_npvs")
    met = load(corrections, "puppi", "data" if is_data else "simulation")
    for variation in met.variations:
        expected = met.correct(pt, phi, n_pv, None, variation)
        same(found, "CalibratedPuppiMET", form(variation), expected)
    if not is_data:
        up = branches(tmp_path / "z.root", "PuppiMET_ptJESUp", "PuppiMET_phiJESUp")
        same(found, "CalibratedPuppiMET", "JESUp", met.correct(*up, n_pv))
    assert ("CalibratedPuppiMET_ptJESUp" in found) != is_data


def same(found, name, ending, expected):
    np.testing.assert_allclose(found[f"{name}_pt{ending}"], expected.pt, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found[f"{name}_phi{ending}"], expected.phi, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("w", [False, True])
def test_with_a_boson_the_recoil_is_mapped_as_in_the_library(tmp_path, corrections, w):
    def spoil(made):
        made["Muon"]["pfRelIso04_all"] = made["Muon"]["pfRelIso04_all"] + np.where(
            np.arange(N) % 2, 0.0, 9.0
        ).astype(np.float32)

    truth = write_nanoaod(tmp_path / "z.root", N, 3, w=w, edit=spoil)
    selection = "wmunu" if w else "zmumu"
    path = friend(
        tmp_path / "z.root", corrections, apply_to={"recoil": ["test"]}, selection=selection
    )
    found = read(path)
    table, _ = skim(tmp_path / "z.root", tmp_path, source="nanoaod", selection=selection)
    mapped = np.isin(found["event"], table["event"].to_numpy())
    assert 0.2 * N < mapped.sum() <= N // 2
    np.testing.assert_array_equal(found["recoilMapped"], mapped)
    pt, phi, n_pv = branches(tmp_path / "z.root", "PFMET_pt", "PFMET_phi", "PV_npvs")
    met = load(corrections, "pf")
    whole = truth.boson[:, mapped]
    seen = whole - truth.gen_met[:, mapped]
    boson = Boson(
        np.hypot(*whole), np.arctan2(*whole[::-1]), table["n_jets"].to_numpy(),
        np.hypot(*seen), np.arctan2(*seen[::-1]),
    )  # fmt: skip
    for variation in met.variations:
        expected = met.correct(pt[mapped], phi[mapped], n_pv[mapped], boson, variation)
        own = found[f"CalibratedPFMET_pt{form(variation)}"][mapped]
        # the boson of a friend is that of leptons in single precision
        np.testing.assert_allclose(own, expected.pt, rtol=1e-4, atol=2e-3)
        rest = met.correct(pt[~mapped], phi[~mapped], n_pv[~mapped], None, variation)
        own = found[f"CalibratedPFMET_pt{form(variation)}"][~mapped]
        np.testing.assert_allclose(own, rest.pt, rtol=1e-6)
    moved = met.correct(pt[mapped], phi[mapped], n_pv[mapped])
    assert np.abs(found["CalibratedPFMET_pt"][mapped] - moved.pt).max() > 1.0


def test_variations_move_the_right_way(tmp_path, corrections):
    write_nanoaod(tmp_path / "z.root", N, 3)
    found = read(friend(tmp_path / "z.root", corrections))
    name = "CalibratedPuppiMET"
    ways = "", "StatUp", "StatDown", "FormUp"
    x = {way: found[f"{name}_pt{way}"] * np.cos(found[f"{name}_phi{way}"]) for way in ways}
    # the offset is subtracted: where it is larger by 0.5 GeV, what is left is smaller by that
    np.testing.assert_allclose(x["StatUp"] - x[""], -0.5, atol=1e-4)
    np.testing.assert_allclose(x["StatDown"] - x[""], 0.5, atol=1e-4)
    np.testing.assert_array_equal(x["FormUp"], x[""])
    pt, phi, n_pv = branches(tmp_path / "z.root", "PuppiMET_pt", "PuppiMET_phi", "PV_npvs")
    np.testing.assert_allclose(x[""], pt * np.cos(phi) - 1.0 - 0.1 * n_pv, atol=1e-4)
    jes = [found[f"{name}_pt{way}"] for way in ("JESUp", "", "JESDown")]
    assert np.mean(jes[0]) > np.mean(jes[1]) > np.mean(jes[2])


def test_a_network_and_sums_are_those_of_evaluate(tmp_path, corrections):
    write_pfnano(tmp_path / "z.root", 60, 1)
    onnx.save(pf_model(), tmp_path / "model.onnx")
    path = friend(
        tmp_path / "z.root", corrections, model=str(tmp_path / "model.onnx"), source="pfnano"
    )
    found = read(path)
    skim(tmp_path / "z.root", tmp_path)
    models = Models(tmp_path / "model.onnx", {}, 1)
    evaluate(tmp_path / "events.parquet", "t", EVALUATE, tmp_path / "e.parquet", models)
    table = pq.read_table(tmp_path / "e.parquet")
    n_pv = table["n_pv"].to_numpy()
    for estimator, name in met_names(("puppi", "pf", "deepmet", "stored_raw_pf"), "").items():
        px, py = (table[f"{estimator}_p{axis}"].to_numpy().astype(float) for axis in "xy")
        expected = load(corrections, estimator).correct(np.hypot(px, py), np.arctan2(py, px), n_pv)
        same(found, f"Calibrated{name}", "", expected)
    assert {name for name in found if name.endswith("_sumPt")} == {
        "CalibratedPFMET_sumPt", "CalibratedPuppiMET_sumPt",
    }  # fmt: skip
    assert (found["CalibratedPFMET_sumPt"] > found["CalibratedPuppiMET_sumPt"]).all()
    ledger = json.loads(path.with_suffix(".json").read_text())["candidates"]
    assert ledger["in"] == ledger["kept"] > 0


def test_the_friend_of_another_file_is_refused(tmp_path, corrections):
    write_nanoaod(tmp_path / "a.root", 50, 3)
    write_nanoaod(tmp_path / "b.root", 50, 4, first=51)
    write_nanoaod(tmp_path / "c.root", 40, 3)
    path = str(friend(tmp_path / "a.root", corrections))
    check_friend(path, str(tmp_path / "a.root"), "nanoaod")
    with pytest.raises(UserError, match=r"entry 0 is run 1, lumi 1, event 1, which .*b.root"):
        check_friend(path, str(tmp_path / "b.root"), "nanoaod")
    with pytest.raises(UserError, match=r"has 50 events, .*c.root has 40, so it is the friend"):
        check_friend(path, str(tmp_path / "c.root"), "nanoaod")
    with pytest.raises(UserError, match="no tree 'Friends'"):
        check_friend(str(tmp_path / "a.root"), str(tmp_path / "a.root"), "nanoaod")


def test_values_that_are_no_numbers_stay_and_are_counted(tmp_path, corrections):
    def spoil(made):
        made["DeepMETResolutionTune_phi"][::10] = np.nan

    write_nanoaod(tmp_path / "z.root", N, 3, edit=spoil)
    path = friend(tmp_path / "z.root", corrections)
    found = read(path)
    assert np.isnan(found["CalibratedDeepMETResolution_pt"]).sum() == N // 10
    assert np.isfinite(found["CalibratedPuppiMET_pt"]).all()
    ledger = json.loads(path.with_suffix(".json").read_text())
    assert ledger["stored_mets_not_finite"] == {"deepmet_resolution": N // 10}


def test_an_empty_file_has_an_empty_friend(tmp_path, corrections):
    write_nanoaod(tmp_path / "z.root", 10, 3)
    with uproot.open(tmp_path / "z.root") as file:
        kinds = {name: np.dtype("f4") for name in ("PuppiMET_pt", "PuppiMET_phi")}
        assert set(kinds) < set(file["Events"].keys())
    with uproot.recreate(tmp_path / "none.root") as file:
        file.mktree("Events", kinds)
    path = friend(tmp_path / "none.root", corrections)
    found = read(path)
    assert found["event"].size == 0
    assert "CalibratedPuppiMET_ptStatUp" in found


@pytest.mark.parametrize(
    ("changes", "sample", "says"),
    [
        ({"estimators": ["pupi"]}, {}, "apply.estimators is 'pupi'.*puppi"),
        ({"estimators": ["deepmet"]}, {}, "z.root: apply.estimators is 'deepmet', allowed: "),
        ({"recoil": ["test"]}, {}, "selection 'none' leave no boson"),
        (
            {"recoil": ["test"]},
            {"is_data": True, "selection": "zmumu"},
            "recorded collisions leave",
        ),
    ],
)
def test_what_cannot_be_is_one_line_and_no_file(tmp_path, corrections, changes, sample, says):
    write_nanoaod(tmp_path / "z.root", 20, 3)
    with pytest.raises(UserError, match=says) as error:
        friend(tmp_path / "z.root", corrections, apply_to=changes, **sample)
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["z.root"]


def test_names_of_columns():
    names = ("puppi", "pf", "raw_pf", "deepmet", "deepmet_response", "stored_puppi", "my_net")
    assert list(met_names(names, "").values()) == [
        "PuppiMET", "PFMET", "RawPFMET", "DeepMET", "DeepMETResponse", "StoredPuppiMET", "MyNetMET",
    ]  # fmt: skip
    assert [form(v) for v in ("nominal", "stat_up", "jes_down")] == ["", "StatUp", "JESDown"]
    with pytest.raises(UserError, match="estimators my_net and my__net: the columns of both"):
        met_names(("my_net", "my__net"), "X")
