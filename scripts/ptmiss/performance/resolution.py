"""Response and resolution, with all their replicas, from the distributions of a sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ptmiss.performance import histograms
from ptmiss.performance.bins import plateau
from ptmiss.performance.measure import Distributions
from ptmiss.performance.observables import LEVERS
from ptmiss.settings.performance import PerformanceSettings

SIGMAS = {
    "sigma_par": ("par",),
    "sigma_perp": ("perp",),
    "sigma_xy": ("x", "y"),
    "sigma_met": ("met",),
}
"""Resolutions and the observables whose distributions, put together, they are widths of."""

BIASES = {"bias_x": "x", "bias_y": "y"}

_N, _ABS_W, _ABS_W_X, _ABS_W_X2, _W_X, _W_X2, _W2 = range(len(histograms.MOMENTS))


@dataclass(frozen=True)
class Value:
    """A quantity in one bin. values: the measurement, then its replicas; None: too few events."""

    values: np.ndarray | None
    n_events: int


class Measured:
    """The quantities of one estimator in all bins of a sample.

    Definitions (all in GeV except responses):

    - `response`: <u_par> / <q_t>, a ratio of weighted means; without a boson it is
      <pTmiss along the true one> / <true pTmiss> of events above `response_gen_met`, which samples
      with a boson and a neutrino have as `response_met`.
    - `sigma_*`: half the distance of the 16 and 84 % quantiles of u_par - q_t, u_perp, the
      components of pTmiss minus the true one (x and y together), |pTmiss| minus the true one;
      `_rms`: the root mean square about the mean of values within +-rms_range.
    - Each is divided by the plateau response: the response above `plateau_low` in q_t (recoil) or
      above `plateau_gen_met` in true pTmiss. `_bincorr`: divided by the bin's own response instead;
      `_raw`: not divided.
    - `bias_x`, `bias_y`: mean of pTmiss minus the true one, not divided by a response.

    In a replica the response is that replica's, so that intervals include its uncertainty.
    sigma_xy and sigma_met are divided by the response to true pTmiss, but for dilepton samples,
    which have none, by the recoil's.
    """

    def __init__(self, parts: Distributions, estimator: int, settings: PerformanceSettings) -> None:
        self._parts, self._e, self._settings = parts, estimator, settings
        self._index = {name: o for o, name in enumerate(parts.observables)}
        self._dilepton = parts.has_boson and not parts.boson_has_neutrino
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
        good, n_events = self._enough((name,), b)
        lever = self._parts.levers[self._e, list(LEVERS).index(name), b]
        if not good or lever[0] <= 0.0:
            return Value(None, n_events)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = 1.0 + self._sum_x(name, b) / np.where(lever > 0.0, lever, np.nan)
        return Value(values, n_events)

    def quantities(self, b: int) -> dict[str, Value]:
        """Return all quantities of bin b by name."""
        found = {}
        main = self.main_response
        if main is None:
            return found
        found["response"] = self.response(main, b)
        if main == "par" and "along" in self._index and not self._dilepton:
            found["response_met"] = self.response("along", b)
        for sigma, observables in SIGMAS.items():
            if observables[0] in self._index:
                found.update(self._resolutions(sigma, observables, b))
        for bias, name in BIASES.items():
            if name in self._index:
                found[bias] = self._bias(name, b)
        return found

    def width(self, sigma: str, b: int) -> Value:
        """Return one resolution in bin b, corrected by the plateau response."""
        return self._resolutions(sigma, SIGMAS[sigma], b)[sigma]

    def effective(self, b: int) -> float:
        """Return the effective number of events (sum w)^2 / sum w^2 of bin b."""
        return self._sums(next(iter(self._index)), b)[1] if self._index else 0.0

    def _sums(self, name: str, b: int) -> tuple[int, float, float]:
        o = self._index[name]
        moments = self._parts.moments[self._e, o, b].sum(axis=0)
        total = self._parts.hist[self._e, o, b, :, 0].sum()
        squares = float(moments[_W2]) / histograms.W2_SCALE
        return int(moments[_N]), total * total / squares if squares > 0.0 else 0.0, float(total)

    def _enough(self, observables: tuple[str, ...], b: int) -> tuple[bool, int]:
        n_events, effective, total = self._sums(observables[0], b)
        return effective >= self._settings.min_events and total > 0.0, n_events

    def _sum_x(self, name: str, b: int, power: int = 1, inside: np.ndarray | None = None):
        """Return the weighted sum of x or x^2 in each replica.

        Replicas take each cell at its mean; the measurement is the exact sum.
        """
        o = self._index[name]
        hist, moments = self._parts.hist[self._e, o, b], self._parts.moments[self._e, o, b]
        if inside is not None:
            hist, moments = hist[inside], moments[inside]
        absolute, signed = ((_ABS_W_X, _W_X), (_ABS_W_X2, _W_X2))[power - 1]
        weight = moments[:, _ABS_W]
        mean = moments[:, absolute] / np.maximum(weight, 1)
        values = np.sum(hist * mean[:, None], axis=0)
        return values + (float(moments[:, signed].sum()) - values[0])

    def _half_width(self, observables: tuple[str, ...], b: int) -> np.ndarray:
        places = [self._index[name] for name in observables]
        hist = sum(self._parts.hist[self._e, o, b] for o in places)
        edges = self._parts.edges[self._e, places[0], b]
        low, high = histograms.quantiles(edges, hist, np.array(histograms.LEVELS))
        return (high - low) / 2.0

    def _rms(self, observables: tuple[str, ...], b: int) -> np.ndarray:
        limit = self._settings.rms_range
        edges = self._parts.edges[self._e, self._index[observables[0]], b]
        inside = np.append(edges, np.inf) <= limit
        inside &= np.append(-np.inf, edges) >= -limit
        hist = sum(self._parts.hist[self._e, self._index[name], b] for name in observables)
        total = hist[inside].sum(axis=0)
        total = np.where(total > 0.0, total, np.nan)
        mean = sum(self._sum_x(name, b, 1, inside) for name in observables) / total
        square = sum(self._sum_x(name, b, 2, inside) for name in observables) / total
        return np.sqrt(np.maximum(square - mean * mean, 0.0))

    def _resolutions(self, sigma: str, observables: tuple[str, ...], b: int) -> dict[str, Value]:
        good, n_events = self._enough(observables, b)
        recoil = sigma in ("sigma_par", "sigma_perp") or self._dilepton
        name = "par" if recoil else "along"
        divisors = {"": self._plateaus[name], "_bincorr": self.response(name, b), "_raw": None}
        found = {}
        for form, compute in (("", self._half_width), ("_rms", self._rms)):
            width = compute(observables, b) if good else None
            for suffix, response in divisors.items():
                values = width
                if response is not None and width is not None:
                    values = _divide(width, response.values)
                found[f"{sigma}{form}{suffix}"] = Value(values, n_events)
        return found

    def _bias(self, name: str, b: int) -> Value:
        good, n_events = self._enough((name,), b)
        if not good:
            return Value(None, n_events)
        total = self._parts.hist[self._e, self._index[name], b].sum(axis=0)
        return Value(self._sum_x(name, b) / np.where(total > 0.0, total, np.nan), n_events)


def _divide(width: np.ndarray, response: np.ndarray | None) -> np.ndarray | None:
    if response is None or not response[0] > 0.0:
        return None
    return width / np.where(response > 0.0, response, np.nan)
