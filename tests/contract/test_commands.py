"""Rules, commands and settings agree: flags, help, environments, schema."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ptmiss.settings.schema import schema_text
from ptmiss.sources import sources, third_party

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
RULES = {
    match["name"]: match["body"]
    for path in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for match in re.finditer(
        r"^rule (?P<name>\w+):\n(?P<body>(?:[ \t]+.*\n|\n)+)", path.read_text(), re.MULTILINE
    )
}
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", re.MULTILINE)
LOCKED = {
    name.lower().replace("_", "-"): version
    for name, version in PIN.findall((ROOT / "requirements/run.txt").read_text())
}
# module name -> name of the package that brings it, where the two differ
PACKAGE_OF = {
    "google": "protobuf",
    "PIL": "pillow",
    "tensorflow": "tensorflow-cpu",
    "yaml": "pyyaml",
}


def stage_of(script: Path) -> str:
    """The stage a command belongs to; two stages have a second command."""
    return {"minbias": "simulate", "accept": "gate"}.get(script.stem, script.stem)


def parser_of(script: Path):
    spec = importlib.util.spec_from_file_location(f"command_{script.stem}", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
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


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_environment_lists_what_the_stage_imports(script):
    listed = environment(stage_of(script))
    wanted = third_party(script) - set(sys.stdlib_module_names)
    missing = {PACKAGE_OF.get(name, name).replace("_", "-") for name in wanted} - set(listed)
    assert not missing, f"envs/{stage_of(script)}.yaml lacks {sorted(missing)}"


def environment(stage: str) -> dict[str, str]:
    value = yaml.safe_load((ROOT / "envs" / f"{stage}.yaml").read_text())
    pins = next(item["pip"] for item in value["dependencies"] if isinstance(item, dict))
    return {name.lower(): version for name, version in (pin.split("==") for pin in pins)}


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_environment_pins_equal_the_lock(path):
    pins = environment(path.stem)
    assert pins == {name: LOCKED.get(name) for name in pins}
    assert yaml.safe_load(path.read_text())["channels"] == ["conda-forge", "nodefaults"]


def test_every_environment_belongs_to_a_stage():
    stages = {stage_of(script) for script in SCRIPTS}
    assert {path.stem for path in (ROOT / "envs").glob("*.yaml")} == stages


def test_lock_files_hold_hashes_and_no_address():
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text
        assert text.count("--hash=sha256:") >= len(PIN.findall(text)) > 50


def test_schema_is_in_step_with_the_settings():
    stored = (ROOT / "workflow/schemas/config.schema.json").read_text()
    assert stored == schema_text(), "run `make schema`"
    assert json.loads(stored)["additionalProperties"] is False


def test_package_files_import_nothing():
    for path in (ROOT / "scripts/ptmiss").rglob("__init__.py"):
        assert "import" not in path.read_text().replace("important", ""), path


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_modules_of_a_stage_can_be_found(script):
    assert sources(script)
