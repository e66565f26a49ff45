from __future__ import annotations

import numpy as np
import pytest

from ptmiss.core.ragged import Ragged
from ptmiss.simulation import constants
from ptmiss.simulation.candidates import (
    CANDIDATE,
    Point,
    associate,
    from_pv_of,
    track_candidates,
)
from ptmiss.simulation.leptons import leptons
from ptmiss.simulation.tracks import empty_tracks
from ptmiss.simulation.vertices import empty_vertices

D = constants.detector()


@pytest.mark.parametrize(
    ("vertex", "quality", "degrees", "lepton", "expected"),
    [
        (0, 7, 9.0, False, 3),
        (0, 7, 9.0, True, 3),
        (0, 6, 9.0, False, 2),  # loose track in the fit
        (0, 5, 9.0, False, 2),
        (0, 0, 9.0, False, 2),  # near the beam line, vertex not found
        (2, 7, 9.0, True, 2),  # leptons never count as pile-up
        (2, 5, 9.0, False, 1),
        (2, 1, 9.0, False, 1),
        (2, 7, 3.0, False, 1),  # a poor vertex
        (2, 7, 9.0, False, 0),
        (2, 6, 9.0, False, 0),
    ],
)
def test_from_pv(vertex, quality, degrees, lepton, expected):
    assert from_pv_of(vertex, quality, degrees, lepton) == expected


def two_vertices():
    vertices = empty_vertices()[:2]
    vertices["z"] = 5.0, -5.0
    vertices["tracks"] = 10
    vertices["by_z"] = 1, 0
    return vertices


def tracks_at(z, d0=0.0, pt=1.0, error=0.02):
    n = len(z)
    tracks = empty_tracks().rows[:n]
    for name, value in {"z": z, "d0": d0, "pt": pt, "z_error": error}.items():
        tracks[name] = value
    tracks["d0_error"] = 0.01
    tracks["vertex"] = -1
    tracks["charge"] = 1
    tracks["pdg_id"] = 211
    return tracks


def test_tracks_outside_the_fits_find_their_vertex():
    z = [4.95, -4.95, 3.0, -1.0]
    tracks = tracks_at(z, d0=np.array([1.0, 1.0, 0.0, 1.0]))
    associate(D, tracks, two_vertices())
    assert tracks["quality"].tolist() == [5, 5, 0, 1]
    assert tracks["vertex"].tolist() == [0, 1, 0, 1]


def test_without_vertices_all_tracks_count_for_the_beam_spot():
    tracks = tracks_at([1.0])
    associate(D, tracks, two_vertices()[:0])
    assert (tracks["vertex"][0], tracks["quality"][0]) == (0, 0)


def test_impact_parameters_are_taken_to_the_vertex_and_only_above_half_a_gev():
    tracks = tracks_at([5.03, 5.03], pt=np.array([0.5, 0.51]))
    tracks["vertex"], tracks["quality"] = 0, 7
    out = np.zeros(10, dtype=CANDIDATE)
    pv = Point(D.beam_x, D.beam_y + 0.01, 5.0)
    assert track_candidates(D, tracks, two_vertices(), pv, out) == 2
    for name in ("d0", "d0_error", "dz", "dz_error"):
        assert out[name][0] == -1.0
    assert out["dz"][1] == pytest.approx(0.03, abs=1e-6)
    assert out["d0"][1] == pytest.approx(-0.01, abs=1e-7)  # at phi = 0: minus the shift in y
    assert out["from_pv"][:2].tolist() == [3, 3]


def candidates(rows):
    names = ("pt", "eta", "phi", "pdg_id", "charge", "from_pv")
    columns = {
        name: np.array([row[i] for row in rows], dtype="f4" if i < 3 else "i4")
        for i, name in enumerate(names)
    }
    columns["mass"] = np.zeros(len(rows), dtype="f4")
    return Ragged(np.array([0, len(rows)]), columns)


def test_isolation_by_hand():
    found = leptons(
        candidates(
            [
                (50.0, 0.0, 3.1, 13, -1, 3),
                (4.0, 0.1, 3.1, 211, 1, 3),  # of the vertex
                (3.0, 0.1, -3.1, 22, 0, 3),  # across the seam
                (2.0, -0.1, 3.1, 211, 1, 0),  # pile-up: takes 1.1 of itself off the neutrals
                (0.4, 0.0, 3.0, 130, 0, 3),  # too soft
                (9.0, 0.5, 3.1, 211, 1, 3),  # too far
                (60.0, 1.0, 0.0, -13, 1, 3),
                (2.0, 1.0, 2.0, 13, -1, 3),  # too soft for a muon
            ]
        ),
        13,
    )
    assert found["pt"].tolist() == [60.0, 50.0]
    assert found["isolation"] == pytest.approx([0.0, (4.0 + 3.0 - 1.1 * 2.0) / 50.0])


def test_no_leptons():
    assert leptons(candidates([(50.0, 0.0, 0.0, 13, -1, 3)]), 11).counts.tolist() == [0]
