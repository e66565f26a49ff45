"""The plan of a run of missing momentum: samples, trainings and files of each stage."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from ptmiss.core.errors import UserError
from ptmiss.core.settings.merging import merged
from ptmiss.tasks.met.report.build import Inputs
from ptmiss.tasks.met.settings.config import Config
from ptmiss.tasks.met.workflow.memory import require_memory
from ptmiss.tasks.met.workflow.plan import Plan
from ptmiss.tasks.met.workflow.results import benchmarks, results

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
SIMULATED = {
    "source": "simulated", "label": "Z", "process": "zmumu", "setting": "nominal", "events": 4000,
    "folds": list(range(10)), "selection": "zmumu",
}  # fmt: skip
FILES = {
    "source": "pfnano", "label": "Z", "files": ["*.root"], "files_per_part": 2, "is_data": False,
    "cross_section": 1.0, "sum_of_weights": 1.0, "selection": "zmumu", "sqrt_s": 13.0,
}  # fmt: skip
DATA = {**FILES, "is_data": True}
NET = {"samples": {"z": 1}, "tune": "response", "bias": "caption", "seed": 1, "use_puppi": True}
WILDCARDS = SimpleNamespace(training="net", sample="f", part="0001")


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i in range(3):
        Path(f"{i}.root").touch()

    def plan(samples=None, **sections):
        own = {"samples": samples or {"z": SIMULATED, "f": FILES, "d": DATA}, **sections}
        return Plan(Config.load(merged(DEFAULT, own, Config), own), str(ROOT))

    return plan


def calibration(**changes):
    return {"data": "d", "simulation": "f", "backgrounds": [], "apply": {}, **changes}


def test_planning_imports_nothing_that_takes_long():
    modules = "stages", "tasks.met.workflow.results", "tasks.met.workflow.memory"
    code = f"import sys, {', '.join(f'ptmiss.{name}' for name in modules)}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "scripts",
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"numba", "awkward", "pandas", "scipy", "tensorflow"} & set(done.stdout.split())


def test_samples_have_the_parts_of_their_files_or_events(plan):
    made = plan(trainings={"net": NET})
    assert made.parts == {"z": ["0000", "0001", "0002"], "f": ["0000", "0001"],
                          "d": ["0000", "0001"]}  # fmt: skip
    assert made.simulated_samples == ["z"]
    assert made.addresses(WILDCARDS) == ("2.root",)
    z = SimpleNamespace(sample="z", part="0001")
    assert made.addresses(z) == made.local_ntuples(z) == ["results/ntuples/z/0001.root"]
    assert [Path(path).name for path in made.process_files(z)] == ["zmumu.yaml"]
    assert len(made.training_skims(WILDCARDS)) == 3
    assert made.model(WILDCARDS) == ["results/models/net/onnx/model.onnx"]


def test_addresses_of_servers_are_no_files_to_watch(plan):
    far = {**FILES, "files": ["root://host//a.root", "0.root"]}
    made = plan({"f": far})
    first = SimpleNamespace(sample="f", part="0000")
    assert made.local_ntuples(first) == ["0.root"]
    assert len(made.addresses(first)) == 2
    assert made.trainings == ["classical"]
    assert made.model(SimpleNamespace(training="classical")) == []


def test_estimates_of_each_stage(plan):
    made = plan(trainings={"net": NET}, performance={"leave_out": ["z"]}, calibration=calibration())
    assert len(made.measured_estimates(WILDCARDS)) == 4
    assert made.varied_samples == ["z", "f"]
    assert len(made.compared_estimates(WILDCARDS)) == 15 * 5
    assert made.calibrated_estimates(WILDCARDS) == [
        f"results/estimates/net/{sample}/nominal/000{part}.parquet"
        for sample in "df"
        for part in range(2)
    ]


def test_samples_that_rescale_a_network_are_measured_and_its_own(plan):
    both = {**NET, "samples": {"z": 1, "f": 2}}
    made = plan(trainings={"net": both, "one": NET}, performance={"leave_out": ["f"]})
    assert made.learnt_samples(WILDCARDS) == ["z"]
    assert plan(trainings={"net": both}).learnt_samples(WILDCARDS) == ["z", "f"]
    assert made.learnt_samples(SimpleNamespace(training="classical")) == []


def test_no_calibration_without_its_samples(plan):
    made = plan({"z": SIMULATED}, trainings={})
    assert made.calibrated_trainings == []
    with pytest.raises(UserError, match=r"no calibration: it needs the samples .*found z"):
        made.calibrated_estimates(SimpleNamespace(training="classical"))
    assert results(made)["closures"] == []


def test_energies_of_a_calibration_agree(plan):
    own = {"f": FILES, "d": {**DATA, "sqrt_s": 13.6}}
    with pytest.raises(UserError, match=r"sample f is of sqrt\(s\) = 13 TeV, d of 13.6 TeV"):
        _ = plan(own, calibration=calibration()).calibrated_trainings


def test_a_measurement_of_nothing_is_refused(plan):
    with pytest.raises(UserError, match="leave_out names every sample"):
        plan({"z": SIMULATED}, performance={"leave_out": ["z"]})


def test_the_page_gets_every_kind_and_each_benchmark_once(plan):
    made = plan(trainings={"net": NET}, calibration=calibration())
    found = results(made)
    assert set(found) == {field.name for field in dataclasses.fields(Inputs)}
    assert found["tables"] == ["results/performance/net.csv"]
    assert found["closures"] == ["results/calibration/net/closure.json"]
    paths = benchmarks(made)
    assert len(paths) == len(set(paths))
    # minbias, simulate, skim, preprocess to interpret, evaluate, vary, performance to closure
    n_minbias = made.config.simulate.minbias.parts
    assert len(paths) == n_minbias + 3 + 7 + 4 + 7 + 5 + 4


@pytest.mark.parametrize(
    ("limit", "fits"),
    [("10", False), ("attempt * 10", False), ("4000", True), ("min(10, 2 * input.size_mb)", True)],
)
def test_memory_is_compared_with_plain_numbers(plan, limit, fits):
    made = plan({"z": SIMULATED})
    if fits:
        require_memory(made.config, bool(made.files), limit)
    else:
        with pytest.raises(UserError, match=r"the rule has 10; .*performance:mem_mb=\d+$"):
            require_memory(made.config, bool(made.files), limit)


def test_files_that_a_sample_names_are_inputs_of_its_skim(plan):
    data = {**DATA, "golden_json": "golden.json"}
    with pytest.raises(UserError, match=r"samples\.d: no such file: golden\.json"):
        plan({"d": data, "f": FILES})
    Path("golden.json").write_text("{}")
    made = plan({"d": data, "f": FILES})
    assert made.files_beside(SimpleNamespace(sample="d")) == ["golden.json"]
    assert made.files_beside(SimpleNamespace(sample="f")) == []


NANO = {**FILES, "source": "nanoaod"}


def test_without_candidates_nothing_is_moved_or_learnt_or_looked_at(plan):
    made = plan(
        {"z": SIMULATED, "f": NANO, "d": {**NANO, "is_data": True}},
        trainings={"net": NET}, calibration=calibration(), vary={"trainings": ["net"]},
    )  # fmt: skip
    assert made.varied_samples == ["z"]
    assert made.uncertain_samples == ["z", "f"]
    compared = made.compared_estimates(WILDCARDS)
    assert [path for path in compared if "/f/" in path] == [
        f"results/estimates/net/f/nominal/000{part}.parquet" for part in range(2)
    ]
    assert all("/z/" in path for path in made.interpreted_skims(WILDCARDS))
    assert len([path for path in made.measured_estimates(WILDCARDS) if "/f/" in path]) == 2


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        ({"trainings": {"net": {**NET, "samples": {"f": 1}}}}, "'nanoaod' has no candidates to"),
        ({"interpret": {"samples": ["f"]}}, "interpret.samples is 'f', allowed: z"),
        ({"calibration": calibration(closure={"estimators": ["chs"]})}, "is 'chs', allowed: deep"),
    ],
)
def test_what_needs_candidates_is_refused_when_planning(plan, sections, says):
    own = {"z": SIMULATED, "f": NANO, "d": {**NANO, "is_data": True}}
    with pytest.raises(UserError, match=says):
        plan(own, **{"trainings": {}, **sections})


def test_an_uncertainty_needs_no_candidates(plan):
    made = plan({"f": NANO}, trainings={})
    assert made.varied_samples == []
    assert made.varied_trainings == ["classical"]
