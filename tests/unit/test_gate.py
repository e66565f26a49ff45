from __future__ import annotations

import pytest

from ptmiss.errors import UserError
from ptmiss.gate import accept, verdict
from ptmiss.settings.base import from_mapping
from ptmiss.settings.gate import GateSettings

SETTINGS = from_mapping(
    GateSettings, {"response_low": 0.8, "response_high": 1.2, "require": True}, "gate"
)


def sample(name, response, gain_high, estimator="deepmet"):
    """A headline's entry of a sample with true pTmiss; response None: too few events."""
    return {
        "sample": name,
        "estimators": {"pf": {}, estimator: {"response_met": {"value": response}}},
        "gains": [
            {"estimator": estimator, "over": "pf", "quantity": "sigma_xy", "high": gain_high},
            {"estimator": "puppi", "over": "pf", "quantity": "sigma_xy", "high": -1.0},
        ],
    }


def judged(*samples):
    return verdict({"training": "mine", "samples": list(samples)}, SETTINGS)


DILEPTON = {"sample": "zmumu", "estimators": {"deepmet": {"response": {"value": 1.0}}}, "gains": []}


def test_a_good_network_passes():
    found = judged(DILEPTON, sample("ttbar", 0.95, 0.2))
    assert found["passed"]
    assert [test["quantity"] for test in found["tests"]] == ["response_met", "gain over pf"]


@pytest.mark.parametrize("response", [0.14, 0.79, 1.21])
def test_a_response_far_from_1_is_refused(response):
    found = judged(DILEPTON, sample("wmunu", 1.0, 0.2), sample("ttbar", response, 0.2))
    assert not found["passed"]
    with pytest.raises(UserError, match=r"sample ttbar: response_met is .*, allowed 0\.8 to 1\.2"):
        accept([found], require=True)


def test_the_limits_belong_to_the_allowed_range():
    assert judged(sample("ttbar", 0.8, 0.0))["passed"]
    assert judged(sample("ttbar", 1.2, 0.0))["passed"]


def test_a_resolution_worse_than_pf_beyond_doubt_is_refused():
    assert judged(sample("ttbar", 1.0, 0.01))["passed"]
    assert not judged(sample("ttbar", 1.0, -0.01))["passed"]


def test_z_alone_is_never_enough():
    found = judged(DILEPTON)
    assert not found["passed"]
    with pytest.raises(UserError, match="no sample with real missing momentum"):
        accept([found], require=True)
    assert not judged(DILEPTON, sample("ttbar", None, None))["passed"]


def test_a_run_without_a_network_has_nothing_to_be_judged():
    assert judged(sample("ttbar", 0.1, -0.5, estimator="puppi"))["passed"]


def test_a_refusal_can_be_made_a_warning():
    bad = judged(sample("ttbar", 0.1, -0.5))
    problems = accept([bad], require=False)
    assert len(problems) == 2
    with pytest.raises(UserError, match=r"and 1 more"):
        accept([bad], require=True)
