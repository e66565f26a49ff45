"""The profiles of batch systems: in step with the rules, with each other, and free of any site."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from command_modules import module_of

ROOT = Path(__file__).resolve().parents[2]
BATCH = {"slurm": ROOT / "slurm", "htcondor": ROOT / "profiles/htcondor"}
FILES = [ROOT / "Snakefile", *sorted((ROOT / "workflow/rules").glob("*.smk"))]
LOCAL = {
    name
    for path in FILES
    for names in re.findall(r"^localrules:\n((?:    \w+,\n)+)", path.read_text(), re.MULTILINE)
    for name in re.findall(r"\w+", names)
}
RULES = {
    name: {"mem_mb": int(memory), "runtime": int(runtime)}
    for path in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for name, memory, runtime in re.findall(
        r"^rule (\w+):\n(?:.*\n)*?        mem_mb=(\d+),\n        runtime=(\d+),",
        path.read_text(),
        re.MULTILINE,
    )
}


def profile(name):
    return yaml.safe_load((BATCH[name] / "config.yaml").read_text())


def module(path):
    return module_of(path)


@pytest.mark.parametrize("batch", BATCH)
@pytest.mark.parametrize("rule", sorted(set(RULES) - LOCAL))
def test_memory_and_time_of_each_rule_grow_with_the_attempt(batch, rule):
    wanted = f"add to {batch}: {rule}: {{mem_mb: attempt * {RULES[rule]['mem_mb']}, runtime: ...}}"
    found = profile(batch)["set-resources"].get(rule, {})
    assert found.get("mem_mb") == f"attempt * {RULES[rule]['mem_mb']}", wanted
    minutes = re.fullmatch(r"attempt \* (\d+)", found.get("runtime", ""))
    assert minutes, wanted
    assert int(minutes[1]) <= RULES[rule]["runtime"]


@pytest.mark.parametrize("batch", BATCH)
def test_grouped_rules_take_turns(batch):
    values = profile(batch)
    turns = {rule for rule, needs in values["set-resources"].items() if "turn" in needs}
    assert turns == set(values["groups"])
    assert set(values["group-components"]) == set(values["groups"].values())


def test_both_batch_systems_get_the_same_jobs():
    slurm, htcondor = profile("slurm"), profile("htcondor")
    for key in ("groups", "group-components", "set-resources", "resources", "retries"):
        assert slurm[key] == htcondor[key]


def test_retries_are_the_business_of_profiles():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        assert "retries:" not in path.read_text(), path


def test_the_default_profile_overrides_no_other():
    # Snakemake lets it win over a profile given by --profile
    default = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text())
    for batch in BATCH:
        given = profile(batch)
        assert {key: given.get(key, value) for key, value in default.items()} == default
    assert not {"cores", "jobs", "latency-wait"} & set(default)


@pytest.mark.parametrize("batch", BATCH)
def test_no_site_is_named(batch):
    text = json.dumps(profile(batch))
    for word in ("account", "partition", "qos", "queue"):
        assert word not in text


def test_snakemake_understands_every_line(monkeypatch):
    from snakemake.cli import parse_args

    monkeypatch.chdir(ROOT)
    for arguments in ([str(BATCH["htcondor"])], ["slurm", "profiles/conda"]):
        options = [word for name in arguments for word in ("--profile", name)]
        parsed = parse_args([*options, "--dry-run"])[1]
        assert parsed.retries == 2
        assert parsed.latency_wait == 60
        assert parsed.cores is None


@pytest.fixture
def job_script(tmp_path):
    path = tmp_path / "job script.sh"
    job = {
        "rule": "train", "threads": 2,
        "resources": {"mem_mb": 4000, "runtime": 240, "gpu": 1},
    }  # fmt: skip
    path.write_text(f"#!/bin/sh\n# properties = {json.dumps(job)}\ntrue\n")
    return path


def test_a_job_is_submitted_to_htcondor_with_what_it_needs(job_script, tmp_path):
    stand_in = tmp_path / "condor_submit"
    stand_in.write_text("#!/bin/sh\ncat > described\necho '12.0 - 12.0'\n")
    stand_in.chmod(0o755)
    done = subprocess.run(
        [sys.executable, BATCH["htcondor"] / "submit.py", job_script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ
        | {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "PTMISS_CONDOR": 'accounting_group = us; +Wanted = "long"',
        },
    )
    assert done.stdout == "12.0\n"
    lines = (tmp_path / "described").read_text().splitlines()
    for line in (
        f"arguments = \"'{job_script}'\"",
        "request_cpus = 2",
        "request_memory = 4000MB",
        "+MaxRuntime = 14400",
        "accounting_group = us",
        '+Wanted = "long"',
        "request_gpus = 1",
        "batch_name = train",
    ):
        assert line in lines
    assert lines[-1] == "queue"


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        ("1", "undefined", "running"),
        ("2", "undefined", "running"),
        ("3", "undefined", "failed"),
        ("4", "0", "success"),
        ("4", "137", "failed"),
        ("5", "undefined", "failed"),
    ],
)
def test_states_of_htcondor(status, code, says):
    assert module(BATCH["htcondor"] / "status.py").verdict(status, code) == says


def test_a_finished_job_is_found_in_the_history(tmp_path):
    for name, text in (("condor_q", ""), ("condor_history", "echo 4 0")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    command = [sys.executable, BATCH["htcondor"] / "status.py", "12.0"]
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "success\n"


def test_the_image_installs_the_lock_file_with_its_hashes():
    text = (ROOT / "apptainer/ptmiss.def").read_text()
    sections = dict(re.findall(r"^%(\w+)\n((?:    .*\n|\n)+)", text, re.MULTILINE))
    source, target = sections["files"].split()
    assert (ROOT / source).is_file()
    assert f"--require-hashes \\\n        -r {target}" in sections["post"]
    assert re.search(r"^From: python:3\.11-", text, re.MULTILINE)  # as in envs/
    assert "://" not in text
