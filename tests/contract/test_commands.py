"""Rules, commands and settings agree: flags, help, environments, schema."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from command_modules import module_of
from ptmiss.core.workflow.environments import PIN, environment, locked, stage_of
from ptmiss.core.workflow.sources import sources, third_party
from ptmiss.tasks.met.settings.config import Config
from ptmiss.tasks.schema import schema_text

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
STAGES = sorted({stage_of(script) for script in SCRIPTS})
RULES = {
    match["name"]: match["body"]
    for path in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for match in re.finditer(
        r"^rule (?P<name>\w+):\n(?P<body>(?:[ \t]+.*\n|\n)+)", path.read_text(), re.MULTILINE
    )
}
# module -> the installed packages that bring it
DISTRIBUTIONS = packages_distributions()
LOCKED = locked((ROOT / "requirements/run.txt").read_text())


def parser_of(script: Path):
    module = module_of(script)
    return module.build_parser()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_each_command_explains_itself(script):
    done = subprocess.run(
        [sys.executable, script, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--" in done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_each_command_is_thin(script):
    assert len(script.read_text().splitlines()) <= 75


@pytest.mark.parametrize("name", RULES)
def test_rule_uses_exactly_the_flags_of_its_command(name):
    script = ROOT / "scripts" / f"{name}.py"
    if "{input.script:q}" not in RULES[name]:
        pytest.skip("a rule without a command")
    shell = RULES[name].split("shell:")[1]
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", shell))
    actions = [a for a in parser_of(script)._actions if "--help" not in a.option_strings]
    known = {flag for action in actions for flag in action.option_strings}
    required = {action.option_strings[0] for action in actions if action.required}
    # flags that a rule adds only where they apply come through a parameter called `options`
    assert used <= known, f"unknown flags {sorted(used - known)}"
    assert required <= used, f"missing flags {sorted(required - used)}"


@pytest.mark.parametrize("name", [name for name in RULES if name != "all"])
def test_each_rule_has_environment_log_and_resources(name):
    body = RULES[name]
    for word in ("input:", "output:", "log:", "conda:", "threads:", "resources:", "shell:", '"""'):
        assert word in body, f"rule {name} lacks {word}"


@pytest.mark.parametrize("stage", STAGES)
def test_environment_is_in_step_with_imports_and_lock(stage):
    stored = (ROOT / "envs" / f"{stage}.yaml").read_text()
    assert stored == environment(ROOT, stage), "run `make envs`"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_environment_lists_what_the_stage_imports(script):
    listed = set(pins_of(stage_of(script)))
    for module in third_party(script) - sys.stdlib_module_names:
        bringing = {name.lower().replace("_", "-") for name in DISTRIBUTIONS[module]}
        assert bringing & listed, f"envs/{stage_of(script)}.yaml lacks one of {sorted(bringing)}"


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
    bring = {stage for stage in STAGES if {"tensorflow-cpu", "keras"} & set(pins_of(stage))}
    assert bring == {"train", "export"}


def test_every_environment_belongs_to_a_stage():
    assert {path.stem for path in (ROOT / "envs").glob("*.yaml")} == set(STAGES)


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


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_modules_of_a_stage_can_be_found(script):
    assert sources(script)
