"""The wiring of --sdm conda, with a local channel and a stand-in for conda.

No conda and no public channel take part. What is shown: Snakemake makes one environment for each
file of envs/, each holds all that the commands of its stage import and nothing else, and a rule
runs in its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from command_modules import imported
from ptmiss.stages import stages_of

pytestmark = pytest.mark.conda

STAND_IN = Path(__file__).parents[1] / "local_channel.py"
CONDA = """#!/bin/sh
exec {python} {script} "$@"
"""
ACTIVATE = """export PATH="$1/bin:$PATH"
"""
SAMPLE = {
    "source": "simulated", "label": "ttbar", "process": "ttbar", "setting": "nominal",
    "events": 100, "folds": list(range(10)), "selection": "none",
}  # fmt: skip
TOY = {
    "samples": {"ttbar": SAMPLE},
    "trainings": {
        "tiny": {"samples": {"ttbar": 1}, "tune": "response", "bias": "caption", "seed": 1,
                 "use_puppi": True},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a channel and the stand-in called conda."""
    folder = tmp_path_factory.mktemp("conda")
    subprocess.run([sys.executable, STAND_IN, "channel", folder / "channel"], check=True)
    (folder / "bin").mkdir()
    (folder / "bin/conda").write_text(CONDA.format(python=sys.executable, script=STAND_IN))
    (folder / "bin/conda").chmod(0o755)
    (folder / "bin/activate").write_text(ACTIVATE)
    (folder / "own.yaml").write_text(yaml.safe_dump(TOY))
    return folder


def snakemake(repository, folder, *arguments):
    command = [
        sys.executable, "-m", "snakemake", "--profile", "profiles/conda", "--cores", "2",
        "--directory", str(folder), "--conda-prefix", str(folder / "made"), *arguments,
        "--configfile", str(folder / "own.yaml"),
    ]  # fmt: skip
    done = subprocess.run(
        command,
        cwd=repository,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=os.environ
        | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "LOCAL_CHANNEL_HOME": str(folder)},
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def made(repository, folder):
    """Stage -> the environment that Snakemake made for it."""
    snakemake(repository, folder, "--conda-create-envs-only", "all")
    texts = {path.read_text(): path.stem for path in (repository / "envs").glob("*.yaml")}
    return {texts[path.read_text()]: path.with_suffix("") for path in folder.glob("made/*.yaml")}


def imports(environment, modules):
    """Import modules with an environment's Python, which sees nothing else; return what it says."""
    return subprocess.run(
        [environment / "bin/python", "-I", "-c", f"import {', '.join(sorted(modules))}"],
        capture_output=True,
        text=True,
        check=False,
        env={"TF_CPP_MIN_LOG_LEVEL": "3", "HOME": str(environment)},
    )


def test_wiring_with_a_local_channel_one_environment_for_each_stage(made):
    assert set(made) >= {"simulate", "skim", "train", "export", "evaluate", "performance", "report"}
    assert len(set(made.values())) == len(made)


def test_wiring_with_a_local_channel_each_environment_imports_what_its_stage_does(made):
    for name, stage in stages_of().items():
        environment = made.get(stage.environment or name)
        if environment is not None:
            done = imports(environment, imported(name) - sys.stdlib_module_names)
            assert done.returncode == 0, f"{name}: {done.stderr[-1000:]}"


def test_wiring_with_a_local_channel_environments_are_apart(made):
    for stage, module in (("gate", "numpy"), ("evaluate", "tensorflow"), ("train", "snakemake")):
        assert f"No module named '{module}'" in imports(made[stage], {module}).stderr


def test_wiring_with_a_local_channel_a_rule_runs_in_its_environment(repository, folder, made):
    headline = folder / "results/performance/tiny.headline.json"
    headline.parent.mkdir(parents=True)
    sample = {"sample": "z", "estimators": {"pf": {}}, "gains": []}  # no network to be judged
    headline.write_text(json.dumps({"training": "tiny", "samples": [sample]}))
    # what this environment's Python runs first, wherever it is started
    packages = next(made["gate"].glob("lib/python3*/site-packages"))
    (packages / "sitecustomize.py").write_text(f"open({str(folder / 'used')!r}, 'w').close()")
    target = "results/performance/tiny.gate.json"
    snakemake(repository, folder, target, "--allowed-rules", "gate")
    assert json.loads((folder / target).read_text())["passed"]
    assert (folder / "used").exists()
