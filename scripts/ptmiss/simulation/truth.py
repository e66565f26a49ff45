"""What is known of a generated collision: its true missing momentum and its generator jets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ptmiss.core.ragged import Ragged, segment_sum
from ptmiss.events.objects.jets import cluster
from ptmiss.simulation.particles import is_invisible

JET_RADIUS = 0.4
"""Of the anti-kT generator jets, as in NanoAOD."""

JET_MIN_PT = 10.0
"""GeV; NanoAOD stores generator jets above it, and sums over them (HT) inherit the threshold."""


@dataclass(frozen=True)
class Truth:
    """Truth of n collisions.

    gen_met_px, gen_met_py: float64 (n,), GeV.
    gen_jets: columns pt, eta, phi, mass (float32), by falling pT.
    """

    gen_met_px: np.ndarray
    gen_met_py: np.ndarray
    gen_jets: Ragged


def gen_met(particles: Ragged) -> tuple[np.ndarray, np.ndarray]:
    """Return px and py in GeV, float64 (n,), of the vector sum of the invisible particles.

    Particles that only escape through the beam pipe or the acceptance do not count: that loss
    belongs to the detector.
    """
    hidden = particles.keep_candidates(is_invisible(particles["pdg_id"]))
    pt, phi = hidden["pt"].astype(np.float64), hidden["phi"].astype(np.float64)
    return (
        segment_sum(pt * np.cos(phi), hidden.offsets),
        segment_sum(pt * np.sin(phi), hidden.offsets),
    )


def gen_jets(particles: Ragged) -> Ragged:
    """Cluster the visible stable particles with anti-kT into jets above `JET_MIN_PT`.

    Leptons are included, prompt ones too, and neutrinos are not: the definition of GenJet in
    NanoAOD, so that HT summed over jets means the same. Returns pt, eta, phi, mass by falling pT.
    """
    visible = ~is_invisible(particles["pdg_id"])
    # what stays in the beam would only cost time: it cannot be in a jet of 10 GeV
    seen = particles.keep_candidates(visible & (np.abs(particles["eta"]) < 10.0))
    return cluster(seen, radius=JET_RADIUS, min_pt=JET_MIN_PT)


def truth_of(particles: Ragged) -> Truth:
    """Return the truth of generated collisions; `particles` as in `generator.Generated`."""
    px, py = gen_met(particles)
    return Truth(px, py, gen_jets(particles))
