"""Two PUPPI weights in a skim, and every model gets the one it was made for."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import helper

from interpretation_toys import linear_model
from interpretation_toys import settings as interpret_settings
from models import LIMITS, OUTPUT, constant, pf_model
from ptmiss.core.errors import UserError
from ptmiss.core.io import parquet
from ptmiss.core.ragged import from_arrow, to_arrow
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.settings.models import ModelLimits
from ptmiss.tasks.met.estimators.evaluate import Models, evaluate
from ptmiss.tasks.met.estimators.network import CMSSW_RULES, RULES_KEY, NetworkEstimator
from ptmiss.tasks.met.interpretation.run import Outputs, interpret
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings
from ptmiss.tasks.met.variations.run import Sections, vary
from skims import skim as skim_of
from toys import make_toy, toy_skim, write_pfnano
from variation_toys import settings as vary_settings

SMALL = {"pileup": 2.0, "per_collision": 5.0, "per_hard": 5.0}
EVALUATE = EvaluateSettings(estimators=("pf", "puppi"), external={}, limits=ModelLimits(**LIMITS))
FOLDS = FoldSettings.model_construct(train=(), validation=(), test=tuple(range(10)))


def puppi_model(flavour: str | None) -> onnx.ModelProto:
    """Minus the sum of (PUPPI weight it is fed) x (px, py); metadata with a flavour, or none."""
    model = pf_model()
    del model.graph.node[:]
    model.graph.node.extend(
        [
            helper.make_node("Slice", ["input", "first", "last", "axis"], ["p"]),
            helper.make_node("Slice", ["input", "puppi_first", "puppi_last", "axis"], ["w"]),
            helper.make_node("Mul", ["p", "w"], ["weighed"]),
            helper.make_node("ReduceSum", ["weighed", "candidates"], ["seen"], keepdims=0),
            helper.make_node("Neg", ["seen"], [OUTPUT]),
        ]
    )
    model.graph.initializer.extend([constant("puppi_first", [5]), constant("puppi_last", [6])])
    if flavour is not None:
        rules = {"dz_limit": 1e6, "unknown_codes": False, "use_puppi": True}
        helper.set_model_props(model, {RULES_KEY: json.dumps(rules | {"puppi_flavour": flavour})})
    return model


@pytest.fixture
def skim(tmp_path: Path) -> Path:
    """Muons have weight 1 without leptons and 0 in the standard flavour; the first has 100 GeV."""
    path = tmp_path / "skim.parquet"
    toy_skim(path, 20, 3, **SMALL)
    table = pq.read_table(path)
    columns = from_arrow(table, ["cand_pt", "cand_pdg_id", "cand_puppi"])
    muon = np.abs(columns["cand_pdg_id"]) == 13
    pt, own, standard = (columns[f"cand_{name}"].copy() for name in ("pt", "puppi", "puppi"))
    pt[np.flatnonzero(muon)[0]] = 100.0
    own[muon], standard[muon] = 1.0, 0.0
    for name, values in (("pt", pt), ("puppi", own), ("puppi_standard", standard)):
        place = table.schema.get_field_index(f"cand_{name}")
        array = to_arrow(values, columns.offsets, pa.float32())
        table = table.set_column(place, table.schema.field(place), array)
    parquet.write(path, table)
    return path


def save(folder: Path, name: str, flavour: str | None) -> Path:
    path = folder / f"{name}.onnx"
    path.write_bytes(puppi_model(flavour).SerializeToString())
    return path


def without_the_other(skim: Path) -> Path:
    table = pq.read_table(skim).drop_columns(["cand_puppi_standard"])
    parquet.write(skim.with_name("one.parquet"), table)
    return skim.with_name("one.parquet")


def expected(skim: Path, column: str) -> np.ndarray:
    table = pq.read_table(skim)
    cands = from_arrow(table, ["cand_pt", "cand_phi", column])
    px = cands["cand_pt"].astype(np.float64) * np.cos(cands["cand_phi"].astype(np.float64))
    return -np.add.reduceat(px * cands[column], cands.offsets[:-1])


def test_a_muon_of_100_gev_gets_to_a_graph_without_metadata_as_cmssw_feeds_it(
    skim: Path, tmp_path: Path
) -> None:
    models = Models(
        None,
        {
            "cms": save(tmp_path, "cms", None),
            "ours": save(tmp_path, "ours", "no_lepton"),
            "standard": save(tmp_path, "standard", "standard"),
        },
        threads=1,
    )
    evaluate(skim, "t", EVALUATE, tmp_path / "estimates.parquet", models)
    found = pq.read_table(tmp_path / "estimates.parquet")
    own, standard = expected(skim, "cand_puppi"), expected(skim, "cand_puppi_standard")
    np.testing.assert_allclose(found["puppi_px"], own, atol=1e-4)
    np.testing.assert_allclose(found["ours_px"], own, atol=1e-3)
    np.testing.assert_allclose(found["cms_px"], standard, atol=1e-3)
    np.testing.assert_allclose(found["standard_px"], standard, atol=1e-3)
    moved = np.hypot(*(found[f"cms_p{a}"].to_numpy() - found[f"ours_p{a}"] for a in "xy"))
    assert moved.max() > 70


@pytest.mark.parametrize("slots", ["N", 4500])
def test_vary_uses_the_same_choice(skim: Path, tmp_path: Path, slots: str | int) -> None:
    model = puppi_model(None)
    for value in model.graph.input:
        if isinstance(slots, int):
            value.type.tensor_type.shape.dim[1].dim_value = slots
    (tmp_path / "cms.onnx").write_bytes(model.SerializeToString())
    models = Models(None, {"cms": tmp_path / "cms.onnx"}, 1)
    files = {name: tmp_path / f"{name}.parquet" for name in ("lepton_scale_up", "jes_up")}
    vary(skim, "t", files, Sections(vary_settings(folds="all"), EVALUATE, FOLDS), models)
    muons_moved = pq.read_table(files["lepton_scale_up"])
    # the standard weight of the muons is 0: moving them changes the other flavour only
    np.testing.assert_allclose(
        muons_moved["cms_px"], expected(skim, "cand_puppi_standard"), atol=1e-3
    )
    evaluate(skim, "t", EVALUATE, tmp_path / "estimates.parquet", models)
    nominal = pq.read_table(tmp_path / "estimates.parquet")
    assert np.abs(muons_moved["puppi_px"].to_numpy() - nominal["puppi_px"].to_numpy()).max() > 0.05


def weight_of_muons(skim: Path, flavour: str, tmp_path: Path) -> float:
    """Return the mean weight of muons in a network whose weight is the PUPPI weight it sees."""
    model = linear_model(puppi=1.0, pinned_pt=1e5)
    (entry,) = [entry for entry in model.metadata_props if entry.key == RULES_KEY]
    entry.value = json.dumps({**json.loads(entry.value), "puppi_flavour": flavour})
    outputs = Outputs(*(tmp_path / name for name in ("weights.csv", "importance.csv", "d.json")))
    accepted = onnx_file.accept(model, "m.onnx")
    interpret([skim], accepted, interpret_settings(FOLDS, min_candidates=2), 1, outputs)
    with open(outputs.weights, newline="") as file:
        (row,) = [
            row
            for row in csv.DictReader(file)
            if (row["estimator"], row["group"], row["axis"]) == ("deepmet", "muon", "all")
        ]
    return float(row["value"])


def test_interpret_uses_the_same_choice(skim: Path, tmp_path: Path) -> None:
    assert weight_of_muons(skim, "no_lepton", tmp_path) == pytest.approx(1.0, abs=0.01)
    assert weight_of_muons(skim, "standard", tmp_path) == pytest.approx(0.0, abs=0.01)
    with pytest.raises(UserError, match="wants 'standard'"):
        weight_of_muons(without_the_other(skim), "standard", tmp_path)


def test_a_skim_with_the_wrong_flavour_alone_is_refused_in_one_line(
    skim: Path, tmp_path: Path
) -> None:
    one, out = without_the_other(skim), tmp_path / "e.parquet"
    models = Models(None, {"cms": save(tmp_path, "cms", None)}, threads=1)
    with pytest.raises(UserError, match=r"one\.parquet: .*cms\.onnx wants 'standard'") as caught:
        evaluate(one, "t", EVALUATE, out, models)
    assert "\n" not in str(caught.value)
    assert not out.exists()
    with pytest.raises(UserError, match="wants 'standard'"):
        vary(
            one, "t", {"jes_up": out}, Sections(vary_settings(folds="all"), EVALUATE, FOLDS), models
        )
    ours = Models(None, {"ours": save(tmp_path, "ours", "no_lepton")}, threads=1)
    evaluate(one, "t", EVALUATE, out, ours)
    assert out.exists()


def test_rules_of_a_file() -> None:
    assert CMSSW_RULES.puppi_flavour == "standard"
    rules = NetworkEstimator(onnx_file.accept(puppi_model("standard"), "m"), 1).rules
    assert rules.wanted_puppi == "standard"
    with pytest.raises(UserError, match="not understood"):
        NetworkEstimator(onnx_file.accept(puppi_model("both"), "m"), 1)
    old = puppi_model("standard")
    values = {"dz_limit": 1e6, "unknown_codes": False, "use_puppi": True}
    helper.set_model_props(old, {RULES_KEY: json.dumps(values)})
    assert NetworkEstimator(onnx_file.accept(old, "m"), 1).rules.wanted_puppi == "no_lepton"


def ntuple(path: Path, drop: tuple[str, ...] = ()) -> Path:
    def edit(branches: dict) -> None:
        cands = branches["PFCands"]
        muon = np.abs(cands["pdgId"]) == 13
        cands["puppiWeight"] = np.where(muon, 0.0, cands["puppiWeight"])

    write_pfnano(path, toy=make_toy(12, 3, **SMALL), edit=edit, drop=drop)
    return path


@pytest.mark.parametrize(
    ("drop", "computed"),
    [
        ((), []),
        (("puppiWeight",), ["standard"]),
        (("puppiWeightNoLep",), ["no_lepton"]),
        (("puppiWeight", "puppiWeightNoLep"), ["no_lepton", "standard"]),
    ],
)
def test_a_skim_has_both_flavours(
    tmp_path: Path, drop: tuple[str, ...], computed: list[str]
) -> None:
    file = ntuple(tmp_path / "a.root", tuple(f"PFCands_{name}" for name in drop))
    table, ledger = skim_of(file, tmp_path / "out")
    n = ledger.candidates_kept
    assert ledger.derived == {f"PUPPI weight computed ({flavour})": n for flavour in computed}
    assert table.schema.metadata[b"puppi_flavour"] == b"no_lepton"
    turned = skim_of(file, tmp_path / "turned", {"puppi_flavour": "standard"}).table
    assert turned.schema.metadata[b"puppi_flavour"] == b"standard"
    assert turned["cand_puppi"].equals(table["cand_puppi_standard"])
    assert turned["cand_puppi_no_lepton"].equals(table["cand_puppi"])
    if not drop:
        cands = from_arrow(table, ["cand_pdg_id", "cand_puppi", "cand_puppi_standard"])
        muon = np.abs(cands["cand_pdg_id"]) == 13
        assert (cands["cand_puppi"][muon] == 1).all()
        assert (cands["cand_puppi_standard"][muon] == 0).all()
