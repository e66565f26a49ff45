"""Output of Delphes with energy-flow candidates: EFlowTrack, EFlowPhoton, EFlowNeutralHadron.

Delphes knows the species of a track; particle flow in CMS does not, so that kaons and protons
become +-211 as their charge says. Neutral hadrons beyond the tracker's and HCAL's reach
(|eta| > 3) become type 1, hadronic energy in the forward calorimeter, and photons there type 2,
electromagnetic energy in it. Lengths are in mm and become cm.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from ptmiss.ragged import Ragged, event_index, offsets_of
from ptmiss.readers.batch import UNKNOWN, Candidates, EventBatch
from ptmiss.readers.reader import Columns

FORWARD_ABS_ETA = 3.0
"""From here on neutral candidates are those of the forward calorimeter, as in CMS."""

_MM = np.float32(0.1)  # in cm


@dataclass(frozen=True)
class DelphesReader:
    """One file of Delphes. identity: what tells this file from others (its content's hash)."""

    columns: Columns
    identity: str

    @property
    def address(self) -> str:
        """Path or address of the file."""
        return self.columns.address

    @property
    def n_events(self) -> int:
        """Number of events in the file."""
        return self.columns.n_events

    @property
    def sqrt_s(self) -> float | None:
        """Centre-of-mass energy in TeV, None where the file does not say it."""
        return self.columns.sqrt_s

    @property
    def has_truth(self) -> bool:
        """Whether candidates carry their fraction from the hard collision."""
        return False

    def chunks(self, limit: int) -> list[tuple[int, int]]:
        """Return ranges of at most `limit` events that cover the file."""
        return self.columns.chunks(limit)

    def events(self, start: int, stop: int) -> EventBatch:
        """Return the events start .. stop without candidates.

        Delphes numbers the events of each file from 0: the luminosity block is a hash of the
        file's content, so that two files differ and two copies of one file do not.
        """
        read, n = self.columns, stop - start
        weight = None if read.is_data else read.flat("gen_weight", start, stop)
        n_pv = np.ones(n, dtype=np.int64)
        if read.has("vertex_z"):
            n_pv = read.ragged({"z": "vertex_z"}, start, stop).counts.astype(np.int64)
        return EventBatch(
            run=np.ones(n, dtype=np.uint32),
            lumi=np.full(n, zlib.crc32(self.identity.encode()), dtype=np.uint32),
            event=read.flat("event", start, stop).astype(np.uint64),
            gen_weight=None if weight is None else weight.astype(np.float64),
            n_pv=n_pv,
            n_pv_good=n_pv,
            rho=None,
            gen_met=None if read.is_data else read.vector("gen_met", start, stop),
            stored=read.stored(start, stop),
            muons=read.leptons("muon", start, stop),
            electrons=read.leptons("electron", start, stop),
            jets=read.jets(start, stop),
            gen_jets=read.gen_jets(start, stop),
        )

    def candidates(self, start: int, stop: int, keep: np.ndarray) -> Candidates:
        """Return the candidates of the events start .. stop where `keep` is true."""
        read = self.columns
        names = ("pt", "eta", "phi", "mass", "pid", "charge", "d0", "dz", "vertex")
        tracks = read.ragged({name: f"track_{name}" for name in names}, start, stop, keep)
        neutral = [
            read.ragged({"pt": f"{kind}_et", "eta": f"{kind}_eta", "phi": f"{kind}_phi"},
                        start, stop, keep)
            for kind in ("photon", "hadron")
        ]  # fmt: skip
        primary, vertex_z = self._primary(start, stop, keep)
        columns = _tracks(tracks, primary, vertex_z)
        parts = [columns] + [
            _neutrals(part, far, near)
            for part, far, near in zip(neutral, (2, 1), (22, 130), strict=True)
        ]
        counts = [tracks.counts, *(part.counts for part in neutral)]
        return Candidates(_merged(parts, counts))

    def _primary(self, start: int, stop: int, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Index of the primary vertex (largest sum of pT squared) and its z in cm, per event."""
        read, n = self.columns, int(keep.sum())
        if not read.has("vertex_z"):
            return np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.float32)
        fields = {"z": "vertex_z", "sum_pt2": "vertex_sum_pt2"}
        vertices = read.ragged(fields, start, stop, keep)
        primary = np.zeros(n, dtype=np.int64)
        if "sum_pt2" in vertices.columns and len(vertices["z"]):
            order = np.lexsort((-vertices["sum_pt2"], event_index(vertices.offsets)))
            filled = vertices.counts > 0
            first = vertices.offsets[:-1][filled]
            primary[filled] = order[first] - first
        z = np.zeros(n, dtype=np.float32)
        filled = vertices.counts > 0
        z[filled] = vertices["z"][vertices.offsets[:-1][filled] + primary[filled]] * _MM
        return primary, z


def _tracks(tracks: Ragged, primary: np.ndarray, vertex_z: np.ndarray) -> dict[str, np.ndarray]:
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
        "d0": tracks["d0"] * _MM,
        "dz": tracks["dz"] * _MM - vertex_z[owner],
        "charge": charge.astype(np.int32),
        "pdg_id": pdg_id,
    }
    if "vertex" in tracks.columns:
        vertex = tracks["vertex"]
        # -1: not assigned (yet); such a track is judged by dz like one without the branch
        columns["from_pv"] = np.where(
            vertex < 0, UNKNOWN, np.where(vertex == primary[owner], 3, 0)
        ).astype(np.int32)
    return columns


def _mass_of(pdg_id: np.ndarray) -> np.ndarray:
    masses = {11: 0.000511, 13: 0.10566, 211: 0.13957}
    known = np.abs(pdg_id)
    return sum(((known == code) * mass for code, mass in masses.items()), np.zeros(len(pdg_id)))


def _neutrals(part: Ragged, far: int, near: int) -> dict[str, np.ndarray]:
    n = len(part["pt"])
    code = np.where(np.abs(part["eta"]) > FORWARD_ABS_ETA, far, near).astype(np.int32)
    zeros = np.zeros(n, dtype=np.float32)
    return {
        "pt": part["pt"], "eta": part["eta"], "phi": part["phi"], "mass": zeros, "d0": zeros,
        "dz": zeros, "charge": np.zeros(n, dtype=np.int32), "pdg_id": code,
        "from_pv": np.full(n, 3, dtype=np.int32),
    }  # fmt: skip


def _merged(parts: list[dict[str, np.ndarray]], counts: list[np.ndarray]) -> Ragged:
    """Join collections event by event: those of the first collection come first in each event."""
    owner = np.concatenate([np.repeat(np.arange(len(n)), n) for n in counts])
    order = np.argsort(owner, kind="stable")
    names = set.intersection(*(set(part) for part in parts))
    columns = {name: np.concatenate([part[name] for part in parts])[order] for name in parts[0]
               if name in names}  # fmt: skip
    return Ragged(offsets_of(sum(counts)), columns)
