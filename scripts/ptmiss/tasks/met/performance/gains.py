"""How much better one estimator is than another, and how near the limit: paired replicas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from ptmiss.core.stats.bootstrap import gain, share
from ptmiss.tasks.met.performance.names import NETWORK, RESCALED
from ptmiss.tasks.met.performance.resolution import Measured, Value

START, END, LIMIT = "puppi", "oracle", "limit"
"""The way to the limit begins at PUPPI and ends where pile-up is known; its name in the tables."""

_WIDTHS = ("sigma_par", "sigma_perp", "sigma_xy", "sigma_met", "sigma_met_median", "sigma_phi")
QUANTITIES = (
    *(f"{sigma}{form}" for sigma in _WIDTHS for form in ("", "_rms")),
    "sigma_par_bincorr",
    "sigma_perp_bincorr",
)
"""Resolutions whose gains are in the table of gains."""

Gain = tuple[str, str, str, Value]
"""Estimator, over, quantity, value."""


def gains(
    names: Iterable[str],
    measured: Iterable[Measured],
    b: int,
    quantities: Iterable[str],
    over: Sequence[str],
) -> Iterator[Gain]:
    """Yield in bin b the gains over the estimators `over`, 1 - ratio of resolutions, and the shares
    of the way to the limit (over = "limit"). The network's are over its own rescaling too.

    quantities: resolutions, those that the bin does not have are left out. A share is empty where
    PUPPI is not worse than the oracle beyond doubt (95 %), because there is no way then.
    """
    by_name = {name: one.quantities(b) for name, one in zip(names, measured, strict=True)}
    for quantity in quantities:
        widths = {name: values[quantity] for name, values in by_name.items() if quantity in values}
        for name, mine in widths.items():
            for base in (*over, *((RESCALED,) if name == NETWORK else ())):
                if base != name and base in widths:
                    yield name, base, quantity, _combine(gain, mine, widths[base])
            if START in widths and END in widths and name not in (START, END):
                value = _combine(share, widths[START], mine, widths[END])
                yield name, LIMIT, quantity, value


def _combine(rule: Callable[..., np.ndarray | None], *values: Value) -> Value:
    n_events = min(value.n_events for value in values)
    arrays = [value.values for value in values if value.values is not None]
    if len(arrays) < len(values):
        return Value(None, n_events)
    result = rule(*arrays)
    return Value(result if result is not None and np.isfinite(result[0]) else None, n_events)
