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


def test_an_empty_mapping_empties(repository, tmp_path, toy_samples):
    text = own(tmp_path, toy_samples | {"performance": {"slices": {}}})
    done = snakemake(
        repository, tmp_path, "-np", "results/performance/classical.csv", "--configfile", text
    )
    assert '"slices":{}' in done.stdout, done.stdout[-2000:]


def test_braces_of_latex_are_no_wildcards(repository, tmp_path, toy_samples):
    sample = toy_samples["samples"]["zmumu"] | {"label": r"$t\bar{t}$ {input}"}
    values = toy_samples | {"samples": {"z": sample}, "report": {"title": "$p_T^{miss}$ {sample}"}}
    done = snakemake(repository, tmp_path, "-np", "report", "--configfile", own(tmp_path, values))
    assert done.returncode == 0, done.stdout[-2000:]
    assert '"title":"$p_T^{miss}$ {sample}"' in done.stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("report: {title: a}\nreport: {title: b}\n", "line 2: the key 'report' stands there again"),
        ("report: {dpi: 0144}\n", "line 1: YAML takes '0144' for 100"),
    ],
)
def test_a_file_that_says_two_things_is_refused(repository, tmp_path, text, says):
    (tmp_path / "own.yaml").write_text(text)
    done = snakemake(repository, tmp_path, "-n", "--configfile", str(tmp_path / "own.yaml"))
    assert done.returncode == 1
    assert says in done.stdout
    assert "Traceback" not in done.stdout


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
        (
            {"performance": {"qt_edges": list(range(1001))}},
            "--set-resources performance:mem_mb=",
        ),
        ({"evaluate": {"external": {"mine": "{training}.onnx"}}}, "holds braces"),
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


def test_samples_that_cannot_be_calibrated_together_are_refused(repository, tmp_path):
    (tmp_path / "events.root").touch()
    sample = {
        "source": "pfnano", "label": "Z", "files": ["events.root"], "files_per_part": 1,
        "is_data": False, "cross_section": 1.0, "sum_of_weights": 1.0, "selection": "zmumu",
        "sqrt_s": 13.0,
    }  # fmt: skip
    values = {
        "samples": {"data": {**sample, "sqrt_s": 13.6}, "mc": sample}, "trainings": {},
        "calibration": {"data": "data", "simulation": "mc", "backgrounds": [], "apply": {}},
    }  # fmt: skip
    done = snakemake(
        repository, tmp_path, "--dry-run", "all", "--configfile", own(tmp_path, values)
    )
    assert done.returncode == 1
    assert "WorkflowError" in done.stdout
    assert "calibrate samples of one energy together" in done.stdout
    assert "plan.py" not in done.stdout  # no lines of ours that a user would have to read


@pytest.mark.parametrize(
    ("memory", "fits"),
    [
        ("900", False), ("attempt * 900", False), ("attempt * 5000", True),
        ("max(4000, 2 * input.size_mb)", True), ("min(64000, 4000 * 2 ** (attempt - 1))", True),
    ],
)  # fmt: skip
def test_memory_of_the_histograms_is_compared_with_plain_numbers(
    repository, tmp_path, toy_samples, memory, fits
):
    """Before: the last number of any expression was taken for the memory."""
    done = snakemake(
        repository, tmp_path, "-n", "results/performance/classical.csv", "--configfile",
        own(tmp_path, toy_samples), "--set-resources", f"performance:mem_mb={memory}",
    )  # fmt: skip
    assert (done.returncode == 0) == fits, done.stdout[-2000:]
    assert fits or "--set-resources performance:mem_mb=" in done.stdout
