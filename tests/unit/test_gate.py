from __future__ import annotations

import json
from pathlib import Path

import pytest

import calibration_toys
from command_modules import command
from ptmiss.core.errors import UserError
from ptmiss.core.io import records
from ptmiss.core.settings.base import from_mapping, to_json
from ptmiss.tasks.met.accept import require_none
from ptmiss.tasks.met.gate import Headline, Verdict, judge, problems
from ptmiss.tasks.met.settings.gate import GateSettings

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
    value = {"training": "mine", "samples": list(samples)}
    return judge(records.check(Headline, value, "h.json", "performance"), SETTINGS)


def refuse(verdict):
    require_none([(line, "gate.require", True) for line in problems(verdict)])


DILEPTON = {"sample": "zmumu", "estimators": {"deepmet": {"response": {"value": 1.0}}}, "gains": []}


def test_a_good_network_passes():
    found = judged(DILEPTON, sample("ttbar", 0.95, 0.2))
    assert found.passed
    assert [test.quantity for test in found.tests] == ["response_met", "gain over pf"]


@pytest.mark.parametrize("response", [0.14, 0.79, 1.21])
def test_a_response_far_from_1_is_refused(response):
    found = judged(DILEPTON, sample("wmunu", 1.0, 0.2), sample("ttbar", response, 0.2))
    assert not found.passed
    with pytest.raises(UserError, match=r"sample ttbar: response_met is .*, allowed 0\.8 to 1\.2"):
        refuse(found)


def test_the_limits_belong_to_the_allowed_range():
    assert judged(sample("ttbar", 0.8, 0.0)).passed
    assert judged(sample("ttbar", 1.2, 0.0)).passed


def test_a_resolution_worse_than_pf_beyond_doubt_is_refused():
    assert judged(sample("ttbar", 1.0, 0.01)).passed
    assert not judged(sample("ttbar", 1.0, -0.01)).passed


def test_z_alone_is_never_enough():
    found = judged(DILEPTON)
    assert not found.passed
    with pytest.raises(UserError, match="no sample with real missing momentum"):
        refuse(found)
    assert not judged(DILEPTON, sample("ttbar", None, None)).passed


def test_a_run_without_a_network_has_nothing_to_be_judged():
    assert judged(sample("ttbar", 0.1, -0.5, estimator="puppi")).passed


def test_a_refusal_can_be_made_a_warning():
    bad = judged(sample("ttbar", 0.1, -0.5))
    assert len(problems(bad)) == 2
    require_none([(line, "gate.require", False) for line in problems(bad)])
    with pytest.raises(UserError, match=r"and 1 more\).*gate.require: false turns this"):
        refuse(bad)


def record(**changes):
    """The record of an accepted network, with changes."""
    test = {"sample": "ttbar", "quantity": "response_met", "value": 0.95, "low": 0.8, "high": 1.2,
            "passed": True}  # fmt: skip
    tests = [{**test, **changes.pop("test", {})}]
    good = {"gate": "quality", "training": "mine", "judged": True, "passed": True, "tests": tests}
    return {**good, **changes}


def accepted(folder, *values):
    """Run the command accept on these records; return what it writes."""
    paths = []
    for number, value in enumerate(values):
        paths.append(folder / f"{number}.gate.json")
        paths[-1].write_text(json.dumps(value))
    out = folder / "accepted.json"
    command("accept", "--gates", *paths, "--settings", to_json(SETTINGS), "--accepted", out,
            "--calibration", to_json(calibration_toys.settings()))  # fmt: skip
    return json.loads(out.read_text())


def test_an_accepted_record_is_passed_on_as_it_is(tmp_path):
    silent = {"gate": "quality", "training": "classical", "judged": False, "passed": True,
              "tests": []}  # fmt: skip
    assert accepted(tmp_path, record(), silent) == [record(), silent]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"passed": True}, "gate is missing"),
        (record(passed="false"), "passed is .*Input should be a valid boolean"),
        (record(passed="true"), "passed is .*Input should be a valid boolean"),
        (record(passed=1), "passed is .*Input should be a valid boolean"),
        (record(judged=False), "judged is False with 1 tests"),
        (record(tests=[]), "judged is True with 0 tests"),
        (record(test={"value": 0.1}), "passed is True, which value and limits do not say"),
        (record(test={"value": 0.1, "passed": False}), "which its tests do not say"),
        (record(test={"value": None}), "value is .*Input should be a valid number"),
        (record(gate="closure"), "gate is .*Input should be 'quality'"),
        (record(accepted=True), "accepted is .*Extra inputs are not permitted"),
        ([record()], "the whole is "),
        ("passed", "the whole is "),
        (None, "the whole is "),
    ],
)
def test_a_record_that_is_no_verdict_is_not_accepted(tmp_path, value, says):
    with pytest.raises(UserError, match=says) as caught:
        accepted(tmp_path, value)
    assert "0.gate.json: not what the stage gate writes" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "accepted.json").exists()


def test_a_training_is_accepted_once(tmp_path):
    with pytest.raises(UserError, match="a second record of training 'mine'"):
        accepted(tmp_path, record(), record())


@pytest.mark.parametrize(
    "value",
    [
        {"training": "mine", "samples": []},
        {"training": "mine", "samples": [{"sample": "ttbar", "estimators": {}, "gains": []}]},
        {"samples": [sample("ttbar", 1.0, 0.1)]},
        {"training": "mine", "samples": [sample("ttbar", "1.0", 0.1)]},
        {"training": "mine", "samples": [sample("ttbar", 1.0, 0.1) | {"gains": {}}]},
        [],
    ],
)
def test_headline_numbers_that_are_none_are_not_judged(tmp_path, value):
    path, out = tmp_path / "headline.json", tmp_path / "gate.json"
    path.write_text(json.dumps(value))
    with pytest.raises(UserError, match="not what the stage performance writes") as caught:
        command("gate", "--headline", path, "--settings", to_json(SETTINGS), "--verdict", out)
    assert "\n" not in str(caught.value)
    assert not out.exists()


def test_a_verdict_is_written_as_it_is_read(tmp_path):
    path, out = tmp_path / "headline.json", tmp_path / "gate.json"
    path.write_text(json.dumps({"training": "mine", "samples": [sample("ttbar", 0.95, 0.2)]}))
    command("gate", "--headline", path, "--settings", to_json(SETTINGS), "--verdict", out)
    found = records.read(Verdict, out, "gate")
    assert found.passed
    assert json.loads(Path(out).read_text())["tests"] == [
        {"sample": "ttbar", "quantity": "response_met", "value": 0.95, "low": 0.8, "high": 1.2,
         "passed": True},
        {"sample": "ttbar", "quantity": "gain over pf", "value": 0.2, "low": 0.0, "high": None,
         "passed": True},
    ]  # fmt: skip
