"""Output of Delphes: EFlowTrack, EFlowPhoton, EFlowNeutralHadron, or ParticleFlowCandidate alone.

Delphes knows the species of a track; particle flow in CMS does not, so that kaons and protons
become +-211 as their charge says. Neutral hadrons beyond the tracker's and HCAL's reach
(|eta| > 3) become type 1, hadronic energy in the forward calorimeter, and photons there type 2,
electromagnetic energy in it.

A track names its vertex by `Vertex.Index`, not by the place of the vertex in the collection, which
is sorted by SumPT2. Since November 2025 candidates say how much of them is of the hard collision:
tracks as a whole (IsPU), towers the share of the energy that hit them (HardEnergyFraction), which
stays that of the whole tower where tracks were subtracted.
"""

from __future__ import annotations

import functools
import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ptmiss.core.ragged import Ragged, event_index, offsets_of
from ptmiss.events.readers.batch import UNKNOWN, Candidates
from ptmiss.events.readers.reader import Identity
from ptmiss.events.readers.tree import TreeReader

FORWARD_ABS_ETA = 3.0
"""From here on neutral candidates are those of the forward calorimeter, as in CMS."""

_TRACK = ("pt", "eta", "phi", "mass", "pid", "charge", "d0", "dz", "vertex")
_LOOKED_AT = 100
"""Events in which one tower with energy of the hard collision shows that the fractions are set."""

_LOG = logging.getLogger(__name__)


class DelphesReader(TreeReader):
    """One file of Delphes."""

    form = "delphes"
    truth_name = "HardEnergyFraction"
    numbers_events = False

    @functools.cached_property
    def has_truth(self) -> bool:
        """Whether candidates carry their fraction from the hard collision.

        Modules that do not know about it leave the fraction of every tower at 0.
        """
        read = self.columns
        if read.is_data or not self._truth_fields:
            return False
        stop = min(read.n_events, _LOOKED_AT)
        if self._flow:
            flow = read.ragged({"of": "flow_hard_fraction", "charge": "flow_charge"}, 0, stop)
            of_towers = flow["of"][flow["charge"] == 0]
        else:
            names = self._truth_fields[1:]
            of_towers = np.concatenate([read.ragged({"of": n}, 0, stop)["of"] for n in names])
        if len(of_towers) and not of_towers.any():
            _LOG.warning(
                "%s: HardEnergyFraction is 0 for all towers of the first %d events, so it was not"
                " filled: no truth of the candidates",
                self.address,
                stop,
            )
            return False
        return True

    @property
    def _flow(self) -> bool:
        """Whether all candidates are in the one collection ParticleFlowCandidate."""
        return self.columns.has("flow_pt")

    @property
    def _truth_fields(self) -> tuple[str, ...]:
        """Names of the fields that hold the truth; none where one of them is missing."""
        if self._flow:
            return ("flow_hard_fraction",) if self.columns.has("flow_hard_fraction") else ()
        has_fraction = self.columns.has("track_hard_fraction")
        track = "track_hard_fraction" if has_fraction else "track_is_pileup"
        wanted = (track, "photon_hard_fraction", "hadron_hard_fraction")
        return wanted if self.columns.has(*wanted) else ()

    def chunks(self, limit: int) -> list[tuple[int, int]]:
        """Return ranges of at most `limit` events that cover the file."""
        return self.columns.chunks(limit, "flow_pt" if self._flow else self.columns.want.rhythm)

    def identities(self, start: int, stop: int) -> Identity:
        """Return the identity of the events start .. stop.

        Delphes numbers the events of each file from 0: the luminosity block is a hash of the
        file's content, so that two files differ and two copies of one file do not.
        """
        event = self.columns.needed("event", start, stop).astype(np.uint64)
        lumi = np.full(len(event), zlib.crc32(self.given.identity.encode()), dtype=np.uint32)
        return np.ones(len(event), dtype=np.uint32), lumi, event

    def vertices(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of all and of good vertices, int64, shape (n_events,)."""
        n_pv = np.ones(stop - start, dtype=np.int64)
        if self.columns.has("vertex_z"):
            n_pv = self.columns.ragged({"z": "vertex_z"}, start, stop).counts.astype(np.int64)
        return n_pv, n_pv

    def candidates(self, start: int, stop: int, keep: np.ndarray) -> Candidates:
        """Return the candidates of the events start .. stop where `keep` is true."""
        vertices = self._vertices(start, stop, keep)
        if self._flow:
            return Candidates(self._particle_flow(start, stop, keep, vertices))
        return Candidates(self._energy_flow(start, stop, keep, vertices))

    def _energy_flow(self, start: int, stop: int, keep: np.ndarray, vertices: _Vertices) -> Ragged:
        read = self.columns
        truth = self._truth_fields if self.has_truth else ()
        fields = {name: f"track_{name}" for name in _TRACK}
        if truth:
            fields["truth"] = truth[0]
        tracks = read.ragged(fields, start, stop, keep)
        parts, counts = [_tracks(tracks, vertices)], [tracks.counts]
        if truth:
            value = tracks["truth"].astype(np.float32)
            parts[0]["truth"] = 1 - value if truth[0] == "track_is_pileup" else value
        for kind, far, near in (("photon", 2, 22), ("hadron", 1, 130)):
            fields = {"pt": f"{kind}_et", "eta": f"{kind}_eta", "phi": f"{kind}_phi"}
            if truth:
                fields["truth"] = f"{kind}_hard_fraction"
            part = read.ragged(fields, start, stop, keep)
            parts.append(_neutrals(part.columns, far, near))
            counts.append(part.counts)
        return _merged(parts, counts)

    def _particle_flow(
        self, start: int, stop: int, keep: np.ndarray, vertices: _Vertices
    ) -> Ragged:
        fields = {name: f"flow_{name}" for name in _TRACK}
        if self.has_truth:
            fields["truth"] = "flow_hard_fraction"
        flow = self.columns.ragged(fields, start, stop, keep)
        charged, photon = flow["charge"] != 0, np.abs(flow["pid"]) == 22
        columns = _tracks(flow, vertices)
        if self.has_truth:
            columns["truth"] = flow["truth"].astype(np.float32)
        for which, far, near in ((~charged & photon, 2, 22), (~charged & ~photon, 1, 130)):
            part = _neutrals({name: flow[name][which] for name in ("pt", "eta", "phi")}, far, near)
            for name in set(columns) & set(part):
                columns[name][which] = part[name]
        return Ragged(flow.offsets, columns)

    def _vertices(self, start: int, stop: int, keep: np.ndarray) -> _Vertices:
        read, n = self.columns, int(keep.sum())
        z, index = np.zeros(n, dtype=np.float32), np.full(n, -1, dtype=np.int64)
        if not read.has("vertex_z"):
            return _Vertices(z, index)
        fields = {"z": "vertex_z", "sum_pt2": "vertex_sum_pt2", "index": "vertex_index"}
        vertices = read.ragged(fields, start, stop, keep)
        owner = event_index(vertices.offsets)
        filled = vertices.counts > 0
        primary = vertices.offsets[:-1][filled]
        if "sum_pt2" in vertices.columns:
            primary = np.lexsort((-vertices["sum_pt2"], owner))[primary]
        z[filled] = vertices["z"][primary]
        if "index" in vertices.columns:
            index[filled] = vertices["index"][primary]
            # equal indices tell no vertex from another: some writers leave all of them at 0
            order = np.lexsort((vertices["index"], owner))
            same = (np.diff(vertices["index"][order]) == 0) & (np.diff(owner[order]) == 0)
            index[owner[order][1:][same]] = -1
        return _Vertices(z, index)


@dataclass(frozen=True)
class _Vertices:
    """The primary vertex (largest sum of pT squared) of each event.

    z: in cm; index: what its tracks call it, -1 where nobody knows. Shapes (n_events,).
    """

    z: np.ndarray
    index: np.ndarray


def _tracks(tracks: Ragged, vertices: _Vertices) -> dict[str, np.ndarray]:
    """Turn tracks into candidates; the vertex a track was assigned to gives its association."""
    pid, charge = tracks["pid"], tracks["charge"]
    lepton = np.isin(np.abs(pid), (11, 13))
    pdg_id = np.where(lepton, pid, 211 * np.sign(charge)).astype(np.int32)
    owner = event_index(tracks.offsets)
    columns = {
        "pt": tracks["pt"],
        "eta": tracks["eta"],
        "phi": tracks["phi"],
        "mass": tracks.columns.get("mass", _mass_of(pdg_id)).astype(np.float32),
        "d0": tracks["d0"],
        "dz": tracks["dz"] - vertices.z[owner],
        "charge": charge.astype(np.int32),
        "pdg_id": pdg_id,
    }
    if "vertex" in tracks.columns:
        vertex, primary = tracks["vertex"], vertices.index[owner]
        # -1: not assigned (yet); such a track is judged by dz like one without the branch
        columns["from_pv"] = np.where(
            (vertex < 0) | (primary < 0), UNKNOWN, np.where(vertex == primary, 3, 0)
        ).astype(np.int32)
    return columns


def _mass_of(pdg_id: np.ndarray) -> np.ndarray:
    masses = {11: 0.000511, 13: 0.10566, 211: 0.13957}
    known = np.abs(pdg_id)
    return sum(((known == code) * mass for code, mass in masses.items()), np.zeros(len(pdg_id)))


def _neutrals(part: Mapping[str, np.ndarray], far: int, near: int) -> dict[str, np.ndarray]:
    n = len(part["pt"])
    code = np.where(np.abs(part["eta"]) > FORWARD_ABS_ETA, far, near).astype(np.int32)
    zeros = np.zeros(n, dtype=np.float32)
    return {
        "pt": part["pt"],
        "eta": part["eta"],
        "phi": part["phi"],
        "mass": zeros,
        "d0": zeros,
        "dz": zeros,
        "charge": np.zeros(n, dtype=np.int32),
        "pdg_id": code,
        "from_pv": np.full(n, 3, dtype=np.int32),
        **({"truth": part["truth"].astype(np.float32)} if "truth" in part else {}),
    }


def _merged(parts: list[dict[str, np.ndarray]], counts: list[np.ndarray]) -> Ragged:
    """Join collections event by event: those of the first collection come first in each event."""
    owner = np.concatenate([np.repeat(np.arange(len(n)), n) for n in counts])
    order = np.argsort(owner, kind="stable")
    names = set.intersection(*(set(part) for part in parts))
    columns = {
        name: np.concatenate([part[name] for part in parts])[order]
        for name in parts[0]
        if name in names
    }
    return Ragged(offsets_of(np.sum(counts, axis=0)), columns)
