"""The example for analysts runs with correctionlib and numpy alone, and gives our numbers."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import calibration_toys as toys
from alone import modules, run_alone
from ptmiss.tasks.met.calibration import document
from ptmiss.tasks.met.calibration.apply import Applied, read
from ptmiss.tasks.met.calibration.names import SYSTEMATICS

EXAMPLE = Path(__file__).parents[2] / "docs" / "apply_corrections.py"

NUMBERS = """
import numpy as np
import correctionlib
example = runpy.run_path(sys.argv[0])
events = np.load(sys.argv[2])
corrections = correctionlib.CorrectionSet.from_file(sys.argv[1])
out = {}
for systematic in sys.argv[4:]:
    for dataset in ("data", "simulation"):
        met = example["subtract_offset"](
            corrections, "pf", dataset, *events["met"], events["n_pv"], systematic)
        out[f"{dataset}/{systematic}"] = met
    out[f"mapped/{systematic}"] = example["map_recoil"](
        corrections, "pf", met, events["boson"], events["unseen"], events["n_jets"], systematic)
np.savez(sys.argv[3], **out)
"""


def alone(code: str, *arguments: object) -> str:
    return run_alone(code, *arguments, allowed=modules(["correctionlib", "numpy"]))


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    data = toys.toy(3000, 1, 20, response=0.93, sigma=26.0, slope=(0.1, 0.0))
    made = toys.derived(data, toys.toy(3000, 2, 20), toys.settings(replicas=20))
    path = tmp_path_factory.mktemp("corrections") / "corrections.json.gz"
    document.write(path, document.document([made], "toy"))
    return path


def test_the_rest_is_out_of_reach():
    text = alone("for name in ('ptmiss', 'scipy', 'pyarrow', 'uproot', 'numpy', 'correctionlib'):\n"
                 "    try: __import__(name); print(name)\n"
                 "    except ModuleNotFoundError: pass\n", "x")  # fmt: skip
    assert text.split() == ["numpy", "correctionlib"]


def test_the_example_runs_as_written(written):
    text = alone("runpy.run_path(sys.argv[0], run_name='__main__')", EXAMPLE, written, "pf")
    lines = text.splitlines()
    assert [line.split()[0] for line in lines] == [
        "before", "nominal", "stat_up", "stat_down", "form_up", "form_down",
    ]  # fmt: skip
    assert len({line.split(maxsplit=1)[1] for line in lines}) == len(lines)


def test_a_single_event_has_whole_numbers(written):
    code = (
        "import correctionlib\n"
        "example = runpy.run_path(sys.argv[0])\n"
        "corrections = correctionlib.CorrectionSet.from_file(sys.argv[1])\n"
        "met = example['subtract_offset'](corrections, 'pf', 'simulation', 3.0, 4.0, 25)\n"
        "boson, unseen = (60.0, 0.0), (0.0, 0.0)\n"
        "print(*met, *example['map_recoil'](corrections, 'pf', met, boson, unseen, 1))\n"
    )
    found = np.array(alone(code, EXAMPLE, written).split(), dtype=float)
    assert found.shape == (4,)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("w", [False, True])
def test_the_example_gives_the_numbers_of_the_package(written, tmp_path, w):
    events = toys.toy(2000, 7, 1, w=w).events
    events.boson[:, :3] = events.unseen[:, :3] = 0.0  # without a direction
    events.n_pv[3:6] = 0.0, 200.0, np.nan
    np.savez(
        tmp_path / "events.npz", met=events.met["pf"], n_pv=events.n_pv, boson=events.boson,
        unseen=events.unseen, n_jets=events.n_jets.astype(np.int64),
    )  # fmt: skip
    alone(NUMBERS, EXAMPLE, written, tmp_path / "events.npz", tmp_path / "out.npz", *SYSTEMATICS)
    found = np.load(tmp_path / "out.npz")
    tool = Applied(read(written), "pf")
    for systematic in SYSTEMATICS:
        for dataset in ("data", "simulation"):
            met = tool.met(events, dataset, systematic)
            np.testing.assert_allclose(found[f"{dataset}/{systematic}"], met, rtol=0.0, atol=1e-9)
        u_par, u_perp, q_t = events.recoil(met)
        plain = tool.recoil(events, "simulation")
        if systematic == "nominal":
            np.testing.assert_allclose(plain.u_par, u_par - q_t, atol=1e-9)
        moved = tool.mapped(events, type(plain)(u_par - q_t, u_perp, q_t), systematic)
        met = events.met_of(moved.u_par + q_t, moved.u_perp)
        np.testing.assert_allclose(found[f"mapped/{systematic}"], met, rtol=0.0, atol=1e-9)


def test_a_document_that_nests_without_end_is_one_line(tmp_path):
    """correctionlib alone would end the process."""
    path = tmp_path / "corrections.json.gz"
    path.write_bytes(gzip.compress(b'{"schema_version":2,"corrections":' + b"[" * 200_000, 1))
    done = subprocess.run(
        [sys.executable, EXAMPLE, path, "pf"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
