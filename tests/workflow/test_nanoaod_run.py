"""Ordinary NanoAOD, recorded and simulated, from files to calibration, closure and page."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import yaml

from nanoaod_toys import WIDTHS, write_nanoaod
from workflow_runs import jobs_planned, snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

SHIFTED = {"pf", "puppi"}


def configuration(folder):
    def sample(name, is_data):
        return {
            "source": "nanoaod", "label": name, "files": [str(folder / f"{name}.root")],
            "files_per_part": 1, "is_data": is_data, "cross_section": 1.0, "sum_of_weights": 1.0,
            "selection": "zmumu", "sqrt_s": 13.6,
        }  # fmt: skip

    values = {
        "samples": {"muons": sample("muons", True), "dy": sample("dy", False)},
        "trainings": {},
        "performance": {"replicas": 40},
        "report": {"dpi": 60},
        "calibration": {
            "data": "muons", "simulation": "dy", "backgrounds": [], "apply": {}, "replicas": 20,
            "form": "kernel", "form_variation": "empirical", "require_closure": False,
            "closure": {"estimators": ["puppi", "deepmet_resolution"], "permutations": 200,
                        "qt_ranges": [[0, 50]]},
        },
    }  # fmt: skip
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory, repository):
    folder = tmp_path_factory.mktemp("nanoaod")
    write_nanoaod(
        folder / "muons.root", 1500, 1, version="v9", is_data=True, response=0.9, offset=0.1
    )
    write_nanoaod(folder / "dy.root", 2000, 2, version="v15")
    planned = jobs_planned(repository, folder, configuration(folder))
    assert "vary" not in planned
    done = snakemake(repository, folder, "all", "--configfile", str(folder / "own.yaml"))
    assert done.returncode == 0, done.stdout[-3000:]
    return folder


def test_every_stored_met_is_measured(folder):
    frame = pd.read_csv(folder / "results/performance/classical.csv")
    assert set(frame["estimator"]) == set(WIDTHS)
    assert set(frame["sample"]) == {"muons", "dy"}


def test_uncertainties_are_of_simulation_and_of_what_files_store(folder):
    frame = pd.read_csv(folder / "results/performance/classical.uncertainties.csv")
    assert set(frame["sample"]) == {"dy"}
    assert set(frame["estimator"]) == SHIFTED
    puppi = set(frame[frame["estimator"] == "puppi"]["source"])
    assert puppi == {"jes", "unclustered", "pileup", "systematic", "total"}


def test_every_stored_met_is_calibrated_and_judged(folder):
    results = folder / "results/calibration/classical"
    frame = pd.read_csv(results / "tables.csv")
    assert set(frame["estimator"]) == set(WIDTHS)
    verdict = json.loads((results / "closure.json").read_text())
    judged = {test["estimator"] for test in verdict["tests"] + verdict["undecided"]}
    assert judged == {"puppi", "deepmet_resolution"}
    assert {test["estimator"] for test in verdict["others"]} == set(WIDTHS) - judged


def test_the_page_names_them_as_people_do(folder):
    page = (folder / "results/report/report.html").read_text()
    for label in ("raw PUPPI", "DeepMET resolution", "DeepMET response", "Recorded collisions"):
        assert label in page
    assert "input: " not in page
