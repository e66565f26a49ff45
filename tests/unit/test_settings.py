from __future__ import annotations

import copy

import pytest
import yaml

from ptmiss.errors import UserError
from ptmiss.settings.base import Section, from_mapping, parse, to_json
from ptmiss.settings.config import load


class Inner(Section):
    number: int
    share: float


class Outer(Section):
    inner: Inner
    edges: tuple[float, ...]


GOOD = {"inner": {"number": 1, "share": 0.5}, "edges": [0, 1.5]}


def changed(path, value):
    values = copy.deepcopy(GOOD)
    *parents, last = path
    place = values
    for key in parents:
        place = place[key]
    place[last] = value
    return values


def test_good_settings_and_back():
    section = from_mapping(Outer, GOOD, "top")
    assert section.inner.number == 1
    assert parse(Outer, to_json(section), "top") == section


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("inner", "speed"), 1, "setting top.inner.speed: unknown key"),
        (("inner", "number"), "1", "setting top.inner.number: found '1'"),
        (("inner", "number"), 1.5, "setting top.inner.number: found 1.5"),
        (("inner", "number"), True, "setting top.inner.number: found True"),
        (("inner", "share"), None, "setting top.inner.share: found None"),
        (("edges",), "0,1", "setting top.edges: found '0,1'"),
        (("inner",), 3, "setting top.inner: found 3"),
    ],
)
def test_wrong_types_and_unknown_keys_name_the_key(path, value, says):
    with pytest.raises(UserError) as caught:
        from_mapping(Outer, changed(path, value), "top")
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


def test_missing_key_is_named():
    with pytest.raises(UserError, match=r"setting top\.inner\.share: missing"):
        from_mapping(Outer, {"inner": {"number": 1}, "edges": []}, "top")


def test_not_a_number_is_refused():
    with pytest.raises(UserError, match="setting top"):
        from_mapping(Outer, changed(("inner", "share"), float("nan")), "top")


def test_frozen():
    section = from_mapping(Outer, GOOD, "top")
    with pytest.raises(Exception, match="frozen"):
        section.edges = ()


@pytest.fixture(scope="module")
def default(repository):
    return yaml.safe_load((repository / "config.yaml").read_text())


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (
            ("skim", "rows_per_group"),
            0,
            "skim.rows_per_group: found 0; .*greater than or equal",
        ),
        (
            ("samples", "zmumu", "selection"),
            "zmumuu",
            "samples.zmumu.selection is 'zmumuu', allowed: ",
        ),
        (("samples", "zmumu", "setting"), "x", "samples.zmumu.setting is 'x', allowed: "),
        (("samples", "zmumu", "source"), "miniaod", "found 'miniaod', allowed 'simulated'"),
        (("folds", "test"), [5, 6], "each of 0..9 must stand in exactly one"),
        (("samples", "a b"), {}, "allowed pattern"),
        (("samples", "$(x)"), {}, "allowed pattern"),
        (("samples", "-x"), {}, "allowed pattern"),
        (("samples", "../x"), {}, "allowed pattern"),
        (("nonsense",), 1, "setting nonsense: unknown key"),
    ],
)
def test_the_whole_configuration_is_checked(default, path, value, says):
    values = copy.deepcopy(default)
    *parents, last = path
    place = values
    for key in parents:
        place = place[key]
    place[last] = value
    with pytest.raises(UserError, match=says) as caught:
        load(values)
    assert "\n" not in str(caught.value)


def test_the_default_configuration_is_accepted(default):
    assert "zmumu" in load(default).samples


def test_trainings_need_folds_to_learn_from(default):
    values = copy.deepcopy(default)
    values["folds"] = {"train": [], "validation": [], "test": list(range(10))}
    with pytest.raises(UserError, match=r"folds\.train is empty, but there are trainings"):
        load(values)
    values["trainings"] = {}
    assert load(values).folds.train == ()
