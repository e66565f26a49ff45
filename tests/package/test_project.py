"""What a stranger meets first: continuous integration, hooks, citation, the targets of make."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def loaded(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(path: Path) -> list[dict]:
    return [step for job in loaded(path)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_a_workflow_runs_is_here(path):
    commands = [step["run"] for step in steps(path) if "run" in step]
    assert commands
    for command in commands:
        program, *words = command.split()
        if program == "make":
            assert set(words) <= TARGETS, command
        else:
            assert program == "python", command
            assert (ROOT / words[0]).is_file(), command


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_their_major_version(path):
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action) for action in used), used


def test_continuous_integration_tries_each_part_of_the_product():
    (path,) = WORKFLOWS
    assert set(loaded(path)["jobs"]) == {"lint", "unit", "package", "workflow", "docs"}


def test_everything_below_github_is_read():
    for path in [*(ROOT / ".github").rglob("*.yml"), ROOT / ".pre-commit-config.yaml"]:
        assert isinstance(loaded(path), dict), path
    for form in ("bug", "idea"):
        fields = loaded(ROOT / f".github/ISSUE_TEMPLATE/{form}.yml")
        assert {"name", "description", "body"} <= set(fields)


def test_hooks_have_the_locked_versions():
    locked = dict(
        re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements/test.txt").read_text(), re.MULTILINE)
    )
    revisions = {
        repository["repo"].rpartition("/")[2]: repository["rev"]
        for repository in loaded(ROOT / ".pre-commit-config.yaml")["repos"]
    }
    assert revisions["ruff-pre-commit"] == f"v{locked['ruff']}"
    assert revisions["snakefmt"] == f"v{locked['snakefmt']}"


def test_the_citation_has_the_version_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = loaded(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    assert citation["authors"] == project["authors"]


def test_lint_checks_style_floors_and_types():
    (lines,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    programs = re.findall(r"\$\(BIN\)/([\w-]+)", lines)
    assert programs == ["ruff", "ruff", "snakefmt", "lint-imports", "mypy"]


LOADED = {
    "fsspec-xrootd": "uproot, for root://",
    "xrootd": "fsspec-xrootd",
    "pygments": "snakemake --report",
    "snakemake-executor-plugin-slurm": "snakemake --profile slurm",
    "snakemake-executor-plugin-cluster-generic": "snakemake --profile profiles/htcondor",
}
"""Packages that nothing here imports -> who loads them."""


def test_every_package_of_a_run_is_used():
    lines = (ROOT / "requirements/run.in").read_text(encoding="utf-8").splitlines()
    names = {re.split(r"[=\s]", line)[0] for line in lines if line and line[0] != "#"}
    modules: dict[str, set[str]] = {}
    for module, owners in metadata.packages_distributions().items():
        for owner in owners:
            modules.setdefault(owner.lower().replace("_", "-"), set()).add(module)
    files = [ROOT / "Snakefile", *(ROOT / "workflow").rglob("*.smk"), *ROOT.glob("scripts/**/*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", text, re.MULTILINE))
    unused = {name for name in names if not modules.get(name.replace("_", "-"), set()) & imported}
    assert unused == set(LOADED)


def test_every_target_of_make_is_phony_and_is_listed():
    phony = " ".join(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)).split()
    assert sorted(phony) == sorted(TARGETS)
    assert set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)) == TARGETS
