"""The headline in three forms: what corrects a resolution decides what a gain is worth.

Divided by the response on the plateau, an estimator that shrinks small recoils looks better than it
is, because the plateau does not see that. Divided by the response of each event's own bin of q_T, a
factor of the recoil gains nothing; one that depends on the size of the recoil still narrows it
across the boson, and widens it along, so that both belong together. Above 50 GeV there is little
to shrink.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from ptmiss.tasks.met.performance.gains import LIMIT
from ptmiss.tasks.met.performance.measure import Distributions
from ptmiss.tasks.met.performance.names import FORMS, OWN, OWN_HIGH, PLATEAU
from ptmiss.tasks.met.performance.resolution import RECOIL_SIGMAS, Measured
from ptmiss.tasks.met.performance.tables import edges_of, quoted, stated_gains
from ptmiss.tasks.met.settings.performance import PerformanceSettings

Entry = dict[str, object]
_Chosen = tuple[str, str, str, int]


def forms(
    parts: Distributions, measured: Sequence[Measured], settings: PerformanceSettings
) -> list[Entry]:
    """Return each resolution of a sample in each form, with 95 % intervals, by form.

    An entry names its form, the resolution it is `of`, the quantity of the tables and the bin that
    it is in, and has its value for each estimator, gains over those of the settings (of the network
    over its own rescaling too) from paired replicas, and shares of the way to the limit.
    """
    entries: list[Entry] = []
    chosen = sorted(_chosen(parts, settings), key=lambda one: FORMS.index(one[0]))
    for form, sigma, quantity, number in chosen:
        item = parts.grid.bins[number]
        stated = stated_gains(parts, measured, [(quantity, number)], settings.over)
        entries.append(
            {
                "form": form,
                "of": sigma,
                "quantity": quantity,
                "axis": item.axis,
                **edges_of(item),
                "estimators": {
                    name: quoted(values.quantities(number)[quantity])
                    for name, values in zip(parts.estimators, measured, strict=True)
                },
                "gains": [entry for entry in stated if entry["over"] != LIMIT],
                "limit": [entry for entry in stated if entry["over"] == LIMIT],
            }
        )
    return entries


def _chosen(parts: Distributions, settings: PerformanceSettings) -> Iterator[_Chosen]:
    """Yield form, resolution, its name in the tables, and the bin."""
    if parts.has_boson:
        low = parts.grid.find("qt", *settings.headline_qt)
        high = parts.grid.find("qt", *settings.headline_high_qt)
        for sigma in RECOIL_SIGMAS:
            yield OWN, sigma, f"{sigma}_bincorr", low
            yield OWN_HIGH, sigma, f"{sigma}_bincorr", high
            yield PLATEAU, sigma, sigma, low
    if parts.has_truth and (parts.boson_has_neutrino or not parts.has_boson):
        everything = parts.grid.find("all", -math.inf, math.inf)
        yield OWN, "sigma_xy", "sigma_xy_bincorr", everything
        yield PLATEAU, "sigma_xy", "sigma_xy", everything


def responses(
    parts: Distributions, measured: Sequence[Measured], settings: PerformanceSettings
) -> list[Entry]:
    """Return the response of every estimator in the bins of `response_edges`, with 95 % intervals.

    Empty for a sample without a boson.
    """
    if not parts.has_boson:
        return []
    entries: list[Entry] = []
    for low, high in itertools.pairwise(settings.response_edges):
        number = parts.grid.find("qt", low, high)
        values = (quoted(one.response("par", number)) for one in measured)
        estimators = dict(zip(parts.estimators, values, strict=True))
        entries.append({**edges_of(parts.grid.bins[number]), "estimators": estimators})
    return entries
