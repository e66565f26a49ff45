"""Candidates with exact numbers, and settings of the variations, for tests."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.core.settings.base import from_mapping
from ptmiss.events.columns import CANDIDATE_COLUMNS
from ptmiss.tasks.met.settings.vary import VarySettings

SECTION = yaml.safe_load(
    (Path(__file__).parents[1] / "config.yaml").read_text(encoding="utf-8")
)["vary"]  # fmt: skip

DIRECTION = float(np.arctan2(4.0, 3.0))
"""Azimuth of a vector with components 3 and 4."""

DEFAULTS = {
    "pt": 50.0, "eta": 0.0, "phi": DIRECTION, "mass": 0.0, "d0": 0.0, "dz": 0.0, "puppi": 1.0,
    "charge": 0, "pdg_id": 130, "from_pv": 3, "pinned": False, "truth": 1.0,
}  # fmt: skip
TYPES = {"charge": np.int8, "pdg_id": np.int16, "from_pv": np.uint8, "pinned": bool}

MUON = {"pdg_id": 13, "charge": -1, "pinned": True}
ELECTRON = {"pdg_id": 11, "charge": -1, "pinned": True}
SOFT = {"pt": 5.0, "phi": DIRECTION}


def settings(**changes: Any) -> VarySettings:
    """Return the settings of config.yaml with some of them changed."""
    return from_mapping(VarySettings, copy.deepcopy(SECTION) | changes, "vary")


def flat(
    jes: float = 0.0, jer: float = 0.0, unclustered: float = 0.0, electron: float = 0.0,
    muon: float = 0.0, **changes: Any,
) -> VarySettings:  # fmt: skip
    """Return settings in which every source has one number everywhere.

    jer: the jets' resolution, which is known to 25 %: smeared with a width of 0.75 of it.
    """
    calo = {"abs_eta": [0.0], "stochastic": [0.0], "constant": [unclustered], "most": [1.0]}
    return settings(
        jes={"abs_eta": [0.0], "pt": [15.0], "relative": [[jes]]},
        jer={
            "abs_eta": [0.0], "noise": [0.0], "stochastic": [0.0], "constant": [jer],
            "relative": [0.25],
        },
        unclustered={
            "charged": {"linear": 0.0, "constant": unclustered},
            "photon": calo, "neutral": calo, "forward": calo,
        },
        lepton_scale={"electron": electron, "muon": muon},
        **changes,
    )  # fmt: skip


def candidates(*events: list[dict[str, Any]]) -> Ragged:
    """Return events of candidates; each says what differs from a jet of one candidate of 50 GeV."""
    rows = [DEFAULTS | candidate for event in events for candidate in event]
    columns = {
        name: np.array(
            [row[name.removeprefix("cand_")] for row in rows],
            dtype=TYPES.get(name.removeprefix("cand_"), np.float32),
        )
        for name in CANDIDATE_COLUMNS
        if name.removeprefix("cand_") in DEFAULTS
    }
    return Ragged(offsets_of(np.array([len(event) for event in events], dtype=np.int64)), columns)
