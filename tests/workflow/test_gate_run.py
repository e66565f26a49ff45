"""The workflow refuses a network that has learnt to shrink, and lets a pinned one pass."""

from __future__ import annotations

import json

import pytest
import yaml

from toys import write_pfnano
from workflow_runs import snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def configuration(folder, pinned_pt):
    """Trained on toy Z to mumu, whose true pTmiss is zero; judged on toy W to munu too."""

    def sample(name, selection):
        return {
            "source": "pfnano", "label": name, "files": [str(folder / f"{name}.root")],
            "files_per_part": 1, "is_data": False, "cross_section": 1.0, "sum_of_weights": 1.0,
            "selection": selection,
        }  # fmt: skip

    values = {
        "samples": {"toy_z": sample("toy_z", "zmumu"), "toy_w": sample("toy_w", "wmunu")},
        "trainings": {
            "network": {"samples": {"toy_z": 1}, "tune": "resolution", "bias": "caption",
                        "seed": 3, "use_puppi": True},
        },
        "skim": {"pinned_pt": pinned_pt},
        "preprocess": {"pinned_pt": pinned_pt},
        "train": {"epochs": 8, "patience": 8, "compile": False},
        "performance": {"replicas": 50},
    }  # fmt: skip
    path = folder / f"own_{pinned_pt:.0f}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate")
    for name, process, seed in (("toy_z", "zmumu", 1), ("toy_w", "wmunu", 2)):
        write_pfnano(
            folder / f"{name}.root", 2500, seed, process=process, selected=True, pileup=4.0
        )
    return folder


def verdict(folder):
    return json.loads((folder / "results/performance/network.gate.json").read_text())


def test_unpinned_leptons_are_refused_and_the_page_is_there(repository, folder):
    path = configuration(folder, 13000.0)  # no lepton is that hard
    done = snakemake(repository, folder, "all", "--configfile", str(path))
    assert done.returncode == 1
    assert "quality gate, training network, sample toy_w: response_met is 0." in done.stdout
    assert not (folder / "results/performance/accepted.json").exists()
    assert (folder / "results/report/report.html").exists()
    assert not verdict(folder)["passed"]


def test_pinned_leptons_pass(repository, folder):
    path = configuration(folder, 10.0)
    done = snakemake(repository, folder, "all", "--configfile", str(path))
    assert done.returncode == 0, done.stdout[-3000:]
    assert verdict(folder)["passed"]
    assert (folder / "results/performance/accepted.json").exists()
