"""The wheel: what it holds, and that it works alone, with no more than the packages of the core."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path

import onnx
import pytest
import yaml
from packaging.requirements import Requirement

sys.path.insert(0, str(Path(__file__).parent))
from fresh import copied

from alone import modules, run_alone
from models import pf_model

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CORE = {Requirement(line).name for line in PROJECT["dependencies"]}
EXTRAS = PROJECT["optional-dependencies"]
STAGES = sorted(path.stem for path in (ROOT / "envs").glob("*.yaml"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    source = copied(tmp_path_factory.mktemp("source"))
    (source / "tests").mkdir()
    (source / "tests" / "conftest.py").touch()  # what must not come along
    called([sys.executable, "-m", "build", "--wheel", "--no-isolation", str(source)], source)
    (path,) = (source / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    options = ["--no-deps", "--no-index", "--no-compile", "--target", str(target)]
    called([sys.executable, "-m", "pip", "install", "--quiet", *options, str(wheel)], target)
    return target


def called(command: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_wheel_holds_the_package_and_its_files_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    code = {
        str(path.relative_to(ROOT / "scripts")) for path in (ROOT / "scripts/ptmiss").rglob("*.py")
    }
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "resources").glob("*/*")}
    assert names == code | {"ptmiss/py.typed", "ptmiss/_files/config.yaml"} | {
        f"ptmiss/_files/{name}" for name in files
    }
    assert any(name.endswith(".html.j2") for name in files)
    assert any(name.endswith("pfnano.yaml") for name in files)


def test_resources_are_found_in_a_checkout_and_in_an_installation(installed, tmp_path):
    code = (
        "from ptmiss.core.resources import DEFAULT_CONFIGURATION, RESOURCES\n"
        "from ptmiss.events.readers.branches import expected\n"
        "print(DEFAULT_CONFIGURATION, RESOURCES, expected('pfnano').tree, sep='\\n')"
    )
    places = {ROOT / "scripts": ROOT, installed: installed / "ptmiss" / "_files"}
    for path, root in places.items():
        text = called([sys.executable, "-c", code], tmp_path, PYTHONPATH=str(path))
        configuration, resources, tree = text.split()
        assert Path(configuration) == root / "config.yaml"
        assert Path(configuration).is_file()
        assert Path(resources) == root / "resources"
        assert tree == "Events"


def test_no_module_counts_folders_upwards():
    for path in (ROOT / "scripts").rglob("*.py"):
        if path.name != "resources.py":
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"__file__\W.*parents?\b", text), path


def test_the_import_is_light(installed, tmp_path):
    code = "before = set(sys.modules)\nimport ptmiss\nprint(*sorted(set(sys.modules) - before))"
    assert run_alone(code, allowed={"ptmiss"}, path=installed, folder=tmp_path).split() == [
        "ptmiss"
    ]


def test_the_command_lists_the_stages_with_nothing_but_the_core(installed, tmp_path):
    code = """
import contextlib
from ptmiss.cli import main
for words in sys.argv:
    print("#", words)
    sys.argv = ["ptmiss", *words.split()]
    with contextlib.suppress(SystemExit):
        main()
"""
    lines = ["--help", *(f"{stage} --help" for stage in STAGES)]
    allowed = {"ptmiss", *modules(CORE)}
    text = run_alone(code, *lines, allowed=allowed, path=installed, folder=tmp_path)
    overview, *helps = text.removeprefix("# ").split("\n# ")
    for stage, flags in zip(STAGES, helps, strict=True):
        assert re.search(rf"^ +{stage} ", overview, re.MULTILINE), stage
        assert flags.startswith(f"{stage} --help\nusage: "), flags
    script = (installed / "bin" / "ptmiss").read_text(encoding="utf-8")
    assert "from ptmiss.cli import main" in script


def test_a_network_and_a_correction_with_nothing_but_the_core(installed, tmp_path):
    text = (ROOT / "docs/how-to/from-python.md").read_text(encoding="utf-8")
    network, correction = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    onnx.save(pf_model(), tmp_path / "model.onnx")
    document = {
        "schema_version": 2,
        "corrections": [
            {
                "name": "deepmet_xy_x",
                "version": 1,
                "inputs": [
                    {"name": "dataset", "type": "string"},
                    {"name": "systematic", "type": "string"},
                    {"name": "n_pv", "type": "real"},
                ],
                "output": {"name": "offset", "type": "real"},
                "data": {
                    "nodetype": "formula", "expression": "0.5*x", "parser": "TFormula",
                    "variables": ["n_pv"],
                },
            }
        ],
    }  # fmt: skip
    with gzip.open(tmp_path / "corrections.json.gz", "wt") as file:
        json.dump(document, file)
    allowed = {"ptmiss", *modules(CORE)}
    for code, result in ((network, "[50. 25.]"), (correction, "[ 9.  15.5]")):
        assert run_alone(code, allowed=allowed, path=installed, folder=tmp_path).strip() == result


@pytest.mark.parametrize("stage", STAGES)
def test_core_and_extra_of_a_stage_are_what_its_environment_has(stage):
    (lines,) = (
        entry["pip"]
        for entry in yaml.safe_load((ROOT / f"envs/{stage}.yaml").read_text())["dependencies"]
        if isinstance(entry, dict)
    )
    pins = dict(line.split("==") for line in lines)
    extra = {Requirement(line).name: line for line in EXTRAS.get(stage, ())}
    assert set(pins) - CORE == set(extra)
    for line in (*PROJECT["dependencies"], *extra.values()):
        wanted = Requirement(line)
        if wanted.name in pins:
            assert wanted.specifier.contains(pins[wanted.name]), line


def test_the_extra_all_has_every_other():
    (line,) = EXTRAS["all"]
    assert Requirement(line).extras == set(EXTRAS) - {"all"}


def test_entry_points_name_what_exists():
    for group in PROJECT["entry-points"].values():
        for place in group.values():
            module, _, name = place.partition(":")
            assert hasattr(import_module(module), name), place
