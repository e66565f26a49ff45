"""How much resolution is lost when one feature of the candidates is permuted.

Resolution is half of the 16-84 % width of estimate / response - truth, with the response of the
same events. The tables of performance divide the width of estimate - truth by the response, which
is the same near 1; a permuted feature may take the response far from it, and then the spread of the
truth would enter their width. Each event counts once, whatever its weight: the question is what the
network uses, over the whole range of recoil that the sample was made for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ptmiss.core.stats.bootstrap import interval
from ptmiss.core.stats.histograms import LEVELS
from ptmiss.core.tables import Row
from ptmiss.tasks.met.interpretation.permute import NEIGHBOURS, PERMUTED
from ptmiss.tasks.met.performance.recoil import along_and_across, recoil

RECOIL = ("sigma_par", "sigma_perp")
TRUTH = ("sigma_xy",)


@dataclass(frozen=True)
class Permuted:
    """pTmiss of the same events with one feature permuted at a time.

    met (1 + features, 2, n) in GeV, the first with none permuted, then in the order of `PERMUTED`,
    and where there is one more, the neighbours;
    boson (2, n), looked at if dilepton; true_met (2, n), looked at if not; copies
    (n, 1 + replicas): `bootstrap.copies`.
    """

    dilepton: bool
    met: np.ndarray
    boson: np.ndarray
    true_met: np.ndarray
    copies: np.ndarray


def half_width(
    seen: np.ndarray, target: np.ndarray, response: np.ndarray, copies: np.ndarray
) -> np.ndarray:
    """Return half the 16-84 % width of seen / response - target in each replica, (1 + replicas,).

    seen, target (n,); response (1 + replicas,); copies (n, 1 + replicas): how often each event
    counts. Quantiles are those of the drawn values, interpolated linearly between neighbours; NaN
    for a replica without any, or whose response is not positive.
    """
    good = response > 0.0
    values = seen[:, None] / np.where(good, response, 1.0) - target[:, None]
    order = np.argsort(values, axis=0, kind="stable")
    values = np.take_along_axis(values, order, axis=0)
    up_to = np.cumsum(np.take_along_axis(copies, order, axis=0), axis=0, dtype=np.int64)
    total = up_to[-1]

    def drawn(place: np.ndarray) -> np.ndarray:
        """Return the value at a place (from 0) among the sorted drawn values of each replica."""
        row = np.argmax(up_to > place, axis=0)
        return np.asarray(np.take_along_axis(values, row[None], axis=0)[0])

    quantiles = []
    for level in LEVELS:
        place = level * np.maximum(total - 1, 0)
        below = np.floor(place)
        low, high = drawn(below), drawn(np.minimum(below + 1, total - 1))
        quantiles.append(low + (place - below) * (high - low))
    return np.where(good & (total > 0), (quantiles[-1] - quantiles[0]) / 2.0, np.nan)


def resolutions(events: Permuted, number: int, response_gen_met: float) -> dict[str, np.ndarray]:
    """Return the corrected resolutions in each replica, for one entry of `met`.

    Of dileptons those of the recoil: `sigma_par`, `sigma_perp`, with the response <u_par> / <q_t>;
    else `sigma_xy`, with <pTmiss along the true one> / <true pTmiss> of the events above
    `response_gen_met`. NaN where the response is not positive.
    """
    x, y = events.met[number]
    drawn = events.copies
    if events.dilepton:
        u_par, u_perp, q_t = recoil(x, y, *events.boson)
        response = _ratio(u_par, q_t, drawn)
        return {
            "sigma_par": half_width(u_par, q_t, response, drawn),
            "sigma_perp": half_width(u_perp, np.zeros_like(q_t), response, drawn),
        }
    true_x, true_y = events.true_met
    along, _ = along_and_across(x, y, true_x, true_y)
    gen_met = np.hypot(true_x, true_y)
    used = gen_met > response_gen_met
    response = _ratio(along[used], gen_met[used], drawn[used])
    both = [np.concatenate(pair) for pair in ((x, y), (true_x, true_y), (drawn, drawn))]
    return {"sigma_xy": half_width(both[0], both[1], response, both[2])}


def _ratio(values: np.ndarray, lever: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """Return the ratio of the two means in each replica; NaN where there is none."""
    total, below = (np.sum(copies * one[:, None], axis=0) for one in (values, lever))
    return np.where(below > 0.0, total / np.where(below > 0.0, below, 1.0), np.nan)


def rows(sample: str, events: Permuted, response_gen_met: float, min_events: int) -> Iterator[Row]:
    """Yield the rows of the table: resolution after / before - 1, paired in each replica.

    With fewer than `min_events` events, or without a response, numbers are empty.
    """
    n = events.met.shape[2]
    quantities = RECOIL if events.dilepton else TRUTH
    names = (*PERMUTED, NEIGHBOURS)[: len(events.met) - 1]
    if n < min_events:
        for feature in names:
            for quantity in quantities:
                yield (sample, feature, quantity, math.nan, math.nan, math.nan, n)
        return
    before = resolutions(events, 0, response_gen_met)
    for number, feature in enumerate(names, 1):
        after = resolutions(events, number, response_gen_met)
        for quantity in quantities:
            with np.errstate(divide="ignore", invalid="ignore"):
                loss = after[quantity] / before[quantity] - 1.0
            yield (sample, feature, quantity, loss[0], *interval(loss), n)
