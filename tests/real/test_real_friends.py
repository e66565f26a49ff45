"""Friend trees of real NanoAOD: all events, with the numbers of the analyst's library."""

from __future__ import annotations

import json

import numpy as np
import pytest
import uproot
import yaml

from correction_toys import write_corrections
from models import LIMITS
from ptmiss.analysis.corrections import load
from ptmiss.core.settings.base import from_mapping
from ptmiss.tasks.met.estimators.stage import ModelFiles
from ptmiss.tasks.met.friends.stage import Outputs, What, apply, check_friend
from ptmiss.tasks.met.settings.apply import ApplySettings
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings
from skims import CONFIG, sample_of, settings_of

pytestmark = pytest.mark.real

MET = {"nano_tt_v12": "MET", "nano_tt_v15": "PFMET"}
EVALUATE = EvaluateSettings.model_validate_json(
    json.dumps({"estimators": ["pf"], "external": {}, "limits": LIMITS})
)


@pytest.mark.parametrize("name", MET)
def test_friends_of_each_version(samples, tmp_path, name):
    write_corrections(tmp_path / "c.json.gz", ("pf", "puppi", "deepmet_response"))
    values = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["apply"] | {"samples": ["test"]}
    settings = from_mapping(ApplySettings, values, "apply")
    what = What("test", "0000", "t", sample_of(source="nanoaod"), settings_of(), settings)
    path, ntuple = tmp_path / "friend.root", str(samples / f"{name}.root")
    outputs = Outputs(path, tmp_path / "ledger.json")
    apply(ntuple, str(tmp_path / "c.json.gz"), what, EVALUATE, ModelFiles(None, (), 1), outputs)
    check_friend(str(path), ntuple, "nanoaod")
    wanted = [f"{MET[name]}_pt", f"{MET[name]}_phi", "PV_npvs", "event"]
    with uproot.open(path) as friend, uproot.open(ntuple) as file:
        own = friend["Friends"].arrays(library="np")
        pt, phi, n_pv, event = (file["Events"][one].array(library="np") for one in wanted)
    np.testing.assert_array_equal(own["event"], event)
    assert event.size == 200
    met = load(tmp_path / "c.json.gz", "pf")
    for variation, ending in (("nominal", ""), ("stat_up", "StatUp")):
        expected = met.correct(pt, phi, n_pv, None, variation)
        np.testing.assert_allclose(own[f"CalibratedPFMET_pt{ending}"], expected.pt, rtol=1e-6)
        np.testing.assert_allclose(own[f"CalibratedPFMET_phi{ending}"], expected.phi, rtol=1e-6)
    assert "CalibratedPFMET_ptUnclusteredUp" in own
    assert "CalibratedDeepMETResponse_pt" in own
