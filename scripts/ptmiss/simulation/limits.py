"""Between which values a detector is one: outside, the kernels make numbers that mean nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ptmiss.simulation.constants import TABLE

_SHARES = frozenset(
    [
        "track_forward",
        "track_plateau",
        "track_endcap",
        "track_electron",
        "track_muon",
        "tail_fraction",
        "loose_fraction",
        "fake_fraction",
        "muon_id",
        "electron_id",
        "conversion",
        "linked_share",
        "hf_em_share",
        "hf_photon_share",
        "oot_photons",
        "hf_modulation",
    ]
)
"""Efficiencies, probabilities and parts of a whole."""

_SCALE = (0.1, 10.0)

_OWN = {
    "beam_x": (-2.0, 2.0),  # in the beam pipe
    "beam_y": (-2.0, 2.0),
    "beam_z": (-30.0, 30.0),
    "hf_modulation_phi": (-10.0, 10.0),
    "fake_power": (1.5, 20.0),  # the spectrum falls, and has a mean
    **dict.fromkeys(("ecal_scale", "hcal_scale", "hf_scale"), _SCALE),
}

_ETA = (0.1, 6.0)
_ETAS = frozenset(
    [
        "barrel_eta",
        "endcap_eta",
        "forward_eta",
        "track_eta",
        "track_eta_end",
        "muon_eta",
        "vertex_eta",
    ]
)

_MAY_VANISH = re.compile(
    r".*_(stochastic|noise|noise_cells)|(ecal|hcal|hf_had|hf_em)_constant|track_pt_slope"
    r"|(track_pt|d0|dz|conversion|brem_x0)_eta|brem_x0|tail_factor|oot_collisions|beam_length"
)
"""Terms of resolutions, noise and growths: without them a detector is ideal, and still one."""

_FACTOR = 100.0

_RISING = (("barrel_eta", "endcap_eta", "forward_eta"), ("track_eta", "track_eta_end"))

_NOMINAL = {constant.name: constant for constant in TABLE}


def bounds(name: str) -> tuple[float, float]:
    """Return the least and the largest value of a constant, in its unit."""
    if name in _SHARES:
        return 0.0, 1.0
    if name in _OWN:
        return _OWN[name]
    if name in _ETAS:
        return _ETA
    value = _NOMINAL[name].value
    return 0.0 if _MAY_VANISH.fullmatch(name) else value / _FACTOR, value * _FACTOR


def problem(changes: Mapping[str, float]) -> str | None:
    """Return what is wrong with constants that differ from the nominal ones; None if nothing is."""
    for name, value in changes.items():
        if name not in _NOMINAL:
            return f"unknown detector constant {name[:60]}; see simulation/constants.py"
        low, high = bounds(name)
        if not low <= value <= high:
            constant = _NOMINAL[name]
            unit = f" {constant.unit}" if constant.unit else ""
            return (
                f"{name} ({constant.meaning}) is {value:g}{unit}, expected {low:g} to {high:g};"
                f" nominal is {constant.value:g}"
            )
    for names in _RISING:
        values = [changes.get(name, _NOMINAL[name].value) for name in names]
        if sorted(set(values)) != values:
            listed = ", ".join(
                f"{name} {value:g}" for name, value in zip(names, values, strict=True)
            )
            return f"each must be above the one before it: {listed}"
    return None
