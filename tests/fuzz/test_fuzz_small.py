"""A small part of every family of nonsense; the large one is `make test-fuzz`."""

from __future__ import annotations

import importlib

import pytest

from fuzz import harness, large

CASES = {
    "settings": 40, "onnx": 12, "root": 40, "intermediates": 60, "corrections": 25, "paths": 3,
}  # fmt: skip


@pytest.mark.parametrize("family", large.COUNTS)
def test_nonsense_is_one_line(family, tmp_path):
    module = importlib.import_module(f"fuzz.family_{family}")
    found = module.run(7, CASES[family], tmp_path / family)
    assert sum(found.values()) == CASES[family]
    assert {outcome: n for outcome, n in found.items() if n and outcome not in harness.GOOD} == {}


@pytest.mark.parametrize(
    ("case", "outcome"),
    [(0, "ok"), (1, "one line"), (2, "traceback"), (3, "crash"), (4, "memory"), (5, "hang"),
     (6, "silent difference"), (7, "traceback")],
)  # fmt: skip
def test_the_harness_knows_each_outcome(case, outcome, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(harness, "HANG_S", 1)
    found = harness.run("fuzz.outcomes", 0, 8, tmp_path, only=case)
    assert found[outcome] == 1
    assert sum(found.values()) == 1
    said = capfd.readouterr().err
    assert (f"--seed 0 --only {case}" in said) == (outcome not in harness.GOOD)


def test_the_end_of_a_process_costs_one_case(tmp_path):
    found = harness.run("fuzz.outcomes", 0, 5, tmp_path)
    assert (found["ok"], found["crash"], found["memory"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("code", "text", "outcome"),
    [
        (0, "INFO done\n", "ok"),
        (1, "INFO x\nerror: a.json: no such file\n", "one line"),
        (1, "Traceback (most recent call last):\nValueError\n", "traceback"),
        (1, "", "traceback"),
        (-11, "", "crash"),
    ],
)
def test_what_a_command_said_is_an_outcome(code, text, outcome):
    assert harness.classify(code, text) == outcome
    assert outcome in harness.OUTCOMES
