"""Mean and RMS of the recoil in bins, and how far a corrected simulation is from its target."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ptmiss.core.stats.quantile_map import FAR
from ptmiss.tasks.met.calibration.apply import Applied, Recoil
from ptmiss.tasks.met.calibration.bins import Bins, make_bins
from ptmiss.tasks.met.calibration.bosons import BosonEvents
from ptmiss.tasks.met.calibration.derive import Corrections
from ptmiss.tasks.met.calibration.inputs import Side
from ptmiss.tasks.met.calibration.maps import Maps
from ptmiss.tasks.met.calibration.names import COMPONENTS, DATASETS
from ptmiss.tasks.met.calibration.replicas import Sides
from ptmiss.tasks.met.settings.calibration import CalibrationSettings

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishedRecoil:
    """What the published recoil corrections of one estimator are made of.

    maps: by component; bins: of all that follows, numbered as by `Bins.number`; rescaling: by
    component, (bins, 3): mean in data, mean in simulation, ratio of RMS; response: <u_par>/<q_t> of
    the corrected simulation, (bins,); response_error, width_error: relative, by category of jets.
    """

    estimator: str
    maps: dict[str, Maps]
    bins: Bins
    rescaling: dict[str, np.ndarray]
    response: np.ndarray
    response_error: np.ndarray
    width_error: np.ndarray


def published_bins(samples: Sides, settings: CalibrationSettings) -> Bins:
    """Return the bins of njet and ptll, joined until each holds enough events of both samples."""
    own = settings.published
    edges = {"jets": own.njet, "qt_edges": (*own.ptll, FAR)}
    return make_bins(samples, settings.model_copy(update=edges))


def derive_recoil(
    corrections: Corrections,
    tool: Applied,
    samples: Sides,
    judged: Side,
    bins: Bins,
    settings: CalibrationSettings,
) -> PublishedRecoil:
    """Return means, widths and uncertainties of an estimator.

    Rescaling is derived from `samples`, as the maps are. Response and uncertainties are those of
    the maps on other events, `judged`: what is left between data and corrected simulation there
    (which holds the statistical fluctuation of these events) and the spread of the replicas of the
    maps, in quadrature. tool: the corrections as a user applies them.
    """
    name, reach = corrections.estimator, settings.published.rms_range
    derived = {
        dataset: Measured.of(tool, samples[dataset].only(name).events, dataset, bins)
        for dataset in DATASETS
    }
    rescaling = {
        component: _rescaling(derived, component, reach, f"{name} {component}")
        for component in COMPONENTS
    }
    usable = judged.finite(name)
    data = Measured.of(tool, usable.less_background, "data", bins)
    plain = Measured.of(tool, usable.simulation, "simulation", bins)
    mapped = plain.moved(tool.mapped(usable.simulation, plain.recoil))
    target, corrected = data.shape(reach), mapped.shape(reach)
    spread = [one.shape(reach) for one in _replicas(corrections.maps, usable.simulation, plain)]
    errors = [
        _distance(target[i], corrected[i], np.array([one[i] for one in spread]), name)
        for i in (1, 2)
    ]
    response = corrected[0]
    for wider in (corrected[1][plain.category], np.ones(response.size)):  # of a bin without events
        response = np.where(np.isfinite(response), response, wider)
    return PublishedRecoil(name, corrections.maps, bins, rescaling, response, *errors)


@dataclass(frozen=True)
class Measured:
    """Recoil and weight of events (n,), the bin of each, and the category of jets of each bin."""

    recoil: Recoil
    weight: np.ndarray
    number: np.ndarray
    category: np.ndarray

    @classmethod
    def of(cls, tool: Applied, events: BosonEvents, dataset: str, bins: Bins) -> Measured:
        """Return the recoil of events after the xy correction."""
        recoil = tool.recoil(events, dataset)
        category = np.repeat(np.arange(len(bins.ranges)), [len(one) for one in bins.ranges])
        return cls(recoil, events.weight, bins.number(recoil.q_t, events.n_jets), category)

    def moved(self, recoil: Recoil) -> Measured:
        """Return the same events with another recoil."""
        return Measured(recoil, self.weight, self.number, self.category)

    def sums(self, values: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return the sum of weighted values in each bin, of the events of a mask."""
        n_bins = self.category.size
        mask = mask & (self.number < n_bins)
        return np.asarray(np.bincount(self.number[mask], (self.weight * values)[mask], n_bins))

    def moments(self, component: str, reach: float) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and RMS about it, (bins,), of values within `reach`; NaN where undefined.

        Across the boson the mean is 0: no event is likelier than its mirror image.
        """
        u = self.recoil.component(component)
        inside = np.abs(u) < reach
        total, first, second = (self.sums(u**power, inside) for power in range(3))
        total = np.where(total > 0.0, total, np.nan)
        mean = np.zeros(total.size) if component == "u_perp" else first / total
        variance = second / total - mean**2
        return mean, np.sqrt(np.where(variance > 0.0, variance, np.nan))

    def shape(self, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return response (bins,), response and width by category of jets.

        The width is the RMS of u_par about its mean <u_par>/<q_t> q_t and of u_perp together.
        """
        u_par, q_t = self.recoil.u_par + self.recoil.q_t, self.recoil.q_t
        everywhere = np.ones(q_t.size, dtype=bool)
        par, along = self.sums(u_par, everywhere), self.sums(q_t, everywhere)
        response = _ratio(par, along)
        rest = u_par - np.append(response, 1.0)[self.number] * q_t
        inside = (np.abs(rest) < reach) & (np.abs(self.recoil.u_perp) < reach)
        squares = self._by_category(self.sums(rest**2 + self.recoil.u_perp**2, inside))
        total = self._by_category(self.sums(np.ones(q_t.size), inside))
        width = np.sqrt(np.maximum(0.5 * _ratio(squares, total), 0.0))
        return response, _ratio(self._by_category(par), self._by_category(along)), width

    def _by_category(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(np.bincount(self.category, values))


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a / b, NaN where b is not positive."""
    return np.asarray(np.divide(a, b, out=np.full(a.size, np.nan), where=b > 0.0))


def _rescaling(sides: dict[str, Measured], component: str, reach: float, where: str) -> np.ndarray:
    (mean_d, rms_d), (mean_s, rms_s) = (sides[name].moments(component, reach) for name in DATASETS)
    found = np.stack([mean_d, mean_s, _ratio(rms_d, rms_s)], axis=1)
    bad = ~np.isfinite(found).all(axis=1)
    if bad.any():
        _LOG.warning(
            "%s: in %d of %d bins subtracted events outweigh the others; their recoil is not"
            " rescaled",
            where,
            np.count_nonzero(bad),
            bad.size,
        )
        found[bad] = 0.0, 0.0, 1.0
    return found


def _replicas(maps: dict[str, Maps], events: BosonEvents, plain: Measured) -> Iterator[Measured]:
    """Yield the simulation after each replica of the maps."""
    recoil = plain.recoil
    for number in range(len(maps["u_par"].replicas[0])):
        u_par, u_perp = (
            maps[name].replica(number)(recoil.component(name), recoil.q_t, events.n_jets)
            for name in COMPONENTS
        )
        yield plain.moved(Recoil(u_par, u_perp, recoil.q_t))


def _distance(
    target: np.ndarray, corrected: np.ndarray, replicas: np.ndarray, name: str
) -> np.ndarray:
    """Return the relative uncertainty of a number in each category of jets.

    replicas: (replicas, categories).
    """
    left = _ratio(target, corrected) - 1.0
    spread = _ratio(replicas.std(axis=0), corrected)
    if not np.isfinite(left + spread).all():
        _LOG.warning("%s: recoil without an uncertainty, in a category without events", name)
    return np.asarray(np.hypot(np.nan_to_num(left), np.nan_to_num(spread)))
