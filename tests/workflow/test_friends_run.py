"""Friend trees through the workflow: a job for each file, where the configuration asks."""

from __future__ import annotations

import json

import pytest
import uproot
import yaml

from correction_toys import write_corrections
from nanoaod_toys import write_nanoaod
from workflow_runs import jobs_planned, snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("friends")
    for i in range(3):
        write_nanoaod(folder / f"{i}.root", 100 + i, i + 1, first=1000 * i)
    write_corrections(folder / "c.json.gz", ("puppi", "pf"))
    values = {
        "samples": {"dy": {
            "source": "nanoaod", "label": "Z", "files": ["*.root"], "files_per_part": 2,
            "is_data": False, "cross_section": 1.0, "sum_of_weights": 1.0, "selection": "zmumu",
        }},
        "trainings": {},
        "apply": {"samples": ["dy"], "recoil": ["dy"], "corrections": "c.json.gz"},
    }  # fmt: skip
    (folder / "own.yaml").write_text(yaml.safe_dump(values))
    return folder


def test_all_makes_no_friends(repository, folder):
    assert "apply" not in jobs_planned(repository, folder, str(folder / "own.yaml"))


def test_each_file_has_a_friend(repository, folder):
    done = snakemake(repository, folder, "friends", "--configfile", str(folder / "own.yaml"))
    assert done.returncode == 0, done.stdout[-3000:]
    for i in range(3):
        path = folder / f"results/friends/classical/dy/000{i}.root"
        with uproot.open(path) as friend, uproot.open(folder / f"{i}.root") as file:
            own, event = friend["Friends"], file["Events"]["event"].array(library="np")
            assert (own["event"].array(library="np") == event).all()
            assert own["recoilMapped"].array(library="np").any()
            assert json.loads(str(friend["about"]))["input"]["name"] == f"{i}.root"
    assert not (folder / "results/skim").exists()


def test_a_configuration_without_samples_is_one_line(repository, tmp_path):
    done = snakemake(repository, tmp_path, "--dry-run", "friends")
    assert done.returncode == 1
    assert "apply.samples is empty, so there are no friend trees" in done.stdout
    assert "plan.py" not in done.stdout  # Snakemake names the rule, and nothing of ours
