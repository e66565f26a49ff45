"""Estimates of varied candidates: exact numbers, networks, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import helper

from graph_toys import random_model
from models import LIMITS, OUTPUT, pf_model
from ptmiss.core.errors import UserError
from ptmiss.core.hashing import event_hash
from ptmiss.core.io import parquet
from ptmiss.core.ragged import Ragged
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.settings.models import ModelLimits
from ptmiss.tasks.met.estimators.evaluate import NO_MODELS, Models, estimate_all, evaluate
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings
from ptmiss.tasks.met.variations.estimate import Varied
from ptmiss.tasks.met.variations.names import VARIATIONS
from ptmiss.tasks.met.variations.run import Sections, vary
from ptmiss.tasks.met.variations.shift import shifts
from toys import make_toy, toy_skim
from variation_toys import DIRECTION, MUON, candidates, flat, settings

FOLDS = FoldSettings(train=(0, 1, 2, 3, 4), validation=(5,), test=(6, 7, 8, 9))
CLASSICAL = ("pf", "chs", "puppi", "oracle")
ESTIMATORS = EvaluateSettings(estimators=CLASSICAL, external={}, limits=ModelLimits(**LIMITS))
SMALL = {"pileup": 3.0, "per_collision": 10.0, "per_hard": 10.0}


def network(model: onnx.ModelProto) -> NetworkEstimator:
    return NetworkEstimator(onnx_file.accept(model, "model.onnx"), 1)


def varied(events: Ragged, how, networks=None) -> Varied:
    n = events.n_events
    ones = np.ones(n, dtype=np.uint64)
    who = event_hash(ones, ones, np.arange(n, dtype=np.uint64))
    nominal, weights = estimate_all(events, CLASSICAL, networks or {})
    return Varied(events, shifts(events, who, how), nominal, weights, networks or {})


def test_a_jet_a_lepton_and_a_photon_3_4_5() -> None:
    photon = {"pt": 10.0, "phi": DIRECTION, "eta": 2.0, "pdg_id": 22, "puppi": 0.5, "truth": 0.0}
    events = candidates([{}, {**MUON, "phi": DIRECTION, "eta": -2.0, "pt": 25.0}, photon])
    how = flat(jes=0.02, unclustered=0.1, muon=0.04)
    one = varied(events, how, {"deepmet": network(pf_model())})

    def met(variation: str, estimator: str) -> list[float]:
        results = one.estimate(variation)[0]
        return [float(results[f"{estimator}_p{axis}"][0]) for axis in "xy"]

    for name in ("pf", "chs", "deepmet"):
        assert met("jes_up", name) == pytest.approx([-51.6, -68.8], abs=1e-4)
        assert met("jes_down", name) == pytest.approx([-50.4, -67.2], abs=1e-4)
        assert met("lepton_scale_up", name) == pytest.approx([-51.6, -68.8], abs=1e-4)
        assert met("unclustered_photon_up", name) == pytest.approx([-51.6, -68.8], abs=1e-4)
        assert met("unclustered_neutral_up", name) == pytest.approx([-51.0, -68.0], abs=1e-4)
    assert met("unclustered_photon_up", "puppi") == pytest.approx([-48.3, -64.4], abs=1e-4)
    assert met("unclustered_photon_up", "oracle") == pytest.approx([-45.0, -60.0], abs=1e-4)


@pytest.fixture(scope="module")
def toy_events() -> Ragged:
    toy = make_toy(25, 5, selected=True, **SMALL)
    columns = {f"cand_{name}": values for name, values in toy.candidates.items()}
    hard = (np.abs(columns["cand_pdg_id"]) == 13) & (columns["cand_pt"] > 10)
    return Ragged(toy.offsets, {**columns, "cand_pinned": hard})


def squared() -> onnx.ModelProto:
    """A model whose result is no sum over candidates: the square of the plain sum."""
    model = pf_model()
    last = model.graph.node[-1]
    assert list(last.output) == [OUTPUT]
    last.output[0] = "sum"
    model.graph.node.append(helper.make_node("Mul", ["sum", "sum"], [OUTPUT]))
    return model


@pytest.mark.parametrize(
    ("model", "adds_up"),
    [
        (random_model(is_log=True), True),
        (random_model("shipped"), True),
        (pf_model(1, 400, pad_bias=0.01), True),
        (squared(), False),
    ],
    ids=["ours", "with a constant", "fixed slots", "no sum"],
)
def test_running_on_what_moved_equals_running_on_everything(
    toy_events: Ragged, model, adds_up: bool, caplog: pytest.LogCaptureFixture
) -> None:
    runs = network(model)
    one = varied(toy_events, settings(), {"x": runs})
    assert ("not a sum over candidates" in caplog.text) is not adds_up
    some = ("jes_up", "jer_down", "unclustered_charged_up", "unclustered_forward_down",
            "lepton_scale_up")  # fmt: skip
    for variation in some:
        results, after, members = one.estimate(variation)
        columns = {name: values.copy() for name, values in toy_events.columns.items()}
        for name in ("cand_pt", "cand_mass"):
            columns[name][members] = after[name]
        whole, _ = estimate_all(Ragged(toy_events.offsets, columns), CLASSICAL, {"x": runs})
        for name, values in results.items():
            scale = np.abs(whole[name]).max()
            np.testing.assert_allclose(values, whole[name], atol=2e-5 + 3e-6 * scale, err_msg=name)
        nominal, _ = estimate_all(toy_events, CLASSICAL, {"x": runs})
        moved = [name for name in results if not np.allclose(results[name], nominal[name], 1e-9)]
        assert {"pf_px", "x_py"} <= set(moved) or variation.endswith("forward_down")


def test_without_any_uncertainty_every_estimator_is_the_nominal_one_exactly(toy_events) -> None:
    networks = {"x": network(random_model())}
    nominal, _ = estimate_all(toy_events, CLASSICAL, networks)
    one = varied(toy_events, flat(), networks)
    for variation in VARIATIONS:
        results = one.estimate(variation)[0]
        assert set(results) == set(nominal)
        for name, values in nominal.items():
            assert np.array_equal(results[name], values), (variation, name)


def test_up_and_down_of_sums_are_opposite(toy_events) -> None:
    nominal, _ = estimate_all(toy_events, CLASSICAL, {})
    one = varied(toy_events, settings())
    for variation in VARIATIONS[::2]:
        up = one.estimate(variation)[0]
        down = one.estimate(variation[:-2] + "down")[0]
        for name, values in nominal.items():
            np.testing.assert_allclose(up[name] + down[name], 2 * values, atol=1e-3)


def described(path: Path, **metadata: str) -> Path:
    table = pq.read_table(path)
    said = {**{k.decode(): v.decode() for k, v in table.schema.metadata.items()}, **metadata}
    parquet.write(path, table.replace_schema_metadata(said), 15)
    return path


@pytest.fixture
def skim(tmp_path: Path) -> Path:
    toy_skim(tmp_path / "skim.parquet", n_events=40, **SMALL)
    return described(tmp_path / "skim.parquet", selection="zmumu")


def run(skim: Path, variations=VARIATIONS, models: Models = NO_MODELS, **changes):
    files = {name: skim.with_name(f"{name}.parquet") for name in variations}
    vary(skim, "mixed", files, Sections(settings(**changes), ESTIMATORS, FOLDS), models)
    return {name: pq.read_table(path) for name, path in files.items()}


def nominal_of(skim: Path, models: Models = NO_MODELS) -> pa.Table:
    out = skim.with_name("nominal.parquet")
    evaluate(skim, "mixed", ESTIMATORS, out, models)
    return pq.read_table(out)


def test_files_are_estimates_of_the_test_folds(skim: Path) -> None:
    nominal = nominal_of(skim)
    tested = nominal.filter(np.isin(nominal["fold"].to_numpy(), FOLDS.test))
    assert 0 < tested.num_rows < 40
    for name, table in run(skim).items():
        assert table.schema.equals(nominal.schema)
        said = {k.decode(): v.decode() for k, v in table.schema.metadata.items()}
        before = {k.decode(): v.decode() for k, v in nominal.schema.metadata.items()}
        assert said == {**before, "variation": name}
        fixed = [column for column in table.column_names if not column.startswith(CLASSICAL)]
        if name.startswith("lepton"):
            fixed = [column for column in fixed if not column.startswith("boson")]
        assert table.select(fixed).equals(tested.select(fixed))
        assert not table.equals(tested)


def test_all_folds_where_the_settings_say_so(skim: Path) -> None:
    assert run(skim, ("jes_up",), folds="all")["jes_up"].num_rows == 40


def test_the_recoil_stays_where_it_is_when_its_muons_move(skim: Path) -> None:
    nominal = nominal_of(skim)
    found = run(skim, ("lepton_scale_up",), folds="all",
                lepton_scale={"electron": 0.0, "muon": 0.1})["lepton_scale_up"]  # fmt: skip
    for axis in "xy":
        # the toy's boson is the true one, its muons are measured
        step = found[f"boson_p{axis}"].to_numpy() - nominal[f"boson_p{axis}"].to_numpy()
        assert np.abs(step).max() > 1.0
        np.testing.assert_allclose(step, 0.1 * nominal[f"boson_p{axis}"].to_numpy(), atol=0.3)
        for name in CLASSICAL:
            moved = found[f"{name}_p{axis}"].to_numpy() - nominal[f"{name}_p{axis}"].to_numpy()
            np.testing.assert_allclose(moved, -step, atol=1e-4)


def test_without_a_boson_only_estimates_change(tmp_path: Path) -> None:
    toy_skim(tmp_path / "skim.parquet", n_events=20, **SMALL)
    skim = described(tmp_path / "skim.parquet", selection="none")
    found = run(skim, ("lepton_scale_up",), folds="all")["lepton_scale_up"]
    assert found["boson_px"].equals(pq.read_table(skim)["boson_px"])


def test_a_network_and_an_external_model_are_varied_too(skim: Path, tmp_path: Path) -> None:
    (tmp_path / "own.onnx").write_bytes(random_model().SerializeToString())
    (tmp_path / "pf.onnx").write_bytes(pf_model().SerializeToString())
    models = Models(tmp_path / "own.onnx", {"theirs": tmp_path / "pf.onnx"}, 1)
    nominal = nominal_of(skim, models)
    tested = nominal.filter(np.isin(nominal["fold"].to_numpy(), FOLDS.test))
    found = run(skim, ("jes_up",), models)["jes_up"]
    np.testing.assert_allclose(found["theirs_px"], found["pf_px"].to_numpy(), atol=1e-3)
    assert np.abs(found["deepmet_px"].to_numpy() - tested["deepmet_px"].to_numpy()).max() > 0.1


def test_an_empty_skim_and_one_without_test_events_give_empty_files(skim: Path) -> None:
    table = pq.read_table(skim)
    learnt = table.filter(np.isin(table["fold"].to_numpy(), FOLDS.train))
    for kept in (learnt, table.slice(0, 0)):
        parquet.write(skim, kept)
        assert run(skim, ("jer_up",))["jer_up"].num_rows == 0


def test_data_and_unknown_variations_are_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    toy_skim(tmp_path / "skim.parquet", n_events=4, is_data=True, **SMALL)
    with pytest.raises(UserError, match="recorded events are not varied"):
        run(tmp_path / "skim.parquet")
    with pytest.raises(UserError, match="'jec_up': not known"):
        run(tmp_path / "skim.parquet", ("jec_up",))
    assert [path.name for path in tmp_path.glob("*.parquet")] == ["skim.parquet"]


def test_the_same_skim_gives_the_same_bytes(skim: Path) -> None:
    run(skim, ("jer_up",))
    first = skim.with_name("jer_up.parquet").read_bytes()
    run(skim, ("jer_down", "jer_up"))
    assert skim.with_name("jer_up.parquet").read_bytes() == first
