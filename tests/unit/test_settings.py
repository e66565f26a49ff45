from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from ptmiss.core.errors import UserError
from ptmiss.core.settings.base import Section, from_mapping, parse, to_json
from ptmiss.core.settings.names import unknown
from ptmiss.tasks.met.settings.config import Config
from ptmiss.tasks.met.settings.learning import Training


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
        (("samples", "zmumu", "events"), 0, r"setting samples\.zmumu\.events: found 0"),
        (("samples", "zmumu", "source"), "miniaod", "found 'miniaod'; allowed 'simulated'"),
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
        Config.load(values)
    assert "\n" not in str(caught.value)


def test_the_default_configuration_is_accepted(default):
    assert "zmumu" in Config.load(default).samples


def put(default, path, value):
    """Return the default configuration with one value changed, and the change alone."""
    values, own = copy.deepcopy(default), value
    *parents, last = path
    place = values
    for key in parents:
        place = place[key]
    place[last] = value
    for key in reversed(path):
        own = {key: own}
    return values, own


NAMED = [
    (("calibration", "data"), "pseudodat", "data is 'pseudodat', .*; did you mean pseudodata"),
    (("calibration", "simulation"), "zmumuu", "simulation is 'zmumuu', .*; did you mean zmumu"),
    (("calibration", "backgrounds"), ["ttbar_dimuon", "wz_dimoun"], "backgrounds is 'wz_dimoun', "),
    (
        ("calibration", "apply"),
        {"wmunuu": "pseudodata_w"},
        "apply is 'wmunuu', .*did you mean wmunu",
    ),
    (("calibration", "apply"), {"wmunu": "pseudodata_z"}, "apply is 'pseudodata_z', allowed: "),
    (("calibration", "closure", "estimators"), ["pff"], r"estimators is 'pff', .*did you mean pf"),
    (("calibration", "closure", "estimators"), ["pf", "calibrated"], "is 'calibrated', allowed: "),
    (("performance", "leave_out"), ["pseudo_data_w"], "leave_out is 'pseudo_data_w', allowed: "),
    (("interpret", "samples"), ["zmumo"], "interpret.samples is 'zmumo', .*did you mean zmumu"),
    (("vary", "samples"), ["zmumu", "ttbra"], "vary.samples is 'ttbra', .*did you mean ttbar"),
    (("vary", "trainings"), ["mxed"], "vary.trainings is 'mxed', .*did you mean mixed"),
]


@pytest.mark.parametrize(("path", "value", "says"), NAMED)
def test_a_name_of_ones_own_must_exist(default, path, value, says):
    values, own = put(default, path, value)
    for whose in (own, None):
        with pytest.raises(UserError, match=says) as caught:
            Config.load(values, whose)
        assert str(caught.value).startswith(f"setting {'.'.join(path)} is ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("calibration", "backgrounds"), ["wz_dimuon", "wz_dimuon"], "'wz_dimuon' .*twice"),
        (("calibration", "closure", "estimators"), ["pf", "pf"], "'pf' .*twice"),
        (("calibration", "closure", "estimators"), [], "at least 1 item"),
        (("calibration", "backgrounds"), ["pseudodata"], "which is the data; a sample has one"),
        (("calibration", "backgrounds"), ["zmumu"], "which is the simulation; a sample has one"),
        (("calibration", "apply"), {"wmunu": "wmunu"}, "compares 'wmunu' with itself"),
        (("calibration", "names"), "sample", "found 'sample'"),
    ],
)
def test_a_sample_has_one_part_and_stands_once(default, path, value, says):
    with pytest.raises(UserError, match=says) as caught:
        Config.load(*put(default, path, value))
    assert "\n" not in str(caught.value)


def with_own_samples(default, trainings, **sections):
    """Return a configuration whose samples replace the default ones, and what its user wrote."""
    own = {"samples": {"dy": default["samples"]["zmumu"]}, "trainings": trainings, **sections}
    return {**copy.deepcopy(default), **own}, own


def test_default_names_may_be_of_samples_that_were_replaced(default):
    found = Config.load(*with_own_samples(default, {}))
    assert found.vary.samples == tuple(default["vary"]["samples"])  # none of these: all
    assert found.calibration.backgrounds == ()
    assert found.calibration.apply == {}
    assert found.calibration.closure.estimators == ("puppi", "pf")  # no network, no deepmet
    assert Config.load(default).calibration.backgrounds == tuple(
        default["calibration"]["backgrounds"]
    )


def test_estimators_that_count_are_among_those_that_are_evaluated(default):
    evaluate = {"estimators": ["chs"], "external": {"mine": "mine.onnx"}}
    values, own = put(default, ("evaluate",), {**default["evaluate"], **evaluate})
    assert Config.load(values, own).calibration.closure.estimators == ("deepmet",)
    values["trainings"] = own["trainings"] = {}
    with pytest.raises(UserError, match=r"none of deepmet, puppi, pf is evaluated, .* chs, mine"):
        Config.load(values, own)
    closure = {**default["calibration"]["closure"], "estimators": ["mine"]}
    values["calibration"] = own["calibration"] = {**default["calibration"], "closure": closure}
    assert Config.load(values, own).calibration.closure.estimators == ("mine",)
    closure["estimators"] = ["deepmet"]
    with pytest.raises(UserError, match="estimators is 'deepmet', allowed: chs, mine"):
        Config.load(values, own)


def test_many_allowed_names_are_cut_short():
    said = unknown("samples", "x", [f"name_{i:02d}" for i in range(100)])
    assert said.endswith("name_19 and 80 more")


def test_trainings_need_folds_to_learn_from(default):
    values = copy.deepcopy(default)
    values["folds"] = {"train": [], "validation": [], "test": list(range(10))}
    with pytest.raises(UserError, match=r"folds\.train is empty, but there are trainings"):
        Config.load(values)
    values["trainings"] = {}
    assert Config.load(values, {"trainings": {}}).folds.train == ()


def test_a_default_list_of_samples_to_vary_is_no_mistake_of_the_user(default):
    """Before: an own sample of recorded events could not be called zmumu."""
    data = {
        "source": "pfnano", "label": "data", "files": ["a.root"], "files_per_part": 1,
        "is_data": True, "cross_section": 1.0, "sum_of_weights": 1.0, "selection": "zmumu",
    }  # fmt: skip
    own = {"samples": {"zmumu": data}, "trainings": {}}
    assert Config.load(default | own, own).samples["zmumu"].is_data
    own["vary"] = {"samples": ["zmumu"]}
    with pytest.raises(UserError, match=r"vary\.samples has zmumu, which is data"):
        Config.load(default | own | {"vary": default["vary"] | own["vary"]}, own)


def test_gains_are_over_estimators_that_exist() -> None:
    values = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text(encoding="utf-8"))
    values["performance"]["over"] = ["pf", "puppi", "published"]
    with pytest.raises(UserError, match=r"performance\.over is 'published', allowed: .*pf, puppi"):
        Config.load(values)
    values["evaluate"]["external"] = {"published": {"path": "a.onnx", "slots": 4500}}
    config = Config.load(values)
    assert config.evaluate.external_paths() == {"published": "a.onnx"}
    assert config.evaluate.slots() == {"published": 4500}
    for wrong in (["pf"], ["pf", "puppi", "pf"]):
        values["performance"]["over"] = wrong
        with pytest.raises(UserError, match=r"performance\.over"):
            Config.load(values)


PARTS = {
    "samples": {"z": 1},
    "network": {"kind": "deepmet", "units": [64, 32, 16], "embedding": 8},
    "head": {"kind": "vector_sum", "bias": "caption", "tune": "response"},
    "seed": 1,
    "use_puppi": True,
}
SHORT = {key: PARTS[key] for key in ("samples", "seed", "use_puppi")}


def test_the_short_form_of_a_training_stands_for_the_published_network():
    short = from_mapping(Training, {**SHORT, "bias": "caption", "tune": "response"}, "trainings.t")
    assert short == from_mapping(Training, PARTS, "trainings.t")
    assert parse(Training, to_json(short), "trainings.t") == short
    other = from_mapping(
        Training,
        {
            **SHORT,
            "bias": "shipped",
            "tune": "response",
            "network": {**PARTS["network"], "units": [8]},
        },
        "trainings.t",
    )
    assert (other.network.units, other.head.bias) == ((8,), "shipped")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({**PARTS, "bias": "caption"}, r"bias beside it, or without the other, is refused"),
        ({**SHORT, "tune": "response"}, r"place in head: .kind: vector_sum.*tune beside it"),
        (SHORT, r"trainings\.t\.network: missing; .*1 more"),
        (
            {**PARTS, "head": {"kind": "sum"}},
            r"head: found 'sum', allowed 'vector_sum', 'event', 'regression'",
        ),
        (
            {**PARTS, "head": {"kind": "regression", "targets": ["truth_px"], "huber": 0}},
            r"head\.kind is 'regression'; missing momentum is the estimate of a vector_sum",
        ),
        # where the user wrote it: no name of a class, and no key that the short form stands for
        (
            {**PARTS, "network": {"kind": "deepmet", "units": [], "embedding": 8}},
            r"^setting trainings\.t\.network\.units: found \[\], expected at least 1 item$",
        ),
        (
            {**PARTS, "network": {"kind": "dense", "units": [8]}},
            r"^setting trainings\.t\.network\.activation: missing; config\.yaml or",
        ),
        (
            {**PARTS, "network": {"units": [8]}},
            r"^setting trainings\.t\.network\.kind: missing; it says which kind is meant$",
        ),
        (
            {**SHORT, "bias": "caption", "tune": "louder"},
            r"^setting trainings\.t\.tune: found 'louder'",
        ),
        ({**PARTS, "network": {"kind": "deepmet", "units": [1.5], "embedding": 8}}, "found 1.5"),
        ({**PARTS, "network": {**PARTS["network"], "activation": "tanh"}}, "unknown key"),
    ],
)
def test_parts_that_do_not_fit_are_refused_in_one_line(values, says):
    with pytest.raises(UserError, match=says) as caught:
        from_mapping(Training, values, "trainings.t")
    assert "\n" not in str(caught.value)


class Pair(Section):
    window: tuple[float, float]


def test_a_list_that_is_too_short_is_named_with_the_place_of_what_is_missing():
    with pytest.raises(UserError, match=r"setting skim\.window\.1: missing"):
        from_mapping(Pair, {"window": [80.0]}, "skim")
