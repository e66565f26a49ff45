"""The detector, event by event: overlay, tracks, calorimeters, vertices, candidates."""

from __future__ import annotations

import math
from collections import namedtuple
from dataclasses import dataclass

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.core.ragged import Ragged
from ptmiss.simulation.calorimeter import (
    TWO_PI,
    add_noise,
    clear,
    empty_cells,
    read_ecal,
    read_hcal,
    read_hf,
)
from ptmiss.simulation.candidates import CANDIDATE, associate, finish_neutrals, track_candidates
from ptmiss.simulation.incoming import Incoming
from ptmiss.simulation.pileup import FoldLists, Profile
from ptmiss.simulation.rng import normal, poisson, uniform
from ptmiss.simulation.tracks import CAPACITY, add_fakes, detect_collision, empty_tracks
from ptmiss.simulation.vertices import empty_vertices, find_vertices

MAX_COLLISIONS = 1000

Workspace = namedtuple("Workspace", "ecal hcal hf_had hf_em tracks vertices x y")

EVENT = np.dtype(
    [
        *((name, np.float64) for name in ["mu", "pv_x", "pv_y", "pv_z", "gen_x", "gen_y", "gen_z"]),
        *((name, np.int64) for name in ["n_pu", "n_pv", "n_pv_good", "first_collision"]),
    ]
)


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


def workspace(d: np.void) -> Workspace:
    """Return the memory one event needs; it is reused for every event."""
    return Workspace(
        empty_cells(d["endcap_eta"], d["ecal_cell"]),
        empty_cells(d["endcap_eta"], d["hcal_cell"]),
        empty_cells(d["forward_eta"], d["hf_cell"]),
        empty_cells(d["forward_eta"], d["hf_cell"]),
        empty_tracks(),
        empty_vertices(),
        np.zeros(MAX_COLLISIONS),
        np.zeros(MAX_COLLISIONS),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _collide(d, hard, i, library, lists, fold, profile, state, w, event) -> int:
    """Overlay and detect event i; returns the number of tracks."""
    mu = profile.mu[np.searchsorted(profile.cumulative, uniform(state), side="right")]
    n_pu = min(poisson(state, mu), MAX_COLLISIONS - 1)
    n_late = poisson(state, d.oot_collisions * mu)
    first, last = lists.offsets[fold], lists.offsets[fold + 1]
    event[i].mu = mu
    event[i].n_pu = n_pu
    event[i].first_collision = -1
    n = 0
    for k in range(1 + n_pu + n_late):
        in_time = k <= n_pu
        x = d.beam_x + d.beam_width * normal(state)
        y = d.beam_y + d.beam_width * normal(state)
        z = d.beam_z + d.beam_length * normal(state)
        if in_time:
            w.x[k] = x
            w.y[k] = y
        if k == 0:
            event[i].gen_x, event[i].gen_y, event[i].gen_z = x, y, z
            n = detect_collision(
                d, hard.particles, hard.offsets[i], hard.offsets[i + 1], 0.0, 1.0, x, y, z, True,
                0, True,
                w.tracks, n, w.ecal, w.hcal, w.hf_had, w.hf_em, state,
            )  # fmt: skip
            continue
        number = lists.collisions[first + int(uniform(state) * (last - first))]
        if k == 1 and in_time:
            event[i].first_collision = number
        rotation = TWO_PI * uniform(state) - math.pi
        flip = 1.0 if uniform(state) < 0.5 else -1.0
        n = detect_collision(
            d, library.particles, library.offsets[number], library.offsets[number + 1], rotation,
            flip,
            x, y, z, False, k, in_time, w.tracks, n, w.ecal, w.hcal, w.hf_had, w.hf_em, state,
        )  # fmt: skip
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _read_out(d, state, i, w, n_tracks, event, out) -> int:
    """Find vertices, choose the first one and build the candidates; returns how many."""
    n_vertices = find_vertices(d, w.tracks, n_tracks, w.x, w.y, state, w.vertices)
    associate(d, w.tracks, n_tracks, w.vertices, n_vertices)
    x, y, z = d.beam_x, d.beam_y, d.beam_z
    good = 0
    if n_vertices > 0:
        x, y, z = w.vertices[0].x, w.vertices[0].y, w.vertices[0].z
        for k in range(n_vertices):
            if w.vertices[k].tracks >= d.vertex_good_tracks and abs(w.vertices[k].z) < 24.0:
                good += 1
    event[i].n_pv = n_vertices
    event[i].n_pv_good = good
    event[i].pv_x, event[i].pv_y, event[i].pv_z = x, y, z
    n = track_candidates(d, w.tracks, n_tracks, w.vertices, n_vertices, x, y, z, out, 0)
    charged = n
    n = read_ecal(d, w.ecal, state, z, out, n)
    n = read_hcal(d, w.hcal, z, out, n)
    n = read_hf(d, w.hf_had, d.hf_min_had, 1, z, out, n)
    n = read_hf(d, w.hf_em, d.hf_min_em, 2, z, out, n)
    finish_neutrals(out, charged, n)
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _detect_one(d, hard, i, library, lists, fold, profile, seed, w, event, out) -> int:
    """Simulate event i into `out`; returns its number of candidates, -1 if too many."""
    state = np.array([seed], dtype=np.uint64)
    clear(w.ecal)
    clear(w.hcal)
    clear(w.hf_had)
    clear(w.hf_em)
    n_tracks = _collide(d, hard, i, library, lists, fold, profile, state, w, event)
    n_tracks = add_fakes(d, w.tracks, n_tracks, state)
    end = d.endcap_eta
    add_noise(d, w.ecal, end, 0.0, d.ecal_cell, d.ecal_noise_cells, d.ecal_min_barrel, state)
    add_noise(d, w.hcal, end, 0.0, d.hcal_cell, d.hcal_noise_cells, d.hcal_min_barrel, state)
    far = d.forward_eta
    add_noise(d, w.hf_had, far, end, d.hf_cell, d.hf_noise_cells, d.hf_min_had, state)
    add_noise(d, w.hf_em, far, end, d.hf_cell, d.hf_noise_cells, d.hf_min_em, state)
    n = _read_out(d, state, i, w, n_tracks, event, out)
    if n_tracks >= CAPACITY or n >= CAPACITY:
        return -1
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _detect_many(
    d, hard, start, library, lists, folds, profile, seeds, w, event, out, offsets
) -> int:
    """Simulate events from `start` until all are done or `out` may be too short; returns the next.

    -1 - i if event i has more candidates than there is room for in any event.
    """
    i = start
    while i < len(folds):
        room = offsets[i] + CAPACITY
        if room > len(out):
            return i
        n = _detect_one(
            d,
            hard,
            i,
            library,
            lists,
            folds[i],
            profile,
            seeds[i],
            w,
            event,
            out[offsets[i] : room],
        )
        if n < 0:
            return -1 - i
        offsets[i + 1] = offsets[i] + n
        i += 1
    return i


def detect(
    d: np.void,
    hard: Incoming,
    library: Incoming,
    lists: FoldLists,
    folds: np.ndarray,
    profile: Profile,
    seeds: np.ndarray,
) -> Detected:
    """Simulate a chunk of events.

    hard: the hard collisions, one per event; library: minimum-bias collisions; lists: which of them
    each fold may use; folds: of each event, shape (n,); profile: mean number of interactions;
    seeds: one per event, uint64 (see `rng.event_seeds`). An event's result depends on its own
    seed, particles and fold alone. Raises ValueError if a fold needs pile-up and has no collisions
    or an event exceeds the room for candidates.
    """
    n_events = len(folds)
    if len(hard.offsets) - 1 != n_events or len(seeds) != n_events:
        raise ValueError("hard collisions, folds and seeds must have one entry per event")
    sizes = np.diff(lists.offsets)
    if profile.mu.max() > 0 and n_events and (sizes[np.unique(folds)] == 0).any():
        raise ValueError("the minimum-bias library has no collisions for a fold that needs them")
    event = np.zeros(n_events, dtype=EVENT)
    offsets = np.zeros(n_events + 1, dtype=np.int64)
    out = np.empty(2000 * n_events + CAPACITY, dtype=CANDIDATE)
    memory = workspace(d)
    done = 0
    fold_index = np.ascontiguousarray(folds, dtype=np.int64)
    seed_values = np.ascontiguousarray(seeds, dtype=np.uint64)
    while done < n_events:
        done = _detect_many(
            d, hard, done, library, lists, fold_index, profile, seed_values, memory, event, out,
            offsets,
        )  # fmt: skip
        if done < 0:
            raise ValueError(f"event {-1 - done} of the chunk has more than {CAPACITY} candidates")
        if done < n_events:
            out = np.concatenate([out, np.empty_like(out)])
    n = int(offsets[-1])
    columns = {name: out[name][:n].copy() for name in CANDIDATE.names}
    return Detected(Ragged(offsets, columns), {name: event[name].copy() for name in EVENT.names})
