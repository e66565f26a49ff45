"""Sentences of the first screen on what was lost, what is not normalised and not measured."""

from __future__ import annotations

from collections import Counter

import pytest
import yaml

from ptmiss.events.ledger import COMMON_REASONS
from ptmiss.tasks.met.report import notes
from ptmiss.tasks.met.report.ledgers import Ledger
from ptmiss.tasks.met.settings.config import Config
from skims import CONFIG, sample_of

AGAIN = COMMON_REASONS[0]


def book(**changes):
    return Ledger("dy", **{"n_in": 400, "kept": 400, **changes})


def config(trainings=False, external=None, **folds):
    values = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    values["trainings"] = values["trainings"] if trainings else {}
    values["evaluate"]["external"] = external or {}
    values["folds"] |= folds
    own = {key: values[key] for key in ("trainings", "folds")}
    return Config.load(values, own | {"evaluate": {"external": external or {}}})


@pytest.mark.parametrize(
    ("rejected", "says"),
    [
        ({AGAIN: 300}, [f"dy: 300 of 400 events (75 %) of the input are left out: {AGAIN}."]),
        ({AGAIN: 4, COMMON_REASONS[1]: 4}, []),
        ({"no two muons": 399}, []),
    ],
)
def test_losses_above_one_per_cent_are_named(rejected, says):
    assert notes.losses([book(rejected=Counter(rejected))], {}) == says


def test_events_of_several_parts_are_named_once():
    head = {"sample": "dy", "n_events": 100, "repeated": 300}
    (line,) = notes.losses([book()], {"a": [head], "b": [head]})
    assert line == "dy: 300 of 400 events (75 %) are in several parts; each counts once."
    assert notes.losses([book()], {"a": [{**head, "repeated": 3}]}) == []
    assert notes.losses([], {"a": [{"sample": "dy", "n_events": 1}]}) == []


def test_more_weight_than_there_is_in_all_is_named():
    """Before: a number of events typed as sum of weights went unsaid."""
    samples = {"dy": sample_of(cross_section=2.0, sum_of_weights=400.0)}
    (line,) = notes.normalisation([book(weight_in=26_000.0)], samples)
    assert "add up to 5.2e+06, 1.3e+04 times sum_of_weights" in line
    for weight in (0.0, 0.1, 2.0, 2.1):  # a few files of many have less
        assert notes.normalisation([book(weight_in=weight)], samples) == []
    alone = {"dy": sample_of(cross_section=2.0, sum_of_weights=1.0)}
    assert notes.normalisation([book(weight_in=800.0)], alone) == []


def test_all_events_are_measured_where_nothing_learns():
    """Before: six of ten folds were never measured without trainings."""
    assert config().measured_folds.test == tuple(range(10))
    assert notes.unmeasured(config()) == []
    with_training = config(trainings=True)
    assert with_training.measured_folds == with_training.folds
    assert notes.unmeasured(with_training) == []


def test_an_external_model_may_have_learned_and_that_is_said():
    external = config(external={"mine": "model.onnx"})
    assert external.measured_folds == external.folds
    (line,) = notes.unmeasured(external)
    assert line.startswith("Simulated events of the folds 0, 1, 2, 3, 4, 5 are not measured")
    never = config(external={"mine": "m.onnx"}, train=[], validation=[], test=list(range(10)))
    assert notes.unmeasured(never) == []
