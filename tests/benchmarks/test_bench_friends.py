"""Speed of the stage apply as a ratio to a plain loop of uproot and correctionlib."""

from __future__ import annotations

import json
import time
from pathlib import Path

import correctionlib
import numpy as np
import pytest
import uproot
import yaml

from correction_toys import write_corrections
from models import LIMITS
from nanoaod_toys import write_nanoaod
from ptmiss.core.settings.base import from_mapping
from ptmiss.tasks.met.calibration.names import SYSTEMATICS
from ptmiss.tasks.met.estimators.stage import ModelFiles
from ptmiss.tasks.met.friends.stage import Outputs, What, apply
from ptmiss.tasks.met.settings.apply import ApplySettings
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings
from skims import CONFIG, sample_of, settings_of

pytestmark = pytest.mark.benchmark_ratio

N = 50_000
METS = {"pf": "PFMET", "puppi": "PuppiMET", "deepmet_resolution": "DeepMETResolutionTune"}
EVALUATE = EvaluateSettings.model_validate_json(
    json.dumps({"estimators": ["pf"], "external": {}, "limits": LIMITS})
)


def plain(ntuple: Path, corrections: Path, out: Path) -> None:
    """What an analyst writes: chunks of uproot, each variation by correctionlib."""
    document = correctionlib.CorrectionSet.from_file(str(corrections))
    identity = ["run", "luminosityBlock", "event"]
    wanted = [*identity, "PV_npvs", *(f"{met}_{a}" for met in METS.values() for a in ("pt", "phi"))]
    with uproot.recreate(out, compression=uproot.ZLIB(1)) as file:
        tree = None
        for chunk in uproot.iterate(f"{ntuple}:Events", wanted, step_size=20_000, library="np"):
            n_pv = chunk["PV_npvs"].astype(float)
            columns = {name: chunk[name] for name in identity}
            for name, met in METS.items():
                pt, phi = chunk[f"{met}_pt"].astype(float), chunk[f"{met}_phi"].astype(float)
                for way in SYSTEMATICS:
                    x, y = (
                        part - document[f"{name}_xy_{axis}"].evaluate("simulation", way, n_pv)
                        for part, axis in ((pt * np.cos(phi), "x"), (pt * np.sin(phi), "y"))
                    )
                    columns[f"{met}_pt_{way}"] = np.hypot(x, y).astype(np.float32)
                    columns[f"{met}_phi_{way}"] = np.arctan2(y, x).astype(np.float32)
            if tree is None:
                tree = file.mktree("Friends", {n: v.dtype for n, v in columns.items()})
            tree.extend(columns)


def seconds(job) -> float:
    start = time.process_time()
    job()
    return time.process_time() - start


def test_apply_keeps_up_with_a_plain_loop(tmp_path, record_property):
    write_corrections(tmp_path / "c.json.gz", tuple(METS))
    write_nanoaod(tmp_path / "z.root", N, 1, edit=without_shifts)
    values = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["apply"] | {"samples": ["test"]}
    settings = from_mapping(ApplySettings, values, "apply")
    what = What("test", "0000", "t", sample_of(source="nanoaod"), settings_of(), settings)
    outputs = Outputs(tmp_path / "friend.root", tmp_path / "ledger.json")
    ntuple, corrections = tmp_path / "z.root", tmp_path / "c.json.gz"

    def own() -> None:
        apply(str(ntuple), str(corrections), what, EVALUATE, ModelFiles(None, (), 1), outputs)

    pairs = [
        (seconds(own), seconds(lambda: plain(ntuple, corrections, tmp_path / "plain.root")))
        for _ in range(2)
    ]
    apply_s, plain_s = (min(side) for side in zip(*pairs, strict=True))
    record_property("apply_events_per_second", N / apply_s)
    record_property("ratio_to_plain", plain_s / apply_s)
    print(f"apply {N / apply_s:.0f} events/s, {plain_s / apply_s:.2f} x a plain loop")
    with uproot.open(tmp_path / "plain.root") as a, uproot.open(outputs.friend) as b:
        for ours, theirs in (("ptStatUp", "pt_stat_up"), ("phi", "phi_nominal")):
            np.testing.assert_allclose(
                b["Friends"][f"CalibratedPuppiMET_{ours}"].array(library="np"),
                a["Friends"][f"PuppiMET_{theirs}"].array(library="np"), rtol=1e-6,
            )  # fmt: skip
    assert plain_s / apply_s > 0.5


def without_shifts(made) -> None:
    """Take away what the loop does not read either."""
    for name in [name for name in made if name.endswith(("Up", "Down"))]:
        del made[name]
