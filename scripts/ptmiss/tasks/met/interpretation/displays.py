"""Single events: the candidates, their weights, and what each estimator makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ptmiss.tasks.met.interpretation.groups import GROUPS

TYPICAL, WORST = "typical", "worst"

_OTHER = "other"


@dataclass(frozen=True)
class Event:
    """An event. pt, eta, phi, weight, group: of its candidates; true, estimates: px, py in GeV."""

    sample: str
    identity: tuple[int, int, int]
    true: np.ndarray
    estimates: dict[str, np.ndarray]
    pt: np.ndarray
    eta: np.ndarray
    phi: np.ndarray
    weight: np.ndarray
    group: np.ndarray


def pick(errors: np.ndarray, hashes: np.ndarray, typical: int, worst: int) -> list[tuple[int, str]]:
    """Return which events to show, and why: place and `TYPICAL` or `WORST`.

    errors (n,): distance of the estimate from the true pTmiss in GeV; hashes (n,): decide between
    equal errors. Typical are the `typical` events around the median, worst those of the largest
    errors; an event is shown once.
    """
    order = np.lexsort((hashes, errors))
    n = len(order)
    worst = min(worst, n)
    typical = min(typical, n - worst)
    first = min((n - typical) // 2, n - worst - typical)
    chosen = [(int(place), TYPICAL) for place in order[first : first + typical]]
    return chosen + [(int(place), WORST) for place in order[::-1][:worst]]


def entry(event: Event, why: str, limit: int) -> dict[str, object]:
    """Return an event as plain values: the `limit` hardest candidates, hardest first.

    What is left out is counted under `left_out`: candidates, and the scalar sum of their pT with
    and without weights in GeV. Numbers are rounded to what a figure can show; None: not finite.
    """
    order = np.argsort(-event.pt, kind="stable")
    kept, rest = order[:limit], order[limit:]
    pt, weight = event.pt.astype(np.float64), event.weight.astype(np.float64)
    names = [*GROUPS, _OTHER]
    return {
        "sample": event.sample,
        "event": ":".join(map(str, event.identity)),
        "why": why,
        "true": _rounded(event.true),
        "estimates": {
            name: _rounded(met) for name, met in event.estimates.items() if np.isfinite(met).all()
        },
        "pt": _rounded(pt[kept]),
        "eta": _rounded(event.eta[kept]),
        "phi": _rounded(event.phi[kept]),
        "weight": _rounded(weight[kept]),
        "group": [names[group] for group in event.group[kept]],
        "left_out": {
            "candidates": len(rest),
            "pt": round(float(pt[rest].sum()), 3),
            "weighted_pt": round(float((weight * pt)[rest].sum()), 3),
        },
    }


def _rounded(values: np.ndarray) -> list[float | None]:
    return [round(float(value), 4) if np.isfinite(value) else None for value in values]
