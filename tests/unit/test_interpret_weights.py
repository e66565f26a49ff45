"""Mean weights of candidates in bins."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from graph_toys import RULES
from interpretation_toys import linear_model, settings
from ptmiss.core.errors import UserError
from ptmiss.core.io import manifest
from ptmiss.core.ragged import Ragged, segment_sum
from ptmiss.core.stats.bootstrap import copies, interval, streams
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.tasks.met.interpretation.cells import N_GROUPS, Cells
from ptmiss.tasks.met.interpretation.groups import GROUPS, group_of
from ptmiss.tasks.met.interpretation.layouts import IMPORTANCE, WEIGHTS
from ptmiss.tasks.met.interpretation.run import Outputs, interpret
from ptmiss.tasks.met.interpretation.weights import MeanWeights
from ptmiss.tasks.met.report.plots import interpretation as plots
from ptmiss.tasks.met.report.tables import read
from toys import Toy, toy_skim

SMALL = {"pileup": 3.0, "per_collision": 10.0, "per_hard": 10.0}

Run = Callable[..., list[dict[str, str]]]


@pytest.fixture(scope="module")
def skims(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Toy]]:
    folder = tmp_path_factory.mktemp("skims")
    paths = [folder / f"{part}.parquet" for part in range(2)]
    toys = [
        toy_skim(path, 40, 3 + part, part=str(part), rows_per_group=17, **SMALL)
        for part, path in enumerate(paths)
    ]
    return paths, toys


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def made(skims: list[Path], model: onnx.ModelProto, **changes: object) -> list[dict[str, str]]:
        outputs = Outputs(*(tmp_path / name for name in ("w.csv", "i.csv", "d.json")))
        changes = {"min_candidates": 2, **changes}
        interpret(skims, onnx_file.accept(model, "m.onnx"), settings(**changes), 1, outputs)
        with open(tmp_path / "w.csv", newline="") as handle:
            return list(csv.DictReader(handle))

    return made


def one(rows: list[dict[str, str]], **where: str) -> dict[str, str]:
    (found,) = [row for row in rows if all(row[name] == text for name, text in where.items())]
    return found


def test_groups() -> None:
    rows = [
        # pdg_id, charge, from_pv, truth, group with truth, group without
        (211, 1, 3, 1.0, "charged_pv", "charged_pv"),
        (-211, -1, 3, 0.2, "charged_pileup", "charged_pv"),
        (211, 1, 0, 0.9, "charged_pv", "charged_pileup"),
        (211, 1, 2, 0.0, "charged_pileup", "charged_pileup"),
        (22, 0, 3, 1.0, "photon", "photon"),
        (130, 0, 0, 0.0, "neutral_hadron", "neutral_hadron"),
        (1, 0, 0, 0.0, "forward", "forward"),
        (2, 0, 0, 0.0, "forward", "forward"),
        (-13, 1, 3, 1.0, "muon", "muon"),
        (11, -1, 0, 0.0, "electron", "electron"),
        (999, 0, 0, 0.0, None, None),
        (999, 1, 3, 1.0, "charged_pv", "charged_pv"),
    ]
    pdg_id, charge, from_pv, truth, known, unknown = map(list, zip(*rows, strict=True))
    columns = {
        "cand_pdg_id": np.array(pdg_id, np.int16), "cand_charge": np.array(charge, np.int8),
        "cand_from_pv": np.array(from_pv, np.uint8),
    }  # fmt: skip
    offsets = np.array([0, len(rows)])
    for more, expected in (({"cand_truth": np.array(truth, np.float32)}, known), ({}, unknown)):
        found = group_of(Ragged(offsets, {**columns, **more}))
        assert [GROUPS[g] if g >= 0 else None for g in found] == expected


def test_bins_are_half_open_of_absolute_values_and_leave_out_what_has_no_momentum() -> None:
    section = settings(
        pt_edges=[0, 1, 5], abs_eta_edges=[0, 2.5, 5], abs_dz_edges=[0.1, 1], puppi_edges=[0, 1.01]
    ).settings
    cells = Cells(section)
    names = [(cell.axis, cell.low, cell.high) for cell in cells.cells]
    columns = {
        "cand_pt": np.array([1.0, 5.0, 0.0, 0.5]), "cand_eta": np.array([-2.5, 2.4, 0.0, np.nan]),
        "cand_dz": np.array([-0.5, 0.0, 0.0, 1.0]), "cand_puppi": np.array([1.0, 0.0, 0.0, 0.5]),
        "cand_from_pv": np.array([3, 0, 0, 1], np.uint8),
    }  # fmt: skip
    found = cells.numbers(Ragged(np.array([0, 4]), columns))
    axes = ["all", "pt", "abs_eta", "abs_dz", "puppi", "from_pv"]
    in_bins = [
        {axis: names[k][1:] for axis, k in zip(axes, found[:, j], strict=True) if k >= 0}
        for j in range(4)
    ]
    everything = (-np.inf, np.inf)
    assert in_bins == [
        {"all": everything, "pt": (1, 5), "abs_eta": (2.5, 5), "abs_dz": (0.1, 1),
         "puppi": (0, 1.01), "from_pv": (2.5, 3.5)},
        {"all": everything, "abs_eta": (0, 2.5), "puppi": (0, 1.01), "from_pv": (-0.5, 0.5)},
        {},
        {"all": everything, "pt": (0, 1), "puppi": (0, 1.01), "from_pv": (0.5, 1.5)},
    ]  # fmt: skip


def test_a_network_of_known_weights_has_exactly_these_means(skims, run: Run) -> None:
    rows = run(skims[0], linear_model(0.25))
    found = {group: one(rows, estimator="deepmet", group=group, axis="all") for group in GROUPS}
    toys = skims[1]
    for group in ("charged_pv", "charged_pileup", "photon", "neutral_hadron", "forward"):
        bounds = [found[group][name] for name in ("value", "err_low", "err_high")]
        assert bounds == ["0.25"] * 3, group
    n_photons = sum(np.count_nonzero(toy.candidates["pdg_id"] == 22) for toy in toys)
    assert found["photon"]["n_candidates"] == str(n_photons)
    assert found["muon"]["value"] == "1.0"  # pinned
    assert found["electron"] | {"n_candidates": "0", "value": ""} == found["electron"]


def test_means_of_the_estimators_are_those_of_their_columns(skims, run: Run) -> None:
    rows = run(skims[0], linear_model(0.25))
    joined = {
        name: np.concatenate([toy.candidates[name] for toy in skims[1]]).astype(np.float64)
        for name in ("puppi", "truth", "pt", "eta", "pdg_id")
    }
    photon = joined["pdg_id"] == 22
    inside = photon & (np.abs(joined["eta"]) >= 1.0) & (np.abs(joined["eta"]) < 1.5)
    for estimator, name in (("puppi", "puppi"), ("oracle", "truth")):
        row = one(rows, estimator=estimator, group="photon", axis="abs_eta", bin_low="1.0")
        assert float(row["value"]) == pytest.approx(joined[name][inside].mean(), abs=1e-6)
        assert row["n_candidates"] == str(np.count_nonzero(inside))
        assert float(row["err_low"]) < float(row["value"]) < float(row["err_high"])


def test_a_weight_that_follows_puppi(skims, run: Run) -> None:
    rows = run(skims[0], linear_model(0.1, puppi=0.5, gain=100.0))
    for low in ("0.0", "0.2", "0.99"):
        where = {"group": "photon", "axis": "puppi", "bin_low": low}
        puppi = float(one(rows, estimator="puppi", **where)["value"])
        network = float(one(rows, estimator="deepmet", **where)["value"])
        assert network == pytest.approx(0.1 + 0.5 * puppi, abs=1e-4)


def test_the_interval_draws_events_with_the_copies_of_the_other_tables() -> None:
    rng = np.random.default_rng(5)
    offsets = np.array([0, 3, 3, 10, 14])
    weight = rng.integers(0, 16, 14) / 16.0
    state = streams(np.ones(4), np.ones(4), np.arange(4), 11)
    drawn = copies(state, 60)
    means = MeanWeights(Cells(settings().settings), ("deepmet",), 60)
    numbers = np.full((1, 14), 0, np.int16)
    groups = np.zeros(14, np.int8)
    for first in (0, 2):  # in two pieces
        part = slice(offsets[first], offsets[first + 2])
        cut = offsets[first : first + 3] - offsets[first]
        means.add(cut, groups[part], numbers[:, part], weight[None, part], drawn[first : first + 2])
    row = next(iter(means.rows("s", 2)))
    counts = np.diff(offsets) @ drawn.astype(float)
    expected = segment_sum(weight, offsets) @ drawn / np.where(counts > 0, counts, np.nan)
    assert list(row[6:9]) == [expected[0], *interval(expected)]
    assert N_GROUPS == 8


def test_a_bin_of_few_candidates_is_listed_and_empty(skims, run: Run) -> None:
    rows = run(skims[0], linear_model(0.25), min_candidates=10_000)
    assert {row["value"] for row in rows} == {""}
    assert max(int(row["n_candidates"]) for row in rows) > 1000


def test_only_tracks_have_a_vertex(skims, run: Run) -> None:
    rows = run(skims[0], linear_model(0.25))
    groups = {row["group"] for row in rows if row["axis"] in ("from_pv", "abs_dz")}
    assert groups == {"charged_pv", "charged_pileup", "muon", "electron"}


def test_the_order_of_files_does_not_matter(skims, run: Run, tmp_path: Path) -> None:
    model = linear_model(0.1, puppi=0.7, eta=0.02)
    files = [tmp_path / name for name in ("w.csv", "i.csv", "d.json")]
    run(skims[0], model)
    first = [file.read_bytes() for file in files]
    run(skims[0][::-1], model)
    assert [file.read_bytes() for file in files] == first


def test_a_model_without_weights_is_refused(skims, run: Run, tmp_path: Path) -> None:
    from models import pf_model

    with pytest.raises(UserError, match=r"m\.onnx: gives no weights"):
        run(skims[0], pf_model())
    assert not list(tmp_path.iterdir())


def test_a_converted_network_of_ours_has_nothing_to_show(
    skims, run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Before: the run of such a training ended here, after the training."""
    from models import pf_model

    estimate = {"columns": [["px", "GeV"], ["py", "GeV"]], "scale": 50.0}
    own = {"ptmiss.features": RULES, "ptmiss.estimate": json.dumps(estimate)}
    model = pf_model()
    helper.set_model_props(model, own)
    assert run(skims[0], model) == []
    assert "keeps no weights of candidates" in caplog.text
    with open(tmp_path / "i.csv", newline="") as handle:
        assert list(csv.DictReader(handle)) == []
    assert json.loads((tmp_path / "d.json").read_text()) == {"displays": []}
    tables = {"w": WEIGHTS, "i": IMPORTANCE}
    frames = []
    for name, layout in tables.items():
        path = tmp_path / f"net{layout.suffix}"
        (tmp_path / f"{name}.csv").rename(path)
        manifest.record_of(path).unlink(missing_ok=True)
        frames.append(read([path], layout))
    assert [len(frame) for frame in frames] == [0, 0]
    assert not list(plots.weights(frames[0], None))
    assert not list(plots.importance(frames[1], None))
