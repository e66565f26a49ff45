from __future__ import annotations

import io
import json
import math

import numpy as np
import pandas as pd
import pytest

import performance_toys as toys
from ptmiss.tasks.met.performance import tables
from ptmiss.tasks.met.performance.layouts import GAINS, PERFORMANCE
from ptmiss.tasks.met.performance.measure import measure
from ptmiss.tasks.met.performance.resolution import Measured, Value

SETTINGS = toys.settings(replicas=60)


@pytest.fixture(scope="module", params=["dilepton", "w", "none"])
def sample(request):
    kind = request.param
    chunk = toys.chunk(toys.toy(4000, kind=kind), kind=kind)
    names = tuple(toys.ESTIMATORS)
    parts = measure(lambda: [chunk], names, SETTINGS)
    source = toys.source(kind, "wmunu" if kind == "w" else "none", names)
    return kind, source, parts, [Measured(parts, e, SETTINGS) for e in range(len(names))]


def _frame(sample) -> pd.DataFrame:
    _, source, parts, measured = sample
    return pd.read_csv(io.StringIO(_text(source, parts, measured)))


def _text(source, parts, measured) -> str:
    return PERFORMANCE.csv(tables.rows(tables.items(source, parts, measured)))


def test_each_number_stands_once(sample):
    frame = _frame(sample)
    assert not frame.duplicated(PERFORMANCE.key).any()
    assert not frame["axis"].str.startswith("plateau").any()
    expected = {
        "dilepton": {"response", "sigma_par", "sigma_perp", "sigma_xy", "sigma_met", "bias_x"},
        "w": {"response", "response_met", "sigma_par", "sigma_perp", "sigma_xy", "sigma_met"},
        "none": {"response", "sigma_xy", "sigma_met", "sigma_xy_rms_bincorr", "bias_y"},
    }[sample[0]]
    assert expected <= set(frame["quantity"])
    if sample[0] == "none":
        assert "sigma_par" not in set(frame["quantity"])
        assert "qt" not in set(frame["axis"])


def test_values_lie_within_their_intervals_and_empty_bins_are_listed(sample):
    frame = _frame(sample)
    full = frame[frame["value"].notna()]
    assert ((full["err_low"] <= full["value"]) & (full["value"] <= full["err_high"])).mean() > 0.97
    empty = frame[frame["value"].isna()]
    assert len(empty) > 0
    assert empty["err_low"].isna().all()
    assert frame["n_events"].notna().all()
    few = frame[frame["n_events"] < SETTINGS.min_events]
    assert few["value"].isna().all()


def test_text_has_no_nan_and_gives_the_same_numbers_back(sample):
    _, source, parts, measured = sample
    text = _text(source, parts, measured)
    assert "nan" not in text.lower()
    number = parts.grid.find("all", -math.inf, math.inf)
    value = measured[1].quantities(number)["sigma_met"].values[0]
    frame = _frame(sample)
    row = frame[(frame["axis"] == "all") & (frame["quantity"] == "sigma_met")]
    assert row[row["estimator"] == "puppi"]["value"].item() == value


def test_headline_has_gains_over_both_baselines(sample):
    kind, source, parts, measured = sample
    found = tables.headline(source, parts, measured, SETTINGS)
    json.dumps(found, allow_nan=False)
    pairs = {(g["estimator"], g["over"]) for g in found["gains"]}
    assert pairs == {("pf", "puppi"), ("puppi", "pf"), ("oracle", "pf"), ("oracle", "puppi")}
    quantities = {g["quantity"] for g in found["gains"]}
    assert (
        quantities
        == {
            "dilepton": {"sigma_par", "sigma_perp"},
            "w": {"sigma_par", "sigma_perp", "sigma_xy"},
            "none": {"sigma_xy"},
        }[kind]
    )
    assert found["estimators"]["pf"]["response"]["value"] == pytest.approx(0.9, abs=0.02)
    for one in found["gains"]:
        assert one["low"] < one["value"] < one["high"]
        if one["quantity"] == "sigma_perp":
            ranges = (one["axis"], one["bin_low"], one["bin_high"])
            assert ranges == ("qt", 0.0, 150.0)
    if kind == "dilepton":
        one = next(
            g for g in found["gains"]
            if (g["estimator"], g["over"], g["quantity"]) == ("oracle", "puppi", "sigma_perp")
        )  # fmt: skip
        truth = 1.0 - 8.0 / (18.0 / 0.8)
        assert one["low"] < truth < one["high"] or one["value"] == pytest.approx(truth, abs=0.02)


def test_headline_of_a_sample_without_events():
    chunk = toys.chunk(
        toys.select(toys.toy(10, estimators={"pf": (1.0, 9.0)}), np.zeros(10, dtype=bool))
    )
    parts = measure(lambda: [chunk], ("pf",), SETTINGS)
    source = toys.source("zmumu", "zmumu", ("pf",))
    found = tables.headline(source, parts, [Measured(parts, 0, SETTINGS)], SETTINGS)
    assert found["n_events"] == 0
    assert found["gains"] == []


def test_a_value_without_interval_has_empty_bounds():
    head, n = ("zmumu",), 3
    values = [None, np.array([1.5, np.nan, np.nan]), np.array([0.1, 1.0, 3.0])]
    rows = list(tables.rows((head, Value(one, n)) for one in values))
    assert rows[0] == pytest.approx(("zmumu", *[math.nan] * 3, 3), nan_ok=True)
    assert rows[1] == pytest.approx(("zmumu", 1.5, math.nan, math.nan, 3), nan_ok=True)
    assert rows[2] == pytest.approx(("zmumu", 0.1, 1.32, 2.68, 3))


def test_gains_have_rows_of_their_own(sample):
    _, source, parts, measured = sample
    found = list(tables.gain_items(source, parts, measured, ("pf", "puppi")))
    keys = [head for head, _ in found]
    assert len(set(keys)) == len(keys)
    assert {len(key) for key in keys} == {len(GAINS.names) - 4}
    assert {key[3] for key in keys} == {"pf", "puppi", "limit"}
    assert not {key[4] for key in keys} & {"plateau_qt", "piece_qt", "plateau_gen_met"}


def test_headline_says_shares_corrections_and_empty_bins(sample):
    kind, source, parts, measured = sample
    found = tables.headline(source, parts, measured, SETTINGS)
    assert {one["over"] for one in found["limit"]} == {"limit"}
    assert {one["estimator"] for one in found["limit"]} == {"pf"}
    assert {one["quantity"] for one in found["limit"]} == {g["quantity"] for g in found["gains"]}
    corrected = {one["quantity"] for one in found["gains_bincorr"]}
    assert corrected == (set() if kind == "none" else {"sigma_par_bincorr", "sigma_perp_bincorr"})
    if kind == "dilepton":  # the response is the same in all bins
        pf = found["estimators"]["pf"]
        assert pf["sigma_perp_bincorr"]["value"] == pytest.approx(
            pf["sigma_perp"]["value"], rel=0.03
        )
    listed = {(one["axis"], one["bin_low"], one["bin_high"]) for one in found["empty_bins"]}
    assert ("n_pv", 35.5, 40.6) in listed
    assert all(one["effective_events"] < SETTINGS.min_events for one in found["empty_bins"])
    assert found["empty_bins"][0]["estimators"] == list(toys.ESTIMATORS)
    for number, item in enumerate(parts.grid.bins):
        if not item.hidden and (item.axis, item.low, item.high) not in listed:
            assert measured[0].effective(number) >= SETTINGS.min_events
