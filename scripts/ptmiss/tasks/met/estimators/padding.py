"""Does a model give the same pTmiss however many pads follow the candidates?

Batches are padded to their longest event, so a model must not count pads, unless we are told how
many slots it wants. Networks without a mask count them: through biases and batch normalisation each
pad contributes a constant, as in the graphs shipped with CMSSW, which were trained with 4500 slots.
"""

from __future__ import annotations

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.learn.features import Features
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.tasks.met.features import CONTINUOUS, TABLES

TOLERANCE = 1e-3
"""GeV that pads may move pTmiss by: sums in float32 in another order."""

PADS = 1000
"""So many that a contribution of 1e-6 GeV each is seen."""


def check_pads(name: str | None, estimator: NetworkEstimator) -> None:
    """Raise `UserError`, saying what to set, for a model of any number of slots that counts pads.

    name: of the model in the settings; None for a training's own, which has no setting.
    """
    if estimator.model.slots is not None:
        return
    path = estimator.model.path
    remedy = (
        "export the training again"
        if name is None
        else (
            "if it was made for a fixed number of slots, as those of CMSSW for 4500, set"
            f" evaluate.external.{name}: {{path: {path}, slots: 4500}}"
        )
    )
    try:
        change = max((change_by_pads(estimator, size) for size in (1, 6)), key=np.linalg.norm)
    except UserError as error:
        # a model that is gone had other troubles than the number of slots
        hint = f" ({remedy})" if getattr(estimator.session, "is_alive", True) else ""
        raise UserError(f"{error}{hint}") from None
    if not np.all(np.abs(change) <= TOLERANCE):
        x, y = change / PADS
        raise UserError(
            f"{path}: each pad after the candidates moves pTmiss by ({x:.3g}, {y:.3g}) GeV, so its"
            f" results depend on the other events of a batch; {remedy}"
        )


def change_by_pads(estimator: NetworkEstimator, size: int) -> np.ndarray:
    """Return by how much `PADS` pads move pTmiss of an event of `size` candidates, GeV, (2,)."""
    context = estimator.model.context
    bare, padded = (_met(estimator, _event(size, pads, context)) for pads in (0, PADS))
    both = ~np.isfinite(bare) & ~np.isfinite(padded)  # such results are judged elsewhere
    return np.where(both, 0.0, padded - np.where(both, 0.0, bare))


def _met(estimator: NetworkEstimator, event: Features) -> np.ndarray:
    result = estimator.run(event)
    return np.array([result.px[0], result.py[0]])


def _event(size: int, pads: int, context: int) -> Features:
    """Return an event of candidates of about 10 GeV, all different, and pads of zeros."""
    number = np.arange(size)
    x = np.zeros((size + pads, len(CONTINUOUS) + context), dtype=np.float32)
    pt, phi = 0.1 + 0.05 * number, 0.7 + 2.4 * number
    columns = (
        0.01 * number,
        0.1 * number,
        0.3 * number - 1.0,
        0.14 * (number % 2),
        pt,
        1.0 / (1.0 + number),
        pt * np.cos(phi),
        pt * np.sin(phi),
    )
    x[:size, : len(CONTINUOUS)] = np.stack(columns, axis=1)
    x[:size, len(CONTINUOUS) :] = 0.3
    codes = np.zeros((size + pads, len(TABLES)), dtype=np.int32)
    codes[:size] = number[:, None] % np.array(TABLES)
    return Features(np.array([0, size + pads]), x, codes, {})
