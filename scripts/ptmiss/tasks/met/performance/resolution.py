"""Response and resolution, with all their replicas, from the distributions of a sample."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ptmiss.core.stats import histograms
from ptmiss.core.stats.joined import mixed_quantiles, mixed_rms
from ptmiss.tasks.met.performance.bins import cut_range, plateau
from ptmiss.tasks.met.performance.measure import Distributions
from ptmiss.tasks.met.performance.observables import AXES_OF, LEVERS, UNITS, limit
from ptmiss.tasks.met.settings.performance import PerformanceSettings

SIGMAS = {
    "sigma_par": ("par",),
    "sigma_perp": ("perp",),
    "sigma_xy": ("x", "y"),
    "sigma_met": ("met",),
}
"""Resolutions and the observables whose distributions, put together, they are widths of."""

RECOIL_SIGMAS = ("sigma_par", "sigma_perp")

BIASES = {"bias_x": "x", "bias_y": "y"}

_N, _ABS_W, _ABS_W_X, _ABS_W_X2, _W_X, _W_X2, _W2, _ABS_W_M, _ABS_W_M_X = range(
    len(histograms.MOMENTS)
)


@dataclass(frozen=True)
class Value:
    """A quantity in one bin. values: the measurement, then its replicas; None: too few events."""

    values: np.ndarray | None
    n_events: int


class Measured:
    """The quantities of one estimator in all bins of a sample.

    Definitions (all in GeV except responses, angles in radians and shares):

    - `response`: <u_par> / <q_t>, a ratio of weighted means; without a boson it is
      <pTmiss along the true one> / <true pTmiss> of events above `response_gen_met`, which samples
      with a boson and a neutrino have as `response_met`.
    - `sigma_*`: half the distance of the 16 and 84 % quantiles of u_par - q_t, u_perp, the
      components of pTmiss minus the true one (x and y together), |pTmiss| minus the true one;
      `_rms`: the root mean square about the mean of values within +-rms_range.
    - Each is divided by the plateau response: the response above `plateau_low` in q_t (recoil) or
      above `plateau_gen_met` in true pTmiss. `_raw`: not divided. `_bincorr`: divided by the bin's
      own response instead; sigma_par and sigma_perp in the `qt_ranges`: the width of all their
      events, each divided by the response of its own bin of `correction_edges` (or, where that has
      too few events, of the range).
    - `response_median`: median of |pTmiss| / true within `median_range`, above `response_gen_met`;
      `sigma_met_median`: width of |pTmiss| divided by it, minus the true one, both per bin of true
      HT or pTmiss (as in CMS, arXiv:2509.12012, figure 9).
    - `sigma_phi`: width of the angle to the true pTmiss above `response_gen_met`.
    - `tail_3sigma`: share of the components of pTmiss minus the true one that are further from zero
      than three times their own (raw) sigma_xy in that bin; 0.0027 for a Gaussian.
    - `bias_x`, `bias_y`: mean of pTmiss minus the true one, not divided by a response.

    In a replica the response is that replica's, so that intervals include its uncertainty.
    sigma_xy and sigma_met are divided by the response to true pTmiss, but for dilepton samples,
    which have none, by the recoil's.
    """

    def __init__(self, parts: Distributions, estimator: int, settings: PerformanceSettings) -> None:
        self._parts, self._e, self._settings = parts, estimator, settings
        self._index = {name: o for o, name in enumerate(parts.observables)}
        self._moments = parts.moments[estimator].sum(axis=2)
        self._weights = parts.hist[estimator, :, :, :, 0].sum(axis=2)
        self._dilepton = parts.has_boson and not parts.boson_has_neutrino
        self._cache: dict[int, dict[str, Value]] = {}
        self._responses: dict[tuple[str, int], Value] = {}
        self._plateaus = {
            name: self.response(name, plateau(parts.grid, f"plateau_{LEVERS[name]}"))
            for name in LEVERS
            if name in self._index
        }

    def plateau(self, name: str) -> Value:
        """Return the plateau response of the observable "par" or "along"."""
        return self._plateaus[name]

    @property
    def main_response(self) -> str | None:
        """Return the observable that `response` is of, None for a sample without any."""
        return next((name for name in LEVERS if name in self._index), None)

    def response(self, name: str, b: int) -> Value:
        """Return the response from the observable "par" or "along" in bin b."""
        if (name, b) not in self._responses:
            self._responses[name, b] = self._response(name, b)
        return self._responses[name, b]

    def _response(self, name: str, b: int) -> Value:
        good, n_events = self._enough((name,), b)
        lever = self._parts.levers[self._e, list(LEVERS).index(name), b]
        if not good or lever[0] <= 0.0:
            return Value(None, n_events)
        values = 1.0 + self._sums((name,), b)[1] / np.where(lever > 0.0, lever, np.nan)
        return Value(values, n_events)

    def quantities(self, b: int) -> dict[str, Value]:
        """Return all quantities of bin b by name."""
        if b not in self._cache:
            self._cache[b] = dict(self._quantities(b))
        return self._cache[b]

    def width(self, sigma: str, b: int) -> Value:
        """Return one resolution in bin b, corrected by the plateau response."""
        return self.quantities(b)[sigma]

    def effective(self, b: int) -> float:
        """Return the effective number of events (sum w)^2 / sum w^2 of bin b."""
        return self._events(next(iter(self._index)), b)[1] if self._index else 0.0

    def _quantities(self, b: int) -> Iterable[tuple[str, Value]]:
        main = self.main_response
        if main is None:
            return
        yield "response", self.response(main, b)
        if main == "par" and "along" in self._index and not self._dilepton:
            yield "response_met", self.response("along", b)
        for sigma, observables in SIGMAS.items():
            if observables[0] in self._index:
                yield from self._resolutions(sigma, observables, b)
        if "phi" in self._index:
            yield from self._angles(b)
            if self._parts.grid.bins[b].axis in AXES_OF["scaled"]:
                yield from self._median_scaled(b)
        for bias, name in BIASES.items():
            if name in self._index:
                yield bias, self._bias(name, b)
        if "x" in self._index:
            yield "tail_3sigma", self._tail(("x", "y"), b)

    def _events(self, name: str, b: int) -> tuple[int, float, float]:
        """Return number, effective number and sum of weights of the events of an observable."""
        o = self._index[name]
        n_events, total = int(self._moments[o, b, _N]), float(self._weights[o, b])
        squares = float(self._moments[o, b, _W2]) / histograms.W2_SCALE
        return n_events, total * total / squares if squares > 0.0 else 0.0, total

    def _enough(self, observables: tuple[str, ...], b: int) -> tuple[bool, int]:
        n_events, effective, total = self._events(observables[0], b)
        return effective >= self._settings.min_events and total > 0.0, n_events

    def _sums(
        self, observables: tuple[str, ...], b: int, inside: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the weighted sums of 1, x and x^2 in each replica, shape (3, r).

        Replicas take each cell at its mean; the measurement is the exact sum. inside: cells.
        """
        out = np.zeros((3, self._parts.hist.shape[-1]))
        for name in observables:
            o = self._index[name]
            hist, moments = self._parts.hist[self._e, o, b], self._parts.moments[self._e, o, b]
            if inside is not None:
                hist, moments = hist[inside], moments[inside]
            weight = np.maximum(moments[:, _ABS_W], 1)
            sums = np.empty((3, hist.shape[1]))
            first, second = moments[:, _ABS_W_X] / weight, moments[:, _ABS_W_X2] / weight
            histograms.sums(hist, first, second, sums)
            exact = moments[:, [_W_X, _W_X2]].sum(axis=0, dtype=np.int64).astype(np.float64)
            sums[1:] += (exact - sums[1:, 0])[:, None]
            out = out + sums
        return out

    def _inside(self, name: str, b: int) -> np.ndarray:
        """Return which cells lie within the range of the RMS."""
        bound = limit(name, self._settings)
        edges = self._parts.edges[self._e, self._index[name], b]
        return (np.append(edges, np.inf) <= bound) & (np.append(-np.inf, edges) >= -bound)

    def _histogram(self, observables: tuple[str, ...], b: int) -> tuple[np.ndarray, np.ndarray]:
        places = [self._index[name] for name in observables]
        hist = self._parts.hist[self._e, places[0], b]
        for o in places[1:]:
            hist = hist + self._parts.hist[self._e, o, b]
        return self._parts.edges[self._e, places[0], b], hist

    def _half_width(self, observables: tuple[str, ...], b: int) -> np.ndarray:
        edges, hist = self._histogram(observables, b)
        low, high = histograms.quantiles(edges, hist, np.array(histograms.LEVELS))
        return np.asarray((high - low) / 2.0)

    def _rms(self, observables: tuple[str, ...], b: int) -> np.ndarray:
        total, x, x2 = self._sums(observables, b, self._inside(observables[0], b))
        total = np.where(total > 0.0, total, np.nan)
        return np.asarray(np.sqrt(np.maximum(x2 / total - (x / total) ** 2, 0.0)))

    def _resolutions(
        self, sigma: str, observables: tuple[str, ...], b: int
    ) -> Iterable[tuple[str, Value]]:
        good, n_events = self._enough(observables, b)
        name = "par" if sigma in RECOIL_SIGMAS or self._dilepton else "along"
        own = self.response(name, b)
        pieces = self._pieces(b) if sigma in RECOIL_SIGMAS else []
        for form, compute in (("", self._half_width), ("_rms", self._rms)):
            width = compute(observables, b) if good else None
            yield f"{sigma}{form}", Value(_divide(width, self._plateaus[name].values), n_events)
            if good and len(pieces) > 1:
                corrected = self._mixed(observables[0], pieces, own.values, form)
            else:
                corrected = _divide(width, own.values)
            yield f"{sigma}{form}_bincorr", Value(corrected, n_events)
            yield f"{sigma}{form}_raw", Value(width, n_events)

    def _pieces(self, b: int) -> list[tuple[int, int]]:
        """Return for a range of q_t its parts and the bins whose responses correct them."""
        grid, item = self._parts.grid, self._parts.grid.bins[b]
        if item.axis != "qt":
            return []
        pairs = cut_range(self._settings, item.low, item.high)
        if (item.low, item.high) not in self._settings.qt_ranges:
            return []
        return [(grid.find_qt(*piece), grid.find_qt(*whole)) for piece, whole in pairs]

    def _mixed(
        self, name: str, pieces: list[tuple[int, int]], fallback: np.ndarray | None, form: str
    ) -> np.ndarray | None:
        """Return the width of all events of a range, each divided by its own bin's response."""
        parts, o, e = self._parts, self._index[name], self._e
        filled = [(b, whole) for b, whole in pieces if self._events(name, b)[0]]
        responses = []
        for _, whole in filled:
            values = self.response("par", whole).values
            responses.append(fallback if values is None else values)
        if any(one is None or not one[0] > 0.0 for one in responses):
            return None
        numbers = [b for b, _ in filled]
        unit = 1.0 / parts.scale[numbers]
        divisors = np.array(responses)
        if form == "_rms":
            sums = np.array([self._sums((name,), b, self._inside(name, b)) for b in numbers])
            total, x, x2 = np.moveaxis(sums * unit[:, None, None], 1, 0)
            return mixed_rms(total, x, x2, divisors)
        hist = parts.hist[e, o, numbers] * unit[:, None, None]
        levels = np.array(histograms.LEVELS)
        low, high = mixed_quantiles(parts.edges[e, o, numbers], hist, divisors, levels)
        return np.asarray((high - low) / 2.0)

    def _angles(self, b: int) -> Iterable[tuple[str, Value]]:
        good, n_events = self._enough(("phi",), b)
        for form, compute in (("", self._half_width), ("_rms", self._rms)):
            width = compute(("phi",), b) / UNITS["phi"] if good else None
            yield f"sigma_phi{form}", Value(width, n_events)

    def _median_scaled(self, b: int) -> Iterable[tuple[str, Value]]:
        """Yield the median response, and the widths of |pTmiss| divided by it minus the true one.

        The histograms are of |pTmiss| times a fixed factor near the inverse median. To first order
        in the difference of a replica's factor and the fixed one, which is small, a quantile q
        moves by the mean |pTmiss| of events there, and the variance by twice the covariance of
        |pTmiss| and the difference.
        """
        enough, n_ratio = self._enough(("ratio",), b)
        median = None
        if enough:
            edges, hist = self._histogram(("ratio",), b)
            median = 1.0 + histograms.quantiles(edges, hist, np.array([0.5]))[0] / UNITS["ratio"]
        yield "response_median", Value(median, n_ratio)
        good, n_events = self._enough(("scaled",), b)
        if median is None or not good:
            yield "sigma_met_median", Value(None, n_events)
            yield "sigma_met_median_rms", Value(None, n_events)
            return
        shift = 1.0 / median - self._parts.factors[self._e, b]
        moments = self._parts.moments[self._e, self._index["scaled"], b]
        edges, hist = self._histogram(("scaled",), b)
        low, high = histograms.quantiles(edges, hist, np.array(histograms.LEVELS))
        slope = _mean_near(edges, moments, high[0]) - _mean_near(edges, moments, low[0])
        yield "sigma_met_median", Value((high - low + shift * slope) / 2.0, n_events)
        inside = self._inside("scaled", b)
        weight, m, x, m_x = moments[inside][:, [_ABS_W, _ABS_W_M, _ABS_W_X, _ABS_W_M_X]].sum(axis=0)
        covariance = (m_x - float(m) * float(x) / max(weight, 1)) / max(weight, 1)
        rms = self._rms(("scaled",), b)
        rms = np.sqrt(np.maximum(rms**2 + 2.0 * shift * covariance, 0.0))
        yield "sigma_met_median_rms", Value(rms, n_events)

    def _bias(self, name: str, b: int) -> Value:
        good, n_events = self._enough((name,), b)
        if not good:
            return Value(None, n_events)
        total, x, _ = self._sums((name,), b)
        return Value(x / np.where(total > 0.0, total, np.nan), n_events)

    def _tail(self, observables: tuple[str, ...], b: int) -> Value:
        good, n_events = self._enough(observables, b)
        if not good:
            return Value(None, n_events)
        edges, hist = self._histogram(observables, b)
        bound = histograms.TAIL * self._half_width(observables, b)
        return Value(histograms.tail_share(edges, hist, bound), n_events)


def _mean_near(edges: np.ndarray, moments: np.ndarray, place: float) -> float:
    """Return the mean partner (see `histograms.fill`) of events in the cells around a place."""
    cell = int(np.searchsorted(edges, place))
    for reach in range(2, edges.size):
        near = moments[max(cell - reach, 0) : cell + reach + 1].sum(axis=0)
        if near[_N] >= 10:
            break
    return float(near[_ABS_W_M]) / max(float(near[_ABS_W]), 1.0)


def _divide(width: np.ndarray | None, response: np.ndarray | None) -> np.ndarray | None:
    if width is None or response is None or not response[0] > 0.0:
        return None
    return width / np.where(response > 0.0, response, np.nan)
