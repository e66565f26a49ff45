"""The whole road on a small scale, from simulation to the page and the gate."""

from __future__ import annotations

import json
import re
import zipfile

import pyarrow.parquet as pq
import pytest
import yaml

from workflow_runs import jobs_planned, snakemake

pytestmark = pytest.mark.workflow

EVERY_FOLD = list(range(10))
TOY = {
    "samples": {
        "zmumu": {
            "source": "simulated", "label": "Z to <mumu>", "process": "zmumu",
            "setting": "nominal", "events": 240, "folds": EVERY_FOLD, "selection": "zmumu",
        },
        "ttbar": {
            # what is no formula must not end the run at its last job, nor braces at its first
            "source": "simulated", "label": r"$t\bar{t}$ $\nope$ {input}", "process": "ttbar",
            "setting": "pseudodata", "events": 100, "folds": EVERY_FOLD, "selection": "none",
        },
    },
    "trainings": {
        "tiny": {
            "samples": {"ttbar": 1}, "seed": 1, "use_puppi": True,
            "network": {"kind": "neighbours", "units": [8], "embedding": 2},
            "head": {"kind": "event", "tune": "response", "labels": 5.0, "units": [8],
                     "members": 2, "epochs": 2},
        },
    },
    "simulate": {"events_per_part": 80, "minbias": {"events": 600, "parts": 1}},
    "train": {"epochs": 1, "compile": False},
    "performance": {"replicas": 50},
    "vary": {"samples": ["ttbar"]},
    # an epoch of 50 events learns nothing that a gate should judge
    "gate": {"require": False},
    "report": {"title": r"$p_T^{miss}$ of {sample}"},
}  # fmt: skip


@pytest.fixture(scope="module")
def toy(repository, tmp_path_factory):
    """The folder of a finished run, and its configuration file."""
    folder = tmp_path_factory.mktemp("toy")
    own = folder / "own.yaml"
    own.write_text(yaml.safe_dump(TOY))
    done = snakemake(repository, folder, "all", "--configfile", str(own))
    assert done.returncode == 0, done.stdout[-4000:]
    return folder, own


def test_everything_promised_is_there(toy):
    results = toy[0] / "results"
    for path in [
        "ntuples/zmumu/0002.root",
        "skim/zmumu/0000.parquet",
        "skim/ttbar/0001.ledger.json",
        "datasets/tiny/dataset.json",
        "models/tiny/model.keras",
        "models/tiny/history.csv",
        "models/tiny/training.json",
        "models/tiny/onnx/model.onnx",
        "models/tiny/onnx/config.pbtxt",
        "models/tiny/onnx/parity.json",
        "estimates/tiny/zmumu/nominal/0000.parquet",
        "performance/tiny.csv",
        "estimates/tiny/ttbar/jes_up/0001.parquet",
        "performance/tiny.uncertainties.csv",
        "performance/accepted.json",
        "report/report.html",
        "report/overview.png",
        "summary.json",
    ]:
        assert (results / path).stat().st_size > 0, path
    assert not [path for path in results.rglob("*") if "incomplete" in path.name]


def test_no_event_is_lost(toy):
    n_in = 0
    for path in (toy[0] / "results/skim").rglob("*.ledger.json"):
        events = json.loads(path.read_text())["events"]
        assert events["in"] == events["kept"] + sum(events["rejected"].values())
        n_in += events["in"]
        rows = pq.ParquetFile(str(path).replace(".ledger.json", ".parquet")).metadata.num_rows
        assert rows == events["kept"]
    assert n_in == 340


def test_the_network_is_evaluated_beside_the_others(toy):
    path = toy[0] / "results/estimates/tiny/ttbar/nominal/0000.parquet"
    names = pq.read_schema(path).names
    for estimator in ("pf", "chs", "puppi", "oracle", "deepmet"):
        assert f"{estimator}_px" in names


def test_the_page_escapes_what_users_write(toy):
    page = (toy[0] / "results/report/report.html").read_text()
    assert "Z to &lt;mumu&gt;" in page
    assert "<mumu>" not in page
    assert str(toy[0]) not in page


def test_latex_of_users_is_set_or_stands_as_it_is(toy):
    page = (toy[0] / "results/report/report.html").read_text()
    assert "<title>p_T^miss of {sample}</title>" in page
    assert "tt\u0304 $\\nope$ {input}" in page
    log = (toy[0] / "results/logs/report/report.log").read_text()
    assert re.search(r"WARNING .*nope.*: this formula cannot be set", log)


def test_snakemakes_own_report_has_captions_and_labels(repository, toy):
    folder, own = toy
    done = snakemake(repository, folder, "all", "--configfile", str(own), "--report", "own.zip")
    assert done.returncode == 0, done.stdout[-4000:]
    page = (zipfile.Path(folder / "own.zip") / "own/report.html").read_text("utf-8")
    found = json.loads(re.search(r"var results = (\{.*\});?$", page, re.MULTILINE)[1])
    labels = {path: one["labels"] for path, one in found.items()}
    assert labels == {
        "results/report/report.html": {"what": "page"},
        "results/report/overview.png": {"what": "gains in all final states"},
        "results/summary.json": {"what": "headline numbers"},
    }
    assert all(one["caption"].startswith("<p>") for one in found.values())
    assert "networks are trained on 1 mixture of samples" in page


def test_nothing_runs_again_and_an_edit_runs_what_depends_on_it(repository, toy):
    folder, own = toy
    assert jobs_planned(repository, folder, own) == {}
    changed = {**TOY, "report": {"title": "Another title"}}
    other = folder / "other.yaml"
    other.write_text(yaml.safe_dump(changed))
    assert set(jobs_planned(repository, folder, other)) == {"report", "accept", "all"}
