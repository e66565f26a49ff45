"""Configuration files are read more strictly than YAML reads them, and joined as users mean it."""

from __future__ import annotations

import os

import pytest

from ptmiss.core.errors import UserError
from ptmiss.core.settings import files
from ptmiss.core.settings.merging import merged
from ptmiss.tasks.met.settings.config import Config

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: 1\nb: 2\na: 3\n", r"line 3: the key 'a' stands there again, after line 1"),
        (b"x:\n  a: 1\n  a: 1\n", r"line 3: the key 'a'"),
        (b"[{a: 1, a: 2}]", r"line 1: the key 'a'"),
        (b'{"a": 1, "a": 2}', r"the key 'a' stands there twice"),
        (b"a: 010\n", r"line 1: YAML takes '010' for 8 \(octal"),
        (b"a: 1:30\n", r"line 1: YAML takes '1:30' for 90 \(sexagesimal"),
        (b"a: 1:30.5\n", r"for 90.5 "),
        (b"a: caf\xe9\n", r"byte 7 is not UTF-8"),
        (b"a: " + b"[" * 1100 + b"]" * 1100, r"nested deeper than 100 levels"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", r"nested deeper than 100 levels"),
        (BOMB.encode(), r"more than 1,000,000 values"),
        (b"a: &b [*b]", r"line 1: \*b is not defined before, or holds itself"),
        (b"a: 2024-13-45", r"month must be in 1..12"),
        (b"a: !!python/name:os.system", r"not YAML|plain values"),
        (b"a: [1", r"line 2, column .* not YAML"),
        (b"- a", r"expected keys with values"),
        (b"", r"found nothing, expected keys with values"),
        (b"a: \x07", r"not YAML"),
    ],
)
def test_what_says_two_things_or_none_is_refused_in_one_line(tmp_path, content, says):
    path = tmp_path / "own.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=says) as caught:
        files.read(path)
    assert "own.yaml" in str(caught.value)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"\xef\xbb\xbfa: 1\n", {"a": 1}),
        (
            b"a: '010'\nb: '1:30'\nc: 0x1F\nd: 1_000\n",
            {"a": "010", "b": "1:30", "c": 31, "d": 1000},
        ),
        (b"a: &x {b: 1}\nc: {<<: *x, b: 2}\n", {"a": {"b": 1}, "c": {"b": 2}}),
        (b'{"a": 1e-3, "b": [0, -0]}', {"a": 0.001, "b": [0, 0]}),
        (b"a: {b: 1}\nc: {b: 1}\n", {"a": {"b": 1}, "c": {"b": 1}}),
        (b"a: [0.5, -7, 0, 0.05]\n", {"a": [0.5, -7, 0, 0.05]}),
    ],
)
def test_what_is_clear_is_read(tmp_path, content, value):
    path = tmp_path / "own.yaml"
    path.write_bytes(content)
    assert files.read(path) == value


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "missing", "large"])
def test_only_regular_files_are_read(tmp_path, kind):
    path = tmp_path / "own.yaml"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = "/dev/zero"
    elif kind == "large":
        with open(path, "wb") as handle:
            handle.truncate(1 << 40)
    with pytest.raises(UserError, match=r"regular file|no such file|larger than"):
        files.read(path)


def test_the_default_configuration_and_the_cards_are_strict(repository):
    for path in [repository / "config.yaml", *(repository / "resources/processes").glob("*.yaml")]:
        assert files.read(path)
    for path in (repository / "resources/configurations").glob("*.yaml"):
        files.check(path)


def test_a_whole_configuration_can_be_checked_without_snakemake(tmp_path, capsys):
    from ptmiss.tasks.check import main

    own = tmp_path / "own.yaml"
    own.write_text("report: {dpi: 100}\n")
    main([str(own)])
    assert capsys.readouterr().out == "The settings are valid.\n"
    own.write_text("report: {dpi: 1000}\n")
    with pytest.raises(UserError, match=r"report\.dpi: found 1000"):
        main([str(own)])


OWN_SAMPLE = """\
samples:
  dy: {source: pfnano, label: DY, files: [a.root], files_per_part: 1, is_data: false,
       cross_section: 1.0, sum_of_weights: 1.0, selection: zmumu}
"""


def test_a_configuration_with_own_samples_is_checked_as_the_workflow_takes_it(
    repository, tmp_path, capsys
):
    """Before: names of the default lists counted as written by the user."""
    from ptmiss.tasks.check import main

    for path in sorted((repository / "resources/configurations").glob("*.yaml")):
        main([str(path)])
    (tmp_path / "own.yaml").write_text(OWN_SAMPLE)
    (tmp_path / "more.yaml").write_text("samples: {dy: {label: again}}\nreport: {dpi: 100}\n")
    main([str(tmp_path / "own.yaml")])
    main([str(tmp_path / "own.yaml"), str(tmp_path / "more.yaml")])  # joined, as Snakemake does
    assert capsys.readouterr().out.count("valid") >= 3
    (tmp_path / "more.yaml").write_text("calibration: {data: yd}\n")
    with pytest.raises(UserError, match=r"calibration\.data is 'yd', allowed: dy"):
        main([str(tmp_path / "own.yaml"), str(tmp_path / "more.yaml")])


def test_only_what_yaml_reads_on_a_base_of_60_is_said_to_be(tmp_path):
    """Before: 0:30, a text for YAML, was said to be read as 30."""
    (tmp_path / "a.yaml").write_text("a: 0:30\n")
    assert files.read(tmp_path / "a.yaml") == {"a": "0:30"}


DEFAULT = {
    "samples": {"z": {"events": 1}}, "trainings": {"t": {"seed": 1}},
    "performance": {"slices": {"two": "n_jets >= 2"}, "replicas": 500},
    "calibration": {"apply": {"a": "b"}, "closure": {"reduction": 5.0}},
    "simulate": {"settings": {"nominal": {"detector": {"field": 3.0}}, "other": {"profile": []}}},
    "evaluate": {"external": {"mine": "a.onnx"}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("own", "path", "value"),
    [
        # an empty mapping of free names means none, which a merge key by key could not say
        ({"performance": {"slices": {}}}, "performance.slices", {}),
        ({"calibration": {"apply": {}}}, "calibration.apply", {}),
        ({"evaluate": {"external": {}}}, "evaluate.external", {}),
        (
            {"simulate": {"settings": {"nominal": {"detector": {}}}}},
            "simulate.settings",
            {"nominal": {"detector": {}}, "other": {"profile": []}},
        ),
        # of fixed keys it changes nothing
        ({"performance": {}}, "performance", DEFAULT["performance"]),
        ({"calibration": {"closure": {}}}, "calibration.closure", {"reduction": 5.0}),
        # key by key
        ({"performance": {"replicas": 50}}, "performance.slices", {"two": "n_jets >= 2"}),
        ({"evaluate": {"external": {"b": "b"}}}, "evaluate.external", {"mine": "a.onnx", "b": "b"}),
        ({"performance": {"slices": None}}, "performance.slices", None),
        # whole
        ({"samples": {"y": {}}}, "samples", {"y": {}}),
        ({"samples": {"y": {}}}, "trainings", {}),
        ({"samples": {"y": {}}, "trainings": {"u": {}}}, "trainings", {"u": {}}),
        ({"trainings": {}}, "trainings", {}),
        ({"trainings": {"u": {}}}, "samples", DEFAULT["samples"]),
    ],
)
def test_an_own_configuration_joins_replaces_and_empties(own, path, value):
    found = merged(DEFAULT, own, Config)
    for key in path.split("."):
        found = found[key]
    assert found == value
