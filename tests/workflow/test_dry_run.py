"""The graph of jobs: what a configuration plans, and what it refuses before any job starts."""

from __future__ import annotations

import re

import pytest
import yaml

from workflow_runs import jobs_planned, snakemake

pytestmark = pytest.mark.workflow


Z = {
    "source": "simulated", "label": "Z", "process": "zmumu", "setting": "nominal",
    "events": 9000, "folds": [0, 5, 9], "selection": "zmumu",
}  # fmt: skip


def own(folder, values):
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(values))
    return str(path)


def test_default_configuration_is_planned(repository, tmp_path):
    done = snakemake(repository, tmp_path, "--dry-run", "all")
    assert done.returncode == 0, done.stdout
    assert "report" in done.stdout


def test_samples_of_an_own_configuration_replace_the_default_ones(
    repository, tmp_path, toy_samples
):
    # and the default trainings go with the samples they learn from
    del (values := dict(toy_samples))["trainings"]
    jobs = jobs_planned(repository, tmp_path, own(tmp_path, values))
    assert jobs["simulate"] == jobs["skim"] == jobs["evaluate"] == 3
    assert "train" not in jobs


def test_samples_may_be_left_out_of_what_is_measured(repository, tmp_path, toy_samples):
    # skimmed for the ledger, but not evaluated: no calibration needs it
    ((name, sample),) = toy_samples["samples"].items()
    values = toy_samples | {
        "samples": {name: sample, "behind": sample}, "performance": {"leave_out": ["behind"]},
    }  # fmt: skip
    del values["trainings"]
    jobs = jobs_planned(repository, tmp_path, own(tmp_path, values))
    assert (jobs["evaluate"], jobs["skim"]) == (3, 6)


@pytest.mark.parametrize("external", [{}, {"mine": "model.onnx"}])
def test_without_a_training_every_fold_is_measured(repository, tmp_path, toy_samples, external):
    """Before: six of ten folds never were. A model from elsewhere may have learned from some."""
    (tmp_path / "model.onnx").touch()
    path = own(tmp_path, toy_samples | {"evaluate": {"external": external}})
    table = "results/performance/classical.csv"
    asked = ("--dry-run", "--printshellcmds", table, "--configfile", path)
    done = snakemake(repository, tmp_path, *asked)
    folds = re.findall(r"--folds '?(\{.*?\})", done.stdout)
    every = '"test":[0,1,2,3,4,5,6,7,8,9]'
    assert folds, done.stdout[-3000:]
    assert all((every in text.replace(" ", "")) == (not external) for text in folds)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"skim": {"rows_per_group": -3}}, "setting skim.rows_per_group: found -3"),
        ({"skim": {"rows_pre_group": 3}}, "setting skim.rows_pre_group: unknown key"),
        ({"report": {"title": 7}}, "setting report.title: found 7"),
        ({"samples": {"zmumu": {**Z, "events": 100}}, "trainings": {}}, "cannot hold its 3 slices"),
        ({"samples": {"z": {**Z, "process": "zee"}}, "trainings": {}}, "no such process card"),
        ({"samples": {"z": Z}, "performance": {"leave_out": ["z"]}}, "names every sample"),
        ({"samples": {"a b": {"source": "simulated"}}}, "allowed pattern"),
        (
            {"trainings": {}, "samples": {"mine": {
                "source": "pfnano", "label": "x", "files": ["none/*.root"], "files_per_part": 1,
                "is_data": False, "cross_section": 1.0, "sum_of_weights": 1.0,
                "selection": "none",
            }}},
            "none/*.root",
        ),
    ],
)  # fmt: skip
def test_bad_settings_are_refused_before_any_job(repository, tmp_path, change, says):
    done = snakemake(
        repository, tmp_path, "--dry-run", "all", "--configfile", own(tmp_path, change)
    )
    assert done.returncode == 1
    assert says in done.stdout
    assert "Traceback" not in done.stdout
    assert not (tmp_path / "results").exists()
