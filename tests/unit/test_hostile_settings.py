"""What a configuration may try to smuggle in: refused with the allowed pattern, never executed."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
import yaml

from ptmiss.core.errors import UserError
from ptmiss.simulation.cards import load_card
from ptmiss.tasks.met.settings.config import Config

NAMES = [
    "two words", "tab\tbed", "line\nbreak", "", " ", "'quoted'", '"quoted"', "a;b", "a|b", "a&b",
    "$(touch hostile)", "`touch hostile`", "$HOME", "a>b", "-x", "--model", "../up", "a/b", "a\\b",
    "a.b", "9lives", "_a", "é", "名", "ａ", "a\u202eb", "a\0b", "{sample}", "*", "~",
    "#a", "x" * 65,
]  # fmt: skip


@pytest.fixture(scope="module")
def default(repository):
    return yaml.safe_load((repository / "config.yaml").read_text())


@pytest.mark.parametrize("name", NAMES, ids=[ascii(name) for name in NAMES])
@pytest.mark.parametrize("section", ["samples", "trainings"])
def test_names_that_are_no_names(default, section, name):
    values = copy.deepcopy(default)
    values[section][name] = copy.deepcopy(next(iter(default[section].values())))
    with pytest.raises(UserError, match=r"allowed pattern \^\[A-Za-z\]\[A-Za-z0-9_\]") as caught:
        Config.load(values)
    assert "\n" not in str(caught.value)
    assert not Path("hostile").exists()


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch hostile']",
        "!!python/object/new:subprocess.Popen [['touch', 'hostile']]",
        "!!python/name:os.system",
        "!include /etc/passwd",
    ],
)
def test_tags_of_other_programs_build_nothing(default, tmp_path, monkeypatch, text):
    from snakemake.common.configfile import load_configfile  # what reads --configfile
    from snakemake_interface_common.exceptions import WorkflowError

    monkeypatch.chdir(tmp_path)
    own = tmp_path / "own.yaml"
    own.write_text(f"report:\n  title: {text}\n")
    with pytest.raises((WorkflowError, UserError), match=r"not valid JSON or YAML|plain YAML"):
        Config.load(default | load_configfile(str(own)))
    with pytest.raises(UserError, match=r"card\.yaml"):
        own.rename(tmp_path / "card.yaml")
        load_card(tmp_path / "card.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["card.yaml"]


def test_the_pattern_is_the_documented_one():
    pattern = r"^[A-Za-z][A-Za-z0-9_]{0,63}$"
    from ptmiss.events.settings.samples import Name

    assert pattern in repr(Name)
    assert not [name for name in NAMES if re.fullmatch(pattern, name)]
