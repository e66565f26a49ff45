"""The detector, event by event: overlay, tracks, calorimeters, vertices, candidates.

Kernels of the detector that create no array are compiled with `_nrt=False`: counting references to
the arrays they are handed, atomically at each call, took half of an event's time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.core.ragged import Ragged
from ptmiss.simulation.angles import TWO_PI
from ptmiss.simulation.candidates import CANDIDATE, Point, associate, track_candidates
from ptmiss.simulation.cells import ECAL, HCAL, HF_EM, HF_HAD, add_noise, clear, empty_calorimeters
from ptmiss.simulation.constants import Detector
from ptmiss.simulation.incoming import Incoming
from ptmiss.simulation.passage import Collision, Signals, follow_collision
from ptmiss.simulation.pileup import PileUp
from ptmiss.simulation.readout import read_out
from ptmiss.simulation.rng import normal, poisson, uniform
from ptmiss.simulation.tracks import CAPACITY, add_fakes, empty_tracks
from ptmiss.simulation.vertices import empty_vertices, find_vertices

MAX_COLLISIONS = 1000

EVENT = np.dtype(
    [
        *((name, np.float64) for name in ["mu", "pv_x", "pv_y", "pv_z", "gen_x", "gen_y", "gen_z"]),
        *((name, np.int64) for name in ["n_pu", "n_pv", "n_pv_good", "first_collision"]),
    ]
)
"""What is known of one event, see `Detected`."""


class Workspace(NamedTuple):
    """The memory one event needs; it is reused for every event.

    vertices: of `VERTEX`; collisions: x and y (cm) of those in time, shape (MAX_COLLISIONS, 2).
    """

    signals: Signals
    vertices: np.ndarray
    collisions: np.ndarray


class Chunk(NamedTuple):
    """A chunk of events: what they are made of, and what is known of each.

    hard: their hard collisions; folds (int64), seeds (uint64), known (of `EVENT`): shape (n,).
    """

    hard: Incoming
    pileup: PileUp
    folds: np.ndarray
    seeds: np.ndarray
    known: np.ndarray


@dataclass(frozen=True)
class Detected:
    """What the detector gives for a chunk of events.

    candidates: names of `CANDIDATE` -> flat arrays; event: name -> array of shape (n_events,):
    mu (mean interactions), n_pu (in-time pile-up collisions), n_pv and n_pv_good (vertices), pv_*
    and gen_* (chosen and true hard vertex, cm), first_collision (library index of the first
    pile-up collision, -1 without).
    """

    candidates: Ragged
    event: dict[str, np.ndarray]


@njit(cache=True, nogil=True, error_model="numpy")
def _overlay(d: Detector, state: np.ndarray, w: Workspace, chunk: Chunk, i: int) -> None:
    """Overlay event i with pile-up and send all its collisions through the detector."""
    pileup, event = chunk.pileup, chunk.known[i]
    profile, library = pileup.profile, pileup.library
    mu = profile.mu[np.searchsorted(profile.cumulative, uniform(state), side="right")]
    n_pu = min(poisson(state, mu), MAX_COLLISIONS - 1)
    n_late = poisson(state, d.oot_collisions * mu)
    first, last = pileup.lists.offsets[chunk.folds[i]], pileup.lists.offsets[chunk.folds[i] + 1]
    event.mu = mu
    event.n_pu = n_pu
    event.first_collision = -1
    for k in range(1 + n_pu + n_late):
        in_time = k <= n_pu
        x = d.beam_x + d.beam_width * normal(state)
        y = d.beam_y + d.beam_width * normal(state)
        z = d.beam_z + d.beam_length * normal(state)
        rotation, flip = 0.0, 1.0
        if in_time:
            w.collisions[k, 0] = x
            w.collisions[k, 1] = y
        if k == 0:
            event.gen_x, event.gen_y, event.gen_z = x, y, z
            particles = chunk.hard.particles[chunk.hard.offsets[i] : chunk.hard.offsets[i + 1]]
        else:
            number = pileup.lists.collisions[first + int(uniform(state) * (last - first))]
            if k == 1 and in_time:
                event.first_collision = number
            rotation = TWO_PI * uniform(state) - math.pi
            flip = 1.0 if uniform(state) < 0.5 else -1.0
            particles = library.particles[library.offsets[number] : library.offsets[number + 1]]
        collision = Collision(k, x, y, z, rotation, flip, in_time)
        follow_collision(d, state, w.signals, particles, collision)


@njit(cache=True, nogil=True, error_model="numpy")
def _reconstruct(
    d: Detector, state: np.ndarray, w: Workspace, event: np.record, out: np.ndarray
) -> int:
    """Find vertices, choose the first one and build the candidates; returns how many."""
    tracks = w.signals.tracks.rows[: w.signals.tracks.n[0]]
    n_vertices = find_vertices(d, state, tracks, w.collisions, w.vertices)
    vertices = w.vertices[:n_vertices]
    associate(d, tracks, vertices)
    pv = Point(d.beam_x, d.beam_y, d.beam_z)
    good = 0
    if n_vertices > 0:
        pv = Point(vertices[0].x, vertices[0].y, vertices[0].z)
        for k in range(n_vertices):
            if vertices[k].tracks >= d.vertex_good_tracks and abs(vertices[k].z) < 24.0:
                good += 1
    event.n_pv = n_vertices
    event.n_pv_good = good
    event.pv_x, event.pv_y, event.pv_z = pv.x, pv.y, pv.z
    n = track_candidates(d, tracks, vertices, pv, out)
    return n + read_out(d, state, w.signals.calorimeters, pv.z, out[n:])


@njit(cache=True, nogil=True, error_model="numpy")
def _detect_event(d: Detector, w: Workspace, chunk: Chunk, i: int, out: np.ndarray) -> int:
    """Simulate event i into `out`; returns its number of candidates, -1 if too many."""
    state = np.array([chunk.seeds[i]], dtype=np.uint64)
    tracks, calorimeters = w.signals.tracks, w.signals.calorimeters
    tracks.n[0] = 0
    clear(calorimeters)
    _overlay(d, state, w, chunk, i)
    add_fakes(d, state, tracks)
    add_noise(state, calorimeters, ECAL, 0.0, d.ecal_noise_cells, d.ecal_min_barrel)
    add_noise(state, calorimeters, HCAL, 0.0, d.hcal_noise_cells, d.hcal_min_barrel)
    add_noise(state, calorimeters, HF_HAD, d.endcap_eta, d.hf_noise_cells, d.hf_min_had)
    add_noise(state, calorimeters, HF_EM, d.endcap_eta, d.hf_noise_cells, d.hf_min_em)
    n = _reconstruct(d, state, w, chunk.known[i], out)
    if tracks.n[0] >= CAPACITY or n >= CAPACITY:
        return -1
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _detect_events(
    d: Detector, w: Workspace, chunk: Chunk, start: int, out: np.ndarray, offsets: np.ndarray
) -> int:
    """Simulate events from `start` until all are done or `out` may be too short; returns the next.

    -1 - i if event i has more candidates than there is room for in any event.
    """
    i = start
    while i < len(chunk.folds):
        room = offsets[i] + CAPACITY
        if room > len(out):
            return i
        n = _detect_event(d, w, chunk, i, out[offsets[i] : room])
        if n < 0:
            return -1 - i
        offsets[i + 1] = offsets[i] + n
        i += 1
    return i


def detect(
    d: Detector, hard: Incoming, pileup: PileUp, folds: np.ndarray, seeds: np.ndarray
) -> Detected:
    """Simulate a chunk of events.

    An event's result depends on its own seed, particles and fold alone.

    Parameters
    ----------
    d
        The detector, see `constants.detector`.
    hard
        The hard collisions, one per event.
    pileup
        What is overlaid.
    folds
        Of each event, shape (n,).
    seeds
        One per event, uint64, shape (n,); see `rng.event_seeds`.

    Raises
    ------
    ValueError
        If a fold needs pile-up and has no collisions, or an event exceeds the room for candidates.
    """
    n_events = len(folds)
    if len(hard.offsets) - 1 != n_events or len(seeds) != n_events:
        raise ValueError("hard collisions, folds and seeds must have one entry per event")
    sizes = np.diff(pileup.lists.offsets)
    if pileup.profile.mu.max() > 0 and n_events and (sizes[np.unique(folds)] == 0).any():
        raise ValueError("the minimum-bias library has no collisions for a fold that needs them")
    known = np.zeros(n_events, dtype=EVENT)
    offsets = np.zeros(n_events + 1, dtype=np.int64)
    out = np.empty(2000 * n_events + CAPACITY, dtype=CANDIDATE)
    signals = Signals(empty_tracks(), empty_calorimeters(d))
    memory = Workspace(signals, empty_vertices(), np.zeros((MAX_COLLISIONS, 2)))
    fold_index = np.ascontiguousarray(folds, dtype=np.int64)
    chunk = Chunk(hard, pileup, fold_index, np.ascontiguousarray(seeds, dtype=np.uint64), known)
    done = 0
    while done < n_events:
        done = _detect_events(d, memory, chunk, done, out, offsets)
        if done < 0:
            raise ValueError(f"event {-1 - done} of the chunk has more than {CAPACITY} candidates")
        if done < n_events:
            out = np.concatenate([out, np.empty_like(out)])
    candidates = out[: offsets[-1]]
    return Detected(
        Ragged(offsets, {name: candidates[name].copy() for name in candidates.dtype.fields or ()}),
        {name: known[name].copy() for name in known.dtype.fields or ()},
    )
