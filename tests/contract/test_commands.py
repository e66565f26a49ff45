"""Stages, rules, commands, texts and settings agree."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

from command_modules import imported
from ptmiss.core.command import Parser, named
from ptmiss.core.workflow.rules import COMMAND
from ptmiss.core.workflow.sources import sources
from ptmiss.environments import PIN, environments, locked
from ptmiss.stages import stages_of
from ptmiss.tasks.met.settings.config import Config
from ptmiss.tasks.schema import schema_text

ROOT = Path(__file__).resolve().parents[2]
STAGES = stages_of()
NAMES = list(STAGES)
ENVIRONMENTS = sorted({stage.environment or name for name, stage in STAGES.items()})
RULES = {
    match["name"]: match["body"]
    for path in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for match in re.finditer(
        r"^rule (?P<name>\w+):\n(?P<body>(?:[ \t]+.*\n|\n(?=[ \t]))+)",
        path.read_text(),
        re.MULTILINE,
    )
}
# module -> the installed packages that bring it
DISTRIBUTIONS = packages_distributions()
LOCKED = locked((ROOT / "requirements/run.txt").read_text())


def test_each_stage_has_a_rule_and_a_command_of_six_lines():
    assert set(RULES) == {name for name, stage in STAGES.items() if stage.in_workflow}
    for name in NAMES:
        text = (ROOT / "scripts" / f"{name}.py").read_text()
        assert f'stage("{name}")' in text
        assert len(text.splitlines()) <= 6
    assert {path.stem for path in (ROOT / "scripts").glob("*.py")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_command_explains_itself(name):
    stage = STAGES[name]
    text = "".join(Parser(stage).format_help().split())  # lines break at hyphens too
    assert "".join(stage.summary.split()) in text
    assert not stage.summary.endswith(".")
    for flag in stage.flags:
        assert f"--{flag.name}" in text
        assert "".join(flag.help.split()) in text


def test_a_command_is_a_program():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/skim.py", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "--ntuples FILE" in done.stdout


def parameters(function) -> set[str]:
    """Return the names of what a stage's function takes, those of its groups instead of them."""
    hints = get_type_hints(function)
    names = set()
    for name in inspect.signature(function).parameters:
        group = dataclasses.is_dataclass(hints[name]) and name != "task"
        names |= parameters(hints[name]) if group else {name}
    return names


@pytest.mark.parametrize("name", NAMES)
def test_the_function_of_a_stage_takes_its_flags(name):
    stage = STAGES[name]
    wanted = parameters(named(stage.entry))
    assert ("task" in wanted) == stage.learns == bool(stage.task)
    wanted -= {"task"}
    flags = {flag.name for flag in stage.flags}
    assert wanted <= flags
    in_words = {word for flag in stage.flags for word in re.findall(r"\{(\w+)\}", flag.section)}
    assert flags - wanted <= in_words | ({"threads"} if stage.prepare else set())


@pytest.mark.parametrize("name", NAMES)
def test_sections_are_those_of_the_configuration(name):
    for flag in STAGES[name].flags:
        if flag.kind == "section" and flag.section != "*":
            section = flag.section.partition(".")[0]
            assert section in Config.model_fields or hasattr(Config, section)
            assert isinstance(named(flag.settings), type)
            others = {"settings", "spec", section.removeprefix("measured_")}
            assert flag.name in others, "the own section is --settings, another has its name"


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_that_of_its_stage(name):
    body = RULES[name]
    assert re.search(rf'shell:\s+RULES\.command\("{name}"[^)]*\)\n', body)
    for helper in ("code", "params", "environment"):
        assert f'RULES.{helper}("{name}")' in body
    assert len(body.rstrip().splitlines()) + 1 <= 26, "a rule has at most 26 lines"


@pytest.mark.parametrize("name", RULES)
def test_each_rule_has_environment_log_and_resources(name):
    body = RULES[name]
    for word in ("input:", "output:", "log:", "conda:", "threads:", "resources:", "shell:", '"""'):
        assert word in body, f"rule {name} lacks {word}"


def test_environments_are_in_step_with_imports_and_lock():
    texts = environments(STAGES, ROOT)
    stored = {path.stem: path.read_text() for path in (ROOT / "envs").glob("*.yaml")}
    assert stored == texts, "run `make envs`"


@pytest.mark.parametrize("name", NAMES)
def test_environment_lists_what_the_stage_imports(name):
    environment = STAGES[name].environment or name
    listed = set(pins_of(environment))
    for module in imported(name) - sys.stdlib_module_names:
        bringing = {name.lower().replace("_", "-") for name in DISTRIBUTIONS[module]}
        assert bringing & listed, f"envs/{environment}.yaml lacks one of {sorted(bringing)}"


def pins_of(stage: str) -> dict[str, str]:
    value = yaml.safe_load((ROOT / "envs" / f"{stage}.yaml").read_text())
    pins = next(item["pip"] for item in value["dependencies"] if isinstance(item, dict))
    return {name.lower(): version for name, version in (pin.split("==") for pin in pins)}


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_environment_pins_equal_the_lock(path):
    pins = pins_of(path.stem)
    assert pins == {name: LOCKED.get(name) for name in pins}
    assert yaml.safe_load(path.read_text())["channels"] == ["conda-forge", "nodefaults"]


def test_only_training_and_export_bring_tensorflow():
    bring = {stage for stage in ENVIRONMENTS if {"tensorflow-cpu", "keras"} & set(pins_of(stage))}
    assert bring == {"train", "export"}


def test_lock_files_hold_hashes_and_no_address():
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text
        least = 50 if path.stem in ("run", "test") else 5
        assert text.count("--hash=sha256:") >= len(PIN.findall(text)) > least


def test_schema_is_in_step_with_the_settings():
    stored = (ROOT / "workflow/schemas/config.schema.json").read_text()
    assert stored == schema_text(Config), "run `make schema`"
    assert json.loads(stored)["additionalProperties"] is False


def test_package_files_hold_one_line_and_so_import_nothing():
    for path in (ROOT / "scripts/ptmiss").rglob("__init__.py"):
        assert len(path.read_text().splitlines()) == 1, path


def test_a_stage_depends_on_its_modules_and_on_no_declaration():
    found = {str(path) for path in sources([COMMAND, *STAGES["skim"].modules()], ROOT / "scripts")}
    package = f"{ROOT}/scripts/ptmiss"
    assert {f"{package}/events/skim/select.py", f"{package}/core/command.py"} <= found
    assert not {f"{package}/stages.py", f"{package}/cli.py", f"{package}/learn/features.py"} & found


def test_tables_of_the_texts_are_in_step_with_the_stages():
    sys.path.insert(0, str(ROOT / "docs" / "tools"))
    from commands_page import table

    assert table(STAGES) in (ROOT / "ARCHITECTURE.md").read_text(), "run `make stages`"
    own = [name for name, stage in STAGES.items() if not stage.environment]
    rows = re.findall(r"^\| (\w+) \| ", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert [row for row in rows if row in own] == own
