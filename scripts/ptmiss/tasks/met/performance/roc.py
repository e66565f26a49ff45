"""How well |pTmiss| tells events with true pTmiss from Z to mumu, which has none."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ptmiss.core.tables import Row
from ptmiss.tasks.met.performance.resolution import Value
from ptmiss.tasks.met.performance.spectra import Spectrum
from ptmiss.tasks.met.performance.tables import bounds


@dataclass(frozen=True)
class Tail:
    """The spectra of |pTmiss| of a sample, by estimator, and which part it can play."""

    sample: str
    variation: str
    spectra: Mapping[str, Spectrum]
    signal: bool
    background: bool


def pairs(tails: Sequence[Tail]) -> Iterator[tuple[Tail, Tail]]:
    """Yield signal and background of each curve: of the same variation."""
    for signal, background in itertools.product(tails, tails):
        if signal.signal and background.background and signal.variation == background.variation:
            yield signal, background


def rows(tails: Sequence[Tail]) -> Iterator[Row]:
    """Yield the efficiencies of |pTmiss| > threshold, of each estimator that both samples have.

    Empty for a sample that has no event; the variation is nominal wherever there is one.
    """
    for signal, background in pairs(tails):
        for name in signal.spectra:
            if name not in background.spectra:
                continue
            bounds = [_bounds(one.spectra[name]) for one in (signal, background)]
            for k, threshold in enumerate(signal.spectra[name].edges):
                head = (signal.sample, background.sample, name, threshold)
                yield (*head, *bounds[0][k], *bounds[1][k])


def _bounds(spectrum: Spectrum) -> np.ndarray:
    above = spectrum.above()
    return bounds([Value(above[k], 0) for k in range(above.shape[0])])


def area(signal: Spectrum, background: Spectrum) -> Value:
    """Return the area under the curve of signal over background efficiency (1 is perfect).

    By trapezoids between thresholds, which begin at zero; replicas are those of both samples.
    """
    x, y = background.above(), signal.above()
    x, y = np.vstack([x, np.zeros((1, x.shape[1]))]), np.vstack([y, np.zeros((1, y.shape[1]))])
    values = np.sum((y[1:] + y[:-1]) / 2.0 * (x[:-1] - x[1:]), axis=0)
    n_events = int(signal.n_events.sum())
    return Value(values if np.isfinite(values[0]) else None, n_events)
