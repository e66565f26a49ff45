"""PUPPI weights of neutral candidates against those that CMS stored in a public file."""

from __future__ import annotations

from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
import uproot

from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.events.objects.puppi.parameters import RUN2_V15
from ptmiss.events.objects.puppi.weights import puppi_weights


@pytest.mark.real
def test_neutral_weights_equal_the_stored_ones(samples):
    with uproot.open(samples / "pfnano.root") as file:
        names = ["pt", "eta", "phi", "mass", "charge", "pdgId", "puppiWeight"]
        table = file["Events"].arrays([*(f"PFCands_{n}" for n in names), "PV_npvsGood"])
    offsets = offsets_of(ak.to_numpy(ak.num(table["PFCands_pt"])))
    columns = {n: ak.to_numpy(ak.flatten(table[f"PFCands_{n}"])) for n in names}
    stored, neutral = columns.pop("puppiWeight"), columns["charge"] == 0
    # the file has no fromPV: a charged candidate's stored weight, 0 or 1, tells its vertex
    columns["from_pv"] = np.where(neutral | (stored == 1), 3, 0)
    columns["pdg_id"] = columns.pop("pdgId")
    columns["dz"] = np.zeros(len(stored))
    # the file was made with a tune whose high-pT protection starts at 0, not at 20 GeV
    tune = replace(RUN2_V15, protection=replace(RUN2_V15.protection, start_pt=0.0))
    weights = puppi_weights(Ragged(offsets, columns), ak.to_numpy(table["PV_npvsGood"]), tune)
    between = neutral & (stored > 0) & (stored < 1)
    assert between.sum() > 1000
    # stored weights have 8 bits
    np.testing.assert_allclose(weights[neutral], stored[neutral], atol=0.006)
