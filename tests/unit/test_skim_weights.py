"""Weights as analyses apply them: sums from the trees Runs, correctionlib, negative ones."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot

from command_modules import command
from correction_toys import document, lepton, pileup
from nanoaod_toys import write_nanoaod
from ptmiss.core.errors import UserError
from ptmiss.core.settings.base import to_json
from ptmiss.events.columns import content_of
from ptmiss.events.skim.sums import sums, with_sum
from skims import FILE_SAMPLE, sample_of, settings_of, skim
from toys import write_pfnano

NANO = {"source": "nanoaod"}
NO_SUM = {name: value for name, value in FILE_SAMPLE.items() if name != "sum_of_weights"}


def added_up(folder, files, **sample):
    spec = sample_of(**{**NANO, **sample})
    sums([str(file) for file in files], "test", spec, settings_of(), folder / "sums.json")
    return json.loads((folder / "sums.json").read_text())


def runs(folder, *values):
    """Files whose trees Runs say these sums, one list each; None: no tree."""
    paths = [folder / f"{k}.root" for k in range(len(values))]
    for k, (path, value) in enumerate(zip(paths, values, strict=True)):
        write_nanoaod(path, 10, first=1 + 100 * k, runs=value)
    return paths


def test_runs_of_all_files_are_added_up_with_their_signs(tmp_path):
    made = added_up(tmp_path, runs(tmp_path, [1e10, -1.0], [-2.5e9]), sum_of_weights=None)
    assert made == {"sample": "test", "files": 2, "sum_of_weights": 7_499_999_999.0}


def test_the_name_of_older_files(tmp_path):
    write_nanoaod(tmp_path / "a.root", 5)
    with uproot.update(tmp_path / "a.root") as file:
        out = file.mktree("Runs", {"genEventSumw_": np.float64})
        out.extend({"genEventSumw_": np.array([3.0, 4.0])})
    assert added_up(tmp_path, [tmp_path / "a.root"], sum_of_weights=None)["sum_of_weights"] == 7.0


def test_a_file_without_runs_is_one_line_where_the_sum_is_needed(tmp_path):
    paths = runs(tmp_path, [5.0], None)
    with pytest.raises(UserError, match=r"1\.root: no tree Runs with genEventSumw, which") as e:
        added_up(tmp_path, paths, sum_of_weights=None)
    assert "\n" not in str(e.value)
    assert not (tmp_path / "sums.json").exists()
    assert added_up(tmp_path, paths, sum_of_weights=9.0)["sum_of_weights"] is None


@pytest.mark.parametrize(
    ("typed", "fits"), [(1000.0, True), (1009.0, True), (1050.0, False), (10, False)]
)
def test_a_typed_number_that_disagrees_is_an_error(tmp_path, typed, fits):
    paths = runs(tmp_path, [600.0], [400.0])
    if fits:
        assert added_up(tmp_path, paths, sum_of_weights=typed)["sum_of_weights"] == 1000.0
        return
    with pytest.raises(UserError, match=r"its 2 files add up to 1000; leave it out") as caught:
        added_up(tmp_path, paths, sum_of_weights=typed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("values", [[5.0, -5.0], [-1.0], [math.nan], [math.inf]])
def test_a_sum_that_is_none_is_refused(tmp_path, values):
    with pytest.raises(UserError, match="expected a number above 0"):
        added_up(tmp_path, runs(tmp_path, values), sum_of_weights=None)


def test_weights_are_those_of_all_generated_events(tmp_path):
    def signs(made):
        made["genWeight"][:] = np.where(np.arange(10) < 3, -2.0, 2.0)

    write_nanoaod(tmp_path / "0.root", 10, edit=signs, runs=[800.0])
    added_up(tmp_path, [tmp_path / "0.root"], sum_of_weights=None)
    out = tmp_path / "events.parquet"
    command(
        "skim", "--ntuples", tmp_path / "0.root", "--sample", "test", "--part", "0000", "--spec",
        json.dumps({**NO_SUM, **NANO, "cross_section": 4000.0}), "--settings",
        to_json(settings_of()), "--sums", tmp_path / "sums.json", "--events", out,
        "--ledger", tmp_path / "ledger.json",
    )  # fmt: skip
    weight = pq.read_table(out)["weight"].to_numpy()
    np.testing.assert_allclose(weight, np.where(np.arange(10) < 3, -10.0, 10.0))
    ledger = json.loads((tmp_path / "ledger.json").read_text())
    assert ledger["weights"]["in"] == pytest.approx(40.0)


def test_without_the_file_of_the_sum_the_skim_says_what_it_needs(tmp_path):
    write_nanoaod(tmp_path / "0.root", 5)
    with pytest.raises(UserError, match=r"sum_of_weights is left out; give --sums FILE"):
        skim(tmp_path / "0.root", tmp_path, **NANO, sum_of_weights=None)
    added_up(tmp_path, runs(tmp_path, [1.0]), sum_of_weights=None)
    with pytest.raises(UserError, match=r"is of sample test and says 1\.0, expected .* of other"):
        with_sum(sample_of(**NANO, sum_of_weights=None), "other", tmp_path / "sums.json")


def test_who_must_type_the_sum():
    with pytest.raises(UserError, match="files of source 'delphes' do not say it"):
        sample_of(source="delphes", sum_of_weights=None)
    assert sample_of(source="delphes", sum_of_weights=None, is_data=True).sum_of_weights is None
    assert sample_of(**NANO, sum_of_weights=None).needs_sum
    assert sample_of(**NANO, sum_of_weights=5.0).needs_sum
    assert not sample_of(**NANO, sum_of_weights=1.0).needs_sum
    assert not sample_of(**NANO, sum_of_weights=None, is_data=True).needs_sum


# by correctionlib

CHOICE = {"nominal": "nominal", "up": "up", "down": "down"}
PU = {"correction": "PU", "per": "event",
      "inputs": {"NumTrueInteractions": "Pileup_nTrueInt", "weights": CHOICE}}  # fmt: skip
ID = {"correction": "ID", "per": "lepton",
      "inputs": {"abseta": "abs_eta", "pt": "pt", "year": 2022}}  # fmt: skip


def weighted(tmp_path, weights, selection="none", edit=None, **options):
    write_nanoaod(tmp_path / "a.root", 40, edit=edit, **options)
    return skim(tmp_path / "a.root", tmp_path, **NANO, weights=weights, selection=selection)


def test_pileup_weights_and_their_variations(tmp_path):
    def signs(made):
        made["genWeight"][::4] = -1.0

    file = document(tmp_path, pileup())
    table, ledger = weighted(tmp_path, {"pileup": {"file": file, **PU}}, edit=signs)
    factor = np.where(table["n_pv"].to_numpy() < 30, 1.0, 3.0)
    sign = np.where(np.arange(40) % 4 == 0, -1.0, 1.0)
    for column, size in (("weight", 1.0), ("weight_pileup_up", 2.0), ("weight_pileup_down", 0.5)):
        np.testing.assert_allclose(table[column].to_numpy(), size * factor * sign)
    assert content_of(table.schema).weights == ("pileup_up", "pileup_down")
    said = ledger.as_dict()
    assert said["mean_factors"] == {"pileup": pytest.approx(factor.mean())}
    assert said["weights"]["kept"] == pytest.approx(sign.sum())  # of the generator


def test_lepton_weights_multiply_and_vary_one_at_a_time(tmp_path):
    file = document(tmp_path, pileup(), lepton())
    weights = {"pileup": {"file": file, **PU}, "id": {"file": file, **ID}}
    table, _ = weighted(tmp_path, weights, "zmumu")
    alone, _ = weighted(tmp_path, {"pileup": {"file": file, **PU}}, "zmumu")
    ratio = table["weight"].to_numpy() / alone["weight"].to_numpy()
    with uproot.open(tmp_path / "a.root") as tree:
        events = tree["Events"]["event"].array(library="np")
        pt = tree["Events"]["Muon_pt"].array()
    kept = [int(np.flatnonzero(events == event)[0]) for event in table["event"].to_numpy()]
    expected = [math.prod(0.01 * float(one) for one in pt[k]) for k in kept]
    np.testing.assert_allclose(ratio, expected, rtol=1e-5)
    up = table["weight_pileup_up"].to_numpy() / table["weight"].to_numpy()
    np.testing.assert_allclose(up, 2.0)
    assert content_of(table.schema).weights == ("pileup_up", "pileup_down")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"file": "none.json"}, "none.json is no correctionlib file"),
        ({"correction": "PUU"}, "weights.pileup.correction is 'PUU', allowed: PU; did you mean PU"),
        ({"inputs": {"weights": CHOICE}}, r"no NumTrueInteractions \(real\), which PU of"),
        ({"inputs": {**PU["inputs"], "x": 1.0}}, "an input is 'x', allowed: NumTrue"),
        ({"inputs": {**PU["inputs"], "weights": 1.0}}, "PU wants string: give"),
        ({"inputs": {**PU["inputs"], "NumTrueInteractions": CHOICE}}, "PU wants real: give"),
        ({"inputs": {**PU["inputs"], "weights": {"nominal": "sideways"}}}, "refuses .*a.root"),
        ({"inputs": {**PU["inputs"], "NumTrueInteractions": "Pileup_nTrueInts"}},
         "no branch Pileup_nTrueInts, which weights of the sample ask .*Pileup_nTrueInt;"),
        ({"per": "lepton", "inputs": {**PU["inputs"], "NumTrueInteractions": "pt"}},
         "is per lepton, but the selection of the sample has none"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(tmp_path, change, says):
    spec = {"file": document(tmp_path, pileup()), **PU, **change}
    with pytest.raises(UserError, match=says) as caught:
        weighted(tmp_path, {"pileup": spec})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "events.parquet").exists()


def test_values_outside_that_the_file_refuses(tmp_path):
    def far(made):
        made["Pileup_nTrueInt"][3] = 500.0

    spec = {"file": document(tmp_path, pileup(flow="error")), **PU}
    with pytest.raises(UserError, match=r"samples\.test\.weights\.pileup: .* refuses .*a\.root"):
        weighted(tmp_path, {"pileup": spec}, edit=far)


def test_what_settings_refuse(tmp_path):
    spec = {"file": "a.json", **PU}
    with pytest.raises(UserError, match="weights are of simulated events"):
        sample_of(**NANO, is_data=True, weights={"pileup": spec})
    with pytest.raises(UserError, match="give both or none"):
        half = {**PU["inputs"], "weights": {"nominal": "n", "up": "u"}}
        sample_of(**NANO, weights={"pileup": {**spec, "inputs": half}})


def test_files_with_candidates_have_weights_and_sums_too(tmp_path):
    def interactions(made):
        made["Pileup_nTrueInt"] = made["PV_npvs"].astype(np.float32)

    write_pfnano(tmp_path / "a.root", 20, pileup=2.0, edit=interactions)
    spec = {"file": document(tmp_path, pileup()), **PU}
    table, _ = skim(tmp_path / "a.root", tmp_path, weights={"pileup": spec})
    np.testing.assert_allclose(table["weight_pileup_up"].to_numpy(), 2 * table["weight"].to_numpy())
