"""By which factor each variation changes the momentum of each candidate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.tasks.met.settings.vary import VarySettings
from ptmiss.tasks.met.variations import scales
from ptmiss.tasks.met.variations.clusters import cluster
from ptmiss.tasks.met.variations.names import UNCLUSTERED, parse

COLUMNS = (
    "cand_pt",
    "cand_eta",
    "cand_phi",
    "cand_mass",
    "cand_puppi",
    "cand_charge",
    "cand_pdg_id",
    "cand_pinned",
)
"""Columns of a skim that variations need."""

GROUPS = ("clustered", *(f"unclustered_{kind}" for kind in UNCLUSTERED), "lepton_scale")
"""Groups of candidates, each candidate in one: of jets, outside by type, prompt leptons."""

_ELECTRON, _MUON, _PHOTON, _FORWARD = 11, 13, 22, (1, 2)


@dataclass(frozen=True)
class Shifts:
    """What every variation of a batch is made from.

    group: index into `GROUPS` of each candidate, (n_candidates,); relative: source -> relative
    change of each candidate of its group at one standard deviation (the jets' for all of theirs).
    """

    group: np.ndarray
    relative: dict[str, np.ndarray]

    def members(self, source: str) -> np.ndarray:
        """Return which candidates a source can move, as rising indices."""
        group = "clustered" if source in ("jes", "jer") else source
        return np.flatnonzero(self.group == GROUPS.index(group))

    def factor(self, variation: str) -> tuple[np.ndarray, np.ndarray]:
        """Return which candidates a variation moves, and the factor of each one's momentum.

        A momentum cannot turn round: factors are not below 0.
        """
        source, sign = parse(variation)
        members = self.members(source)
        return members, np.maximum(1.0 + sign * self.relative[source][members], 0.0)


def shifts(candidates: Ragged, identity: np.ndarray, settings: VarySettings) -> Shifts:
    """Return what the variations of these events are made from.

    candidates: with `COLUMNS`; identity: `folds.event_hash` of each event. All candidates of a jet
    share its change. Of the resolution, both directions smear: they use the same random numbers
    with opposite signs. Prompt leptons move in the lepton scale only. Types and uncertainties of
    candidates outside jets: those of CMSSW (PhysicsTools/PatUtils, shifted particles for pTmiss).
    """
    pt, eta, mass = (
        candidates[f"cand_{name}"].astype(np.float64) for name in ("pt", "eta", "mass")
    )
    kind = np.abs(candidates["cand_pdg_id"].astype(np.int64))
    pinned = candidates["cand_pinned"]
    jets = cluster(candidates, settings.jet_radius, settings.jet_pt)
    group = np.full(len(pt), GROUPS.index("unclustered_neutral"))
    group[kind == _PHOTON] = GROUPS.index("unclustered_photon")
    group[np.isin(kind, _FORWARD)] = GROUPS.index("unclustered_forward")
    group[candidates["cand_charge"] != 0] = GROUPS.index("unclustered_charged")
    group[jets.member >= 0] = GROUPS.index("clustered")
    group[pinned] = GROUPS.index("lepton_scale")

    smearing = scales.jet_smearing(jets.pt, jets.eta, settings.jer)
    of_jets = {
        "jes": scales.jet_scale(jets.pt, jets.eta, settings.jes),
        "jer": smearing * scales.normal(identity[jets.event], jets.rank),
    }
    relative = {source: np.append(values, 0.0)[jets.member] for source, values in of_jets.items()}
    # broken candidates stay what they are: not finite
    with np.errstate(over="ignore", invalid="ignore"):
        unclustered = settings.unclustered
        relative["unclustered_charged"] = scales.track_scale(pt, eta, unclustered.charged)
        for name in ("photon", "neutral", "forward"):
            table = getattr(unclustered, name)
            relative[f"unclustered_{name}"] = scales.calo_scale(pt, eta, mass, table)
    leptons = settings.lepton_scale
    relative["lepton_scale"] = np.where(
        kind == _MUON, leptons.muon, np.where(kind == _ELECTRON, leptons.electron, 0.0)
    )
    return Shifts(group, relative)


def moved(candidates: Ragged, members: np.ndarray, factor: np.ndarray) -> Ragged:
    """Return the candidates `members` (rising indices) of every event with scaled momenta.

    Momentum and mass are multiplied by `factor`, and so is the energy; directions and PUPPI weights
    stay. float32, as a file would hold them.
    """
    inside = candidates.offsets.searchsorted(members, side="right") - 1
    counts = np.bincount(inside, minlength=candidates.n_events)
    columns = {name: values[members] for name, values in candidates.columns.items()}
    for name in ("cand_pt", "cand_mass"):
        columns[name] = (columns[name] * factor).astype(np.float32)
    return Ragged(offsets_of(counts), columns)
