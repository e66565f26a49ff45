"""A failed closure ends the run after its page, or is a warning; calibrations that cannot be."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from toys import write_pfnano
from workflow_runs import snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

SMALL = {"pileup": 4.0, "per_collision": 8.0, "per_hard": 12.0}
HOPELESS = 0.999
"""A probability that hardly a good correction reaches."""


def configuration(folder, name, sqrt_s=13.0, p_value=HOPELESS, **calibration):
    """Z to mumu as data and as simulation, without a network."""

    def sample(name, is_data, energy):
        return {
            "source": "pfnano", "label": name, "files": [str(folder / f"{name}.root")],
            "files_per_part": 1, "is_data": is_data, "cross_section": 1.0, "sum_of_weights": 1.0,
            "selection": "zmumu", "sqrt_s": energy,
        }  # fmt: skip

    values = {
        "samples": {
            "toy_data": sample("toy_data", True, sqrt_s), "toy": sample("toy", False, 13.0),
        },
        "evaluate": {"estimators": ["pf", "puppi"]},
        "vary": {"samples": []},
        "performance": {"replicas": 50},
        "report": {"dpi": 60},
        "calibration": {
            "data": "toy_data", "simulation": "toy", "backgrounds": [], "apply": {},
            "replicas": 20, "form": "kernel", "form_variation": "empirical",
            "closure": {"estimators": ["pf"], "permutations": 200, "qt_ranges": [[0, 50]],
                        "p_value": p_value},
            **calibration,
        },
    }  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values))
    return "--configfile", str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("closure")
    for name, n, seed in (("toy_data", 400, 1), ("toy", 900, 2)):
        write_pfnano(folder / f"{name}.root", n, seed, process="zmumu", selected=True, **SMALL)
    return folder


@pytest.fixture(scope="module")
def failed(repository, folder):
    """The words of a run whose closure failed."""
    own = configuration(folder, "required", root_histograms=True)
    done = snakemake(repository, folder, "all", *own)
    assert done.returncode == 1
    return done.stdout


def red(folder):
    """Return the names of failed tests on the page."""
    page = (folder / "results/report/report.html").read_text()
    table = page.partition('<table id="tests">')[2].partition("</table>")[0]
    rows = [row for row in table.split("<tr>") if 'class="bad"' in row and ">closure<" in row]
    assert re.search(r"\.bad \{[^}]*color: var\(--bad\)", page)
    return [re.findall(r"<td>(.*?)</td>", row)[1] for row in rows]


def test_a_failed_closure_ends_the_run_and_the_page_shows_it_in_red(folder, failed):
    assert re.search(
        r"closure, training classical, estimator pf, sample toy(_data)?, region \w+: \w+"
        r" \(.+\) is [0-9.e-]+, allowed at least 0\.999",
        failed,
    )
    assert "calibration.require_closure: false turns this into a warning" in failed
    results = folder / "results"
    assert not (results / "calibration/confirmed.json").exists()
    tests = json.loads((results / "calibration/classical/closure.json").read_text())["tests"]
    assert sorted(red(folder)) == sorted(one["name"] for one in tests if not one["passed"])
    assert len(red(folder)) > 0
    assert (results / "calibration/classical/histograms.root").exists()


@pytest.mark.usefixtures("failed")
def test_a_failed_closure_may_be_a_warning(repository, folder):
    own = configuration(folder, "warned", root_histograms=True, require_closure=False)
    done = snakemake(repository, folder, "all", *own)
    assert done.returncode == 0, done.stdout[-3000:]
    assert len(red(folder)) > 0
    assert (folder / "results/calibration/confirmed.json").exists()
    said = (folder / "results/logs/gate/accept.log").read_text()
    assert "closure, training classical, estimator pf" in said
    assert "allowed at least 0.999" in said


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"data": "nobody"}, "setting calibration.data is 'nobody', allowed: toy, toy_data"),
        (
            {"backgrounds": ["toy_date"]},
            "setting calibration.backgrounds is 'toy_date', allowed: toy, toy_data; did you mean"
            " toy_data?",
        ),
        (
            {"closure": {"estimators": ["pff"]}},
            "setting calibration.closure.estimators is 'pff', allowed: pf, puppi, stored_",
        ),
        ({"sqrt_s": 13.6}, "sample toy is of sqrt(s) = 13 TeV, toy_data of 13.6 TeV; calibrate"),
    ],
)
def test_a_calibration_that_cannot_be_is_refused_before_any_job(repository, folder, changes, says):
    own = configuration(folder, "refused", **changes)
    done = snakemake(repository, folder, "--dry-run", "all", *own)
    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if says in line]
