"""Ordinary NanoAOD, recorded and simulated, from files to calibration, closure and page."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import yaml

from correction_toys import document, pileup
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

    triggers = {"triggers": ["HLT_IsoMu24"], "filters": ["Flag_goodVertices", "Flag_Other?"]}
    muons = {**sample("muons", True), **triggers, "golden_json": str(folder / "golden.json")}
    dy = {**sample("dy", False), **triggers, "cross_section": 6000.0, "weights": {"pileup": {
        "file": str(folder / "w.json"), "correction": "PU", "per": "event",
        "inputs": {"NumTrueInteractions": "Pileup_nTrueInt",
                   "weights": {"nominal": "nominal", "up": "up", "down": "down"}},
    }}}  # fmt: skip
    del dy["sum_of_weights"]
    values = {
        "samples": {"muons": muons, "dy": dy},
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
    write_nanoaod(folder / "dy.root", 2000, 2, version="v15", runs=[1500.0, 500.0])
    (folder / "golden.json").write_text(json.dumps({"362000": [[1, 20]]}))
    document(folder, pileup())
    planned = jobs_planned(repository, folder, configuration(folder))
    assert "vary" not in planned
    assert planned["sums"] == 1
    done = snakemake(repository, folder, "all", "--configfile", str(folder / "own.yaml"))
    assert done.returncode == 0, done.stdout[-3000:]
    return folder


def ledger(folder, sample):
    return json.loads((folder / f"results/skim/{sample}/0000.ledger.json").read_text())


def test_the_ledger_says_what_was_asked_of_the_events(folder):
    muons, dy = ledger(folder, "muons"), ledger(folder, "dy")
    assert muons["events"]["rejected"]["not in the golden JSON"] == 500  # 50 a block, 20 of 30
    assert dy["weights"]["in"] == pytest.approx(6000.0)
    assert json.loads((folder / "results/sums/dy.json").read_text())["sum_of_weights"] == 2000.0
    assert not (folder / "results/sums/muons.json").exists()
    assert 1.0 < dy["mean_factors"]["pileup"] < 3.0


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
