"""The headline in three forms, and the responses at low recoil, on toys that shrink there."""

from __future__ import annotations

import dataclasses
import functools
import json
import math

import numpy as np
import pytest

import performance_toys as toys
from ptmiss.tasks.met.performance import forms
from ptmiss.tasks.met.performance.measure import measure
from ptmiss.tasks.met.performance.names import FORMS, OWN, OWN_HIGH, PLATEAU, RESCALED
from ptmiss.tasks.met.performance.resolution import Measured

SETTINGS = toys.settings(replicas=60, slices={})
SHRINK = 0.25
"""Factor of the recoil of the toy network below 20 GeV."""


@pytest.fixture(scope="module", params=["dilepton", "w", "none"])
def measured(request):
    return _measured(request.param)


@functools.cache
def _measured(kind):
    made = toys.toy(12000, kind=kind, estimators={"puppi": (1.0, 12.0), "deepmet": (1.0, 12.0)})
    chunk = toys.chunk(made, kind=kind)
    names = ("puppi", "deepmet")
    if kind == "dilepton":
        # the network is PUPPI where there is recoil, and a part of it where there is none
        low = np.hypot(*chunk.boson) < 20.0
        u = -(chunk.met[0] + chunk.boson) * np.where(low, SHRINK, 1.0)
        network = -(u + chunk.boson)
        met = np.stack([chunk.met[0], network, -(0.5 * u + chunk.boson)])
        chunk = dataclasses.replace(chunk, met=met)
        names = (*names, RESCALED)
    parts = measure(lambda: [chunk], names, SETTINGS)
    return kind, parts, [Measured(parts, e, SETTINGS) for e in range(len(names))]


def _by_form(measured, sigma):
    _, parts, values = measured
    found = forms.forms(parts, values, SETTINGS)
    json.dumps(found, allow_nan=False)
    return {one["form"]: one for one in found if one["of"] == sigma}


def _gain(entry, over="puppi"):
    (found,) = [
        one for one in entry["gains"] if (one["estimator"], one["over"]) == ("deepmet", over)
    ]
    return found


def test_forms_come_in_order_and_name_rows_of_the_table(measured):
    kind, parts, values = measured
    found = forms.forms(parts, values, SETTINGS)
    assert [FORMS.index(one["form"]) for one in found] == sorted(
        FORMS.index(one["form"]) for one in found
    )
    expected = {
        "dilepton": {"sigma_par", "sigma_perp"},
        "w": {"sigma_par", "sigma_perp", "sigma_xy"},
        "none": {"sigma_xy"},
    }[kind]
    assert {one["of"] for one in found} == expected
    for one in found:
        low = -math.inf if one["bin_low"] is None else one["bin_low"]
        high = math.inf if one["bin_high"] is None else one["bin_high"]
        number = parts.grid.find(one["axis"], low, high)
        for name, e in zip(parts.estimators, values, strict=True):
            value = e.quantities(number)[one["quantity"]].values
            assert one["estimators"][name]["value"] == (None if value is None else value[0])
        assert one["quantity"] == one["of"] + ("" if one["form"] == PLATEAU else "_bincorr")


def test_shrinking_at_low_recoil_gains_in_the_form_of_the_plateau_alone():
    found = _by_form(_measured("dilepton"), "sigma_perp")
    assert set(found) == set(FORMS)
    ranges = {form: (one["bin_low"], one["bin_high"]) for form, one in found.items()}
    assert ranges == {OWN: (0.0, 150.0), OWN_HIGH: (50.0, 150.0), PLATEAU: (0.0, 150.0)}
    assert _gain(found[PLATEAU])["low"] > 0.1
    # scaled back the same recoil remains, up to the cells of the histograms
    assert _gain(found[OWN])["value"] == pytest.approx(0.0, abs=0.02)
    assert _gain(found[OWN_HIGH])["value"] == 0.0
    for one in found.values():
        assert _gain(one)["low"] <= _gain(one)["value"] <= _gain(one)["high"]


def test_only_the_network_is_compared_with_its_rescaling():
    for one in _by_form(_measured("dilepton"), "sigma_par").values():
        over = {gain["estimator"] for gain in one["gains"] if gain["over"] == RESCALED}
        assert over == {"deepmet"}
        base, own = (one["estimators"][name]["value"] for name in (RESCALED, "deepmet"))
        assert _gain(one, RESCALED)["value"] == pytest.approx(1.0 - own / base)


@pytest.mark.parametrize("kind", ["w", "none"])
def test_a_component_has_no_form_of_high_recoil(kind):
    found = _by_form(_measured(kind), "sigma_xy")
    assert set(found) == {OWN, PLATEAU}
    assert {one["axis"] for one in found.values()} == {"all"}


def test_without_a_boson_there_is_no_response_at_low_recoil():
    _, parts, values = _measured("none")
    assert forms.responses(parts, values, SETTINGS) == []


@pytest.mark.parametrize("kind", ["dilepton", "w"])
def test_responses_are_those_of_the_bins(kind):
    _, parts, values = _measured(kind)
    found = forms.responses(parts, values, SETTINGS)
    edges = [(one["bin_low"], one["bin_high"]) for one in found]
    assert edges == [(0.0, 10.0), (10.0, 20.0), (20.0, 30.0), (30.0, 50.0), (50.0, 80.0)]
    for one in found:
        true = SHRINK if kind == "dilepton" and one["bin_high"] <= 20.0 else 1.0
        network = one["estimators"]["deepmet"]
        assert network["low"] < network["value"] < network["high"]
        # 12 GeV of noise on each of a thousand events
        assert network["value"] == pytest.approx(true, abs=0.15)
        if kind == "dilepton":
            ratio = network["value"] / one["estimators"]["puppi"]["value"]
            assert ratio == pytest.approx(true, abs=1e-6)
