"""Every constant of the parametric detector, in one table with unit and origin.

The detector is a sketch of CMS in Run 2, good enough to study estimators of missing transverse
momentum and kinder than the real one. "PF" is CMS, arXiv:1706.04965; "tracking" is CMS,
arXiv:1405.6569; "photons" is CMS, arXiv:1502.02702; "muons" is CMS, arXiv:1804.04528; "TDR" is the
CMS detector paper, JINST 3 (2008) S08004. "level" marks values set so that the number and the
thresholds of candidates resemble a public CMS event sample and that the resolution of PF and PUPPI
missing transverse momentum in Z to mumu has the known size; no trained network was looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np


@dataclass(frozen=True)
class Constant:
    """One number of the detector: its name in the kernels, value, unit and origin."""

    name: str
    value: float
    unit: str
    reference: str
    meaning: str


def _c(name: str, value: float, unit: str, reference: str, meaning: str) -> Constant:
    return Constant(name, float(value), unit, reference, meaning)


TABLE: tuple[Constant, ...] = (
    # geometry
    _c("field", 3.8, "T", "TDR", "solenoid field"),
    _c("barrel_radius", 129.0, "cm", "TDR", "inner radius of the barrel calorimeter"),
    _c("endcap_z", 317.0, "cm", "TDR", "distance of the endcap calorimeters"),
    _c("hf_z", 1115.0, "cm", "TDR", "distance of the forward calorimeters"),
    _c("barrel_eta", 1.479, "", "TDR", "end of the barrel calorimeter"),
    _c("endcap_eta", 3.0, "", "TDR", "end of the endcap calorimeters"),
    _c("forward_eta", 5.1, "", "TDR", "end of the forward calorimeters"),
    # luminous region
    _c("beam_x", -0.025, "cm", "level", "beam spot (as in a public CMS simulation sample)"),
    _c("beam_y", 0.069, "cm", "level", "beam spot"),
    _c("beam_z", 0.0, "cm", "chosen", "beam spot"),
    _c("beam_width", 0.0012, "cm", "chosen", "transverse width of the beam spot"),
    _c("beam_length", 3.5, "cm", "chosen", "longitudinal spread of the collisions"),
    # tracks
    _c("track_eta", 2.5, "", "tracking", "full tracker acceptance"),
    _c("track_eta_end", 2.95, "", "level", "end of the pixel-only region"),
    _c("track_forward", 0.45, "", "level", "efficiency factor of the pixel-only region"),
    _c("track_min_pt", 0.1, "GeV", "tracking", "softest track"),
    _c("track_plateau", 0.87, "", "level", "hadron efficiency, barrel, high pT"),
    _c("track_endcap", 0.93, "", "tracking", "factor beyond |eta| = 1.6"),
    _c("track_turn_on", 0.30, "GeV", "level", "1 - exp(-(pT - 0.1)/turn_on)"),
    _c("track_radius", 50.0, "cm", "tracking", "efficiency falls to 0 at this production radius"),
    _c("track_electron", 0.95, "", "tracking", "factor for electrons"),
    _c("track_muon", 0.99, "", "tracking", "muon efficiency, high pT"),
    _c("track_pt_constant", 0.008, "", "tracking", "relative pT resolution"),
    _c("track_pt_slope", 1.5e-4, "1/GeV", "tracking", "its growth with pT"),
    _c("track_pt_eta", 0.10, "", "tracking", "its growth with eta^2"),
    _c("d0_constant", 0.0012, "cm", "tracking", "d0 resolution at high pT"),
    _c("d0_slope", 0.0080, "cm GeV", "tracking", "d0 resolution over pT"),
    _c("d0_eta", 0.16, "", "tracking", "its growth with eta^2"),
    _c("dz_constant", 0.0020, "cm", "tracking", "dz resolution at high pT"),
    _c("dz_slope", 0.0070, "cm GeV", "tracking", "dz resolution over pT"),
    _c("dz_eta", 0.35, "", "tracking", "its growth with eta^2"),
    _c("tail_fraction", 0.04, "", "chosen", "tracks whose d0 and dz are off by more"),
    _c("tail_factor", 5.0, "", "chosen", "by this factor"),
    _c("loose_fraction", 0.06, "", "level", "tracks of loose quality"),
    _c("fake_fraction", 0.02, "", "tracking", "fake tracks per track"),
    _c("fake_scale", 0.5, "GeV", "chosen", "softest fake; spectrum falls as pT^-fake_power"),
    _c("fake_power", 3.5, "", "chosen", "power of the fakes' spectrum"),
    # muons and electrons
    _c("muon_eta", 2.4, "", "muons", "acceptance"),
    _c("muon_min_pt", 3.0, "GeV", "muons", "softest identified muon"),
    _c("muon_id", 0.985, "", "muons", "identification efficiency"),
    _c("electron_min_pt", 5.0, "GeV", "PF", "softest identified electron"),
    _c("electron_id", 0.90, "", "PF", "identification efficiency"),
    _c("brem_x0", 0.4, "X0", "TDR", "tracker material at eta = 0"),
    _c("brem_x0_eta", 0.35, "X0", "TDR", "its growth with eta^2, up to 1.6 X0"),
    _c("conversion", 0.20, "", "photons", "photons converting at eta = 0"),
    _c("conversion_eta", 0.12, "", "photons", "its growth with eta^2, up to 0.55"),
    _c("conversion_lost", 0.4, "GeV", "chosen", "below, both electrons of a pair curl up"),
    # electromagnetic calorimeter
    _c("ecal_cell", 0.035, "", "TDR", "cell: two crystals, the reach of a cluster"),
    _c("ecal_stochastic", 0.06, "sqrt(GeV)", "photons", "with material in front"),
    _c("ecal_noise", 0.10, "GeV", "photons", "noise of a cluster"),
    _c("ecal_constant", 0.012, "", "photons", "constant term"),
    _c("ecal_min_barrel", 0.45, "GeV", "level", "least energy of a photon candidate, barrel"),
    _c("ecal_min_endcap", 1.2, "GeV", "level", "same, endcap to |eta| = 2.5"),
    _c("ecal_min_forward", 3.0, "GeV", "level", "same, beyond"),
    _c("linked_share", 0.5, "", "level", "soft endcap photons lost in a hadron's shower"),
    _c("linked_max", 5.0, "GeV", "level", "the hardest of them"),
    _c("ecal_noise_cells", 6.0, "", "chosen", "noise candidates an event, just above threshold"),
    _c("ecal_scale", 1.0, "", "chosen", "energy scale"),
    # hadron calorimeter
    _c("hcal_cell", 0.16, "", "level", "cluster: about two towers of 0.087"),
    _c("hcal_stochastic", 1.35, "sqrt(GeV)", "level", "single hadrons (PF: 1.1)"),
    _c("hcal_constant", 0.09, "", "PF", "single hadrons"),
    _c("hcal_min_barrel", 1.8, "GeV", "level", "least energy of a neutral hadron, barrel"),
    _c("hcal_min_endcap", 3.5, "GeV", "level", "same, endcap to |eta| = 2.5"),
    _c("hcal_min_forward", 7.0, "GeV", "level", "same, beyond"),
    _c("excess_sigma", 1.0, "", "PF", "excess over the tracks in units of its resolution"),
    _c("hcal_noise_cells", 3.0, "", "chosen", "noise candidates an event"),
    _c("hcal_scale", 1.0, "", "chosen", "energy scale"),
    # forward calorimeter
    _c("hf_cell", 0.175, "", "TDR", "tower"),
    _c("hf_had_stochastic", 2.8, "sqrt(GeV)", "TDR", "hadrons"),
    _c("hf_had_constant", 0.11, "", "TDR", "hadrons"),
    _c("hf_em_stochastic", 2.0, "sqrt(GeV)", "TDR", "photons and electrons"),
    _c("hf_em_constant", 0.09, "", "TDR", "photons and electrons"),
    _c("hf_em_share", 0.12, "", "level", "mean share of a hadron in the electromagnetic part"),
    _c("hf_photon_share", 0.45, "", "level", "share of a photon in the hadronic part"),
    _c("hf_min_had", 9.0, "GeV", "level", "least energy of a hadronic candidate"),
    _c("hf_min_em", 7.0, "GeV", "level", "least energy of an electromagnetic candidate"),
    _c("hf_noise_cells", 6.0, "", "chosen", "noise candidates an event"),
    _c("hf_scale", 0.95, "", "level", "energy scale"),
    _c("hf_modulation", 0.006, "", "level", "response 1 + modulation cos(phi - modulation_phi)"),
    _c("hf_modulation_phi", 2.2, "rad", "chosen", "direction of the modulation"),
    # out-of-time pile-up
    _c("oot_collisions", 0.34, "", "level", "calorimeter-only collisions per in-time collision"),
    _c("oot_photons", 0.5, "", "level", "share of their photons that is seen"),
    # vertices
    _c("vertex_eta", 2.4, "", "tracking", "tracks for vertices"),
    _c("vertex_seed_pt", 0.4, "GeV", "chosen", "tracks that seed vertices"),
    _c("vertex_d0_sigma", 4.0, "", "tracking", "d0 significance of a track for vertices"),
    _c("vertex_gap", 0.10, "cm", "chosen", "a larger gap in z always separates vertices"),
    _c("vertex_chi2", 7.0, "", "chosen", "neighbours merge below this chi2"),
    _c("vertex_floor", 0.010, "cm", "chosen", "added to the errors when merging"),
    _c("vertex_fit_sigma", 3.5, "", "chosen", "a track enters the fit of a vertex within this"),
    _c("vertex_min_tracks", 3.0, "", "chosen", "tracks of a vertex"),
    _c("vertex_good_tracks", 4.0, "", "tracking", "tracks of a good vertex (ndof above 4)"),
    _c("vertex_pt_cap", 10.0, "GeV", "tracking", "a track counts at most this in sum pT^2"),
    _c("vertex_xy", 0.0080, "cm", "tracking", "transverse resolution times sqrt(tracks)"),
    # association, as CMS packs candidates
    _c("assoc_dz", 0.1, "cm", "PF", "a track belongs to a vertex within this dz"),
    _c("assoc_dz_sigma", 5.0, "", "PF", "and within this significance"),
    _c("assoc_d0", 0.01, "cm", "PF", "a track near the beam line, its vertex not found"),
    _c("assoc_d0_sigma", 2.0, "", "PF", "and within this significance"),
    _c("detail_pt", 0.5, "GeV", "PF", "track detail is kept above this pT"),
)
"""The nominal detector."""

NAMES = tuple(constant.name for constant in TABLE)

Detector: TypeAlias = np.record
"""A detector as kernels take it: a float64 field of each name of `TABLE`."""


def detector(changes: Mapping[str, float] | None = None) -> Detector:
    """Return a detector.

    changes: constants that differ from `TABLE`; an unknown name raises ValueError.
    """
    values = {constant.name: constant.value for constant in TABLE}
    unknown = sorted(set(changes or {}) - set(values))
    if unknown:
        raise ValueError(f"no such detector constant: {', '.join(unknown)}")
    values.update(changes or {})
    kind = np.dtype([(name, np.float64) for name in NAMES])
    record: Detector = np.array([tuple(values.values())], dtype=kind).view(np.recarray)[0]
    return record
