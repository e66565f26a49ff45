"""Spectra of pTmiss and of the transverse mass, of every estimator, with all their replicas."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ptmiss.core.stats import bootstrap, histograms
from ptmiss.tasks.met.performance.measure import Distributions
from ptmiss.tasks.met.performance.observables import magnitude
from ptmiss.tasks.met.performance.resolution import Value
from ptmiss.tasks.met.performance.stream import Chunk, Chunks
from ptmiss.tasks.met.settings.performance import PerformanceSettings

_W2 = histograms.MOMENTS.index("w2")
TRUTH = "truth"
"""Stands for the estimator in spectra of the truth."""


@dataclass(frozen=True)
class Spectrum:
    """A histogram with fixed edges.

    edges (k,) in GeV; hist (k + 1, 1 + replicas): sums of weights below, between and above them;
    n_events (k + 1,); squares: sum of squared weights, in the unit of the squared sums.
    """

    edges: np.ndarray
    hist: np.ndarray
    n_events: np.ndarray
    squares: float

    def events(self) -> tuple[int, float]:
        """Return number and effective number of events, whatever their bin."""
        total = float(self.hist[:, 0].sum())
        effective = total * total / self.squares if self.squares > 0.0 else 0.0
        return int(self.n_events.sum()), effective

    def density(self) -> np.ndarray:
        """Return the spectrum per GeV, of unit area within the edges, shape (k - 1, r)."""
        inside = self.hist[1:-1]
        total = inside.sum(axis=0)
        return inside / np.where(total > 0.0, total, np.nan) / np.diff(self.edges)[:, None]

    def above(self) -> np.ndarray:
        """Return the share of events above each edge, shape (k, r)."""
        total = self.hist.sum(axis=0)
        reverse = np.cumsum(self.hist[::-1], axis=0)[::-1]
        return reverse[1:] / np.where(total > 0.0, total, np.nan)

    def values(self) -> Iterator[tuple[float, float, Value]]:
        """Yield the edges and the density of each bin; empty where no event is."""
        density = self.density()
        for k, (low, high) in enumerate(itertools.pairwise(self.edges.tolist())):
            n = int(self.n_events[k + 1])
            yield low, high, Value(density[k] if n else None, n)


Spectra = Mapping[tuple[str, str], Spectrum]
"""Spectrum ("met", "mt", "gen_met") and estimator -> histogram."""


def spectra(
    events: Chunks,
    parts: Distributions,
    keep: list[int],
    settings: PerformanceSettings,
    workers: int = 1,
) -> dict[tuple[str, str], Spectrum]:
    """Return the spectra of a sample in one pass over it.

    parts: the sample's distributions; keep: places of `parts.estimators` in the events. `met` is
    |pTmiss|, of all samples (that of Z to mumu is fake); `gen_met` the true one, where there is
    one; `mt` the transverse mass of lepton and pTmiss in W decays, where the lepton is the boson
    minus the true pTmiss, as the boson is the lepton plus it; of recorded events the lepton itself.
    """
    met, mt = (np.array(edges, float) for edges in (settings.met_edges, settings.mt_edges))
    edges = {"met": met, "gen_met": met, "mt": mt}
    with_truth = parts.has_boson and parts.has_truth and parts.boson_has_neutrino
    has_mt = with_truth or (parts.has_lepton and parts.boson_has_neutrino)
    places = dict(zip(parts.estimators, keep, strict=True))
    wanted = [("met", name) for name in places]
    if parts.has_truth and (with_truth or not parts.has_boson):
        wanted.append(("gen_met", TRUTH))
    if has_mt:
        wanted += [("mt", name) for name in (*places, *([TRUTH] if with_truth else []))]
    scale = parts.scale[[parts.grid.find("all", -np.inf, np.inf)]]
    counts = [
        Counts.empty(name, places.get(estimator), edges[name], scale, settings)
        for name, estimator in wanted
    ]
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for chunk in events():
            copies = bootstrap.copies(chunk.states, settings.replicas)
            list(pool.map(functools.partial(_add, chunk, copies), counts))
    return {one: filled.spectrum() for one, filled in zip(wanted, counts, strict=True)}


@dataclass(frozen=True)
class Counts:
    """A spectrum while it is filled.

    name: `met`, `mt` or `gen_met`; place: of the estimator in the events, None for the truth;
    edges (k,) in GeV; scale (1,): see `weight_scale`; hist (1, k + 1, 1 + replicas) and moments
    (1, k + 1, 9): see `histograms.fill`.
    """

    name: str
    place: int | None
    edges: np.ndarray
    scale: np.ndarray
    reach: float
    hist: np.ndarray
    moments: np.ndarray

    @classmethod
    def empty(
        cls,
        name: str,
        place: int | None,
        edges: np.ndarray,
        scale: np.ndarray,
        settings: PerformanceSettings,
    ) -> Counts:
        """Return a spectrum without events."""
        n = edges.size + 1
        hist = np.zeros((1, n, 1 + settings.replicas))
        moments = np.zeros((1, n, len(histograms.MOMENTS)), dtype=np.int64)
        return cls(name, place, edges, scale, settings.rms_range, hist, moments)

    def add(self, chunk: Chunk, copies: np.ndarray) -> None:
        """Add events, with their copies in each replica, (n, 1 + replicas)."""
        histograms.fill(
            np.zeros(chunk.weight.size, dtype=np.int32),
            0,
            1,
            _values(chunk, self.name, self.place),
            np.empty(0),
            chunk.weight,
            self.scale,
            copies,
            self.edges[None],
            self.reach,
            self.hist,
            self.moments,
        )

    def spectrum(self) -> Spectrum:
        """Return what was filled."""
        moments = self.moments[0]
        squares = float(moments[:, _W2].sum()) / histograms.W2_SCALE
        return Spectrum(self.edges, self.hist[0], moments[:, 0], squares)


def _add(chunk: Chunk, copies: np.ndarray, counts: Counts) -> None:
    counts.add(chunk, copies)


def _values(chunk: Chunk, name: str, estimator: int | None) -> np.ndarray:
    """Return |pTmiss| or the transverse mass in GeV, of an estimator or (None) the truth, (n,)."""
    if name != "mt":
        return np.hypot(*chunk.true_met) if estimator is None else magnitude(chunk, estimator)
    met = chunk.true_met if estimator is None else chunk.met[estimator]
    muon = chunk.boson - chunk.true_met
    if chunk.lepton is not None:
        muon = np.where(np.isfinite(muon), muon, chunk.lepton)
    with np.errstate(invalid="ignore"):
        square = np.hypot(*muon) * np.hypot(*met) - (muon * met).sum(axis=0)
        return np.asarray(np.sqrt(2.0 * np.maximum(square, 0.0)))


def right_edge(spectrum: Spectrum) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance of the right half maximum from the peak, and its position, in GeV.

    Shape (r,) each. The peak is the middle of the highest bin; the half maximum is where lines
    between the middles of bins to its right first fall to half of it; NaN if they never do.
    """
    density = spectrum.density()
    middle = (spectrum.edges[:-1] + spectrum.edges[1:]) / 2.0
    width, place = (np.full(density.shape[1], np.nan) for _ in range(2))
    for r, column in enumerate(density.T):
        if not np.isfinite(column).all():
            continue
        peak = int(np.argmax(column))
        half = column[peak] / 2.0
        after = np.flatnonzero(column[peak:] <= half)
        if not after.size:
            continue
        k = peak + int(after[0])
        fraction = (column[k - 1] - half) / (column[k - 1] - column[k])
        place[r] = middle[k - 1] + fraction * (middle[k] - middle[k - 1])
        width[r] = place[r] - middle[peak]
    return width, place
