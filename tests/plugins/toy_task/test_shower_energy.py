"""A task of another package runs through rules, stages and page of this one."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml

from workflow_runs import jobs_planned, snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

HERE = Path(__file__).parent
SAMPLING = (2.0, 1.0, 0.5, 0.8)
"""GeV of a shower for each GeV that a layer sees of it: the answer that the network must find."""
OWN = {
    "task": "shower_energy",
    "samples": {"beam": {"label": "Test beam", "files": ["beam_*.csv"]}},
    "trainings": {
        "dense": {
            "samples": {"beam": 1.0},
            "network": {"kind": "dense", "units": [16], "activation": "relu"},
            "head": {"kind": "regression", "targets": ["energy"], "huber": 0.0},
            "seed": 3,
        }
    },
}


def install(folder: Path) -> None:
    """Put the package into a folder, with the entry points that its pyproject.toml has."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    shutil.copytree(
        HERE / "shower_energy",
        folder / "shower_energy",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    info = folder / f"shower_energy-{project['version']}.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}"]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    points = [
        line
        for group, names in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {place}" for name, place in names.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(points) + "\n")


def showers(path: Path, first: int, n: int) -> None:
    """Write showers whose energy is an exact sum of what the layers see."""
    rng = np.random.default_rng(first)
    energy = rng.uniform(20.0, 200.0, n)
    shares = rng.dirichlet([2.0, 4.0, 3.0, 1.0], n)
    seen = energy[:, None] * shares / np.array(SAMPLING)
    with open(path, "w", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["event", "energy", *(f"layer_{i}" for i in range(1, 5))])
        for i in range(n):
            writer.writerow([first + i, *map(repr, [float(energy[i]), *seen[i].tolist()])])


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that the package is installed in, on the path of every process that starts."""
    folder = tmp_path_factory.mktemp("site")
    install(folder)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), *([before] if before else [])])
    yield folder
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="module")
def run(repository, installed, tmp_path_factory):
    """The folder of a finished run, and its configuration."""
    folder = tmp_path_factory.mktemp("run")
    for i in range(2):
        showers(folder / f"beam_{i}.csv", 10_000 * i, 1500)
    own = folder / "own.yaml"
    own.write_text(yaml.safe_dump(OWN))
    done = snakemake(repository, folder, "all", "--configfile", str(own))
    assert done.returncode == 0, done.stdout[-4000:]
    assert "not present in the Snakefile" not in done.stdout  # local rules of other tasks
    return folder, own


def test_the_network_finds_the_answer_that_the_sum_does_not_know(run):
    with open(run[0] / "results/performance/dense.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    widths = {
        name: [
            float(row["value"])
            for row in rows
            if (row["estimator"], row["quantity"]) == (name, "resolution")
        ]
        for name in ("network", "sum")
    }
    assert len(widths["sum"]) == 4
    assert all(network < width for network, width in zip(*widths.values(), strict=True))
    assert max(widths["network"][1:]) < 0.05 < 0.1 < min(widths["sum"][1:])
    for row in rows:
        if row["value"]:
            assert float(row["err_low"]) <= float(row["value"]) <= float(row["err_high"])
    # two estimators and two quantities, of four folds in ten
    assert sum(int(row["n_events"]) for row in rows) > 4 * 1000


def test_only_the_stages_of_the_task_ran_and_the_page_says_what_it_is(run):
    results = run[0] / "results"
    assert {path.name for path in results.iterdir() if path.is_dir()} == {
        "benchmarks", "checkpoints", "datasets", "estimates", "logs", "models", "performance",
        "report", "skim",
    }  # fmt: skip
    page = (results / "report/report.html").read_text()
    for words in ("Energy of showers", "dense is better than the plain sum", "Relative", "train"):
        assert words.lower() in page.lower()
    assert page.count("<figure") == 2
    assert str(run[0]) not in page
    assert json.loads((results / "summary.json").read_text())["task"] == "shower_energy"
    assert json.loads((results / "models/dense/onnx/parity.json").read_text())["events"] > 0


def test_nothing_runs_again_and_an_edit_of_the_measure_runs_performance_and_page(
    repository, installed, run
):
    folder, own = run
    assert jobs_planned(repository, folder, own) == {}
    measure = installed / "shower_energy/measure.py"
    text = measure.read_text()
    measure.write_text(text + "# another way to measure\n")
    assert set(jobs_planned(repository, folder, own)) == {"performance", "report", "all"}
    measure.write_text(text)
    assert jobs_planned(repository, folder, own) == {}


def test_its_configuration_is_checked_like_any_other(repository, installed, tmp_path):
    def check(**own):
        (tmp_path / "own.yaml").write_text(yaml.safe_dump({**OWN, **own}))
        done = subprocess.run(
            [sys.executable, "-m", "ptmiss.tasks.check", str(tmp_path / "own.yaml")],
            cwd=repository / "scripts",
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    assert check() == "The settings are valid.\n"
    assert check(samples={"pions": OWN["samples"]["beam"]}) == (
        "error: setting trainings.dense.samples is 'beam', allowed: pions\n"
    )
    assert check(task="showers").startswith("error: setting task is 'showers', allowed: met, sho")
    assert check(gate={"require": True}) == (
        "error: setting gate: the task 'shower_energy' has no such section, 'met' has; take it out,"
        " or write `task: met`\n"
    )


def test_the_documentation_shows_this_task(repository):
    page = (repository / "docs/how-to/extending.md").read_text()
    declaration = (HERE / "shower_energy/task.py").read_text()
    assert declaration[declaration.index("TASK = ") :] in page
    assert 'shower_energy = "shower_energy.task:TASK"' in page
    for path in (HERE / "shower_energy").glob("[a-z]*.*"):
        assert f"`{path.name}`" in page or path.name == "task.py"
