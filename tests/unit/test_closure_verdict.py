"""Records of closure: what counts as passed, and what is no record at all."""

from __future__ import annotations

import json
import re

import pytest

import calibration_toys as toys
from command_modules import command
from ptmiss.core.errors import UserError
from ptmiss.core.io import records
from ptmiss.core.settings.base import to_json
from ptmiss.tasks.met.calibration.verdict import Verdict, problems
from ptmiss.tasks.met.closure.modulation import sigmas

GATE = {"gate": "quality", "training": "mine", "judged": False, "passed": True, "tests": []}
"""The verdict of a gate that has nothing against the run."""
LIMITS = {"response_low": 0.8, "response_high": 1.2, "require": True}


def record(**changes):
    """The record of a passed closure, with changes."""
    test = {"name": "phi_flat", "estimator": "pf", "sample": "data", "region": "all",
            "what": "p-value of phi(pTmiss) being flat", "value": 0.3, "alone": 0.1, "limit": 0.01,
            "bound": "least", "before": 0.001, "passed": True}  # fmt: skip
    tests = [{**test, **changes.pop("test", {})}]
    good = {"gate": "closure", "training": "mine", "passed": True, "tests": tests,
            "undecided": [], "others": []}  # fmt: skip
    return {**good, **changes}


def without(key):
    return {name: value for name, value in record().items() if name != key}


def confirmed(folder, *values, require=True):
    """Run the command accept on these records; return what it writes of closures."""
    paths = []
    for number, value in enumerate(values):
        paths.append(folder / f"{number}.closure.json")
        paths[-1].write_text(json.dumps(value))
    (folder / "gate.json").write_text(json.dumps(GATE))
    out = folder / "confirmed.json"
    chosen = to_json(toys.settings(require_closure=require))
    command("accept", "--gates", folder / "gate.json", "--closures", *paths, "--settings",
            json.dumps(LIMITS), "--calibration", chosen, "--accepted", folder / "accepted.json",
            "--confirmed", out)  # fmt: skip
    assert json.loads((folder / "accepted.json").read_text()) == [GATE]
    return json.loads(out.read_text())


def test_a_confirmed_record_is_passed_on_as_it_is(tmp_path):
    masked = [{"estimator": "pf", "sample": "data", "events": 3, "of": 900}]
    other = record(training="other", masked=masked)
    assert confirmed(tmp_path, record(), other) == [record(), other]


def test_a_closure_without_tests_is_no_pass(tmp_path):
    empty = record(tests=[], passed=False)
    with pytest.raises(UserError, match=r"training mine: no test counts, .*require_closure: false"):
        confirmed(tmp_path, empty)
    assert confirmed(tmp_path, empty, require=False) == [empty]
    one = records.check(Verdict, empty, "c.json", "closure")
    assert len(problems(one)) == 1


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"passed": True}, "gate is missing"),
        (record(passed="false"), "passed is .*Input should be a valid boolean"),
        (record(passed=1), "passed is .*Input should be a valid boolean"),
        (record(tests=[]), "passed is True, which its 0 tests do not say"),
        (record(test={"passed": "false"}), "tests.0.passed is .*Input should be a valid boolean"),
        (record(test={"value": 0.001}), "passed is True, which value and limit do not say"),
        (record(test={"bound": "most"}), "passed is True, which value and limit do not say"),
        (record(test={"value": 0.001, "passed": False}), "which its 1 tests do not say"),
        (record(passed=False), "passed is False, which its 1 tests do not say"),
        (record(test={"bound": "above"}), "bound is .*Input should be 'least' or 'most'"),
        (record(gate="quality"), "gate is .*Input should be 'closure'"),
        (record(required=False), "required is .*Extra inputs are not permitted"),
        (without("undecided"), "undecided is missing"),
        (without("training"), "training is missing"),
        (record(test={"value": float("nan")}), "NaN is no number of JSON"),
        (None, "the whole is "),
    ],
)  # fmt: skip
def test_a_record_that_is_no_verdict_is_not_confirmed(tmp_path, value, says):
    with pytest.raises(UserError, match=says) as caught:
        confirmed(tmp_path, value)
    assert re.search(
        r"0\.closure\.json: not (JSON|what the stage closure writes)", str(caught.value)
    )
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "accepted.json").exists()
    assert not (tmp_path / "confirmed.json").exists()


def test_a_training_is_confirmed_once(tmp_path):
    with pytest.raises(UserError, match="a second record of training 'mine'"):
        confirmed(tmp_path, record(), record())


def test_no_probability_is_so_small_that_a_record_cannot_hold_its_size():
    assert 38.0 < sigmas(0.0) < 39.0
    assert sigmas(0.0) >= sigmas(1e-300)


def test_all_that_binds_is_counted_together(tmp_path):
    failed = record(test={"value": 0.001, "passed": False}, passed=False)
    refused = {**GATE, "passed": False}
    (tmp_path / "c.json").write_text(json.dumps(failed))
    (tmp_path / "g.json").write_text(json.dumps(refused))
    arguments = [
        "accept", "--gates", tmp_path / "g.json", "--closures", tmp_path / "c.json",
        "--accepted", tmp_path / "a", "--calibration", to_json(toys.settings()), "--settings",
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"quality gate, .*and 1 more.*gate\.require: false"):
        command(*arguments, json.dumps(LIMITS))
    with pytest.raises(UserError, match=r"^closure, .*calibration\.require_closure: false"):
        command(*arguments, json.dumps({**LIMITS, "require": False}))
    assert not (tmp_path / "a").exists()
