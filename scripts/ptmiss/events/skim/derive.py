"""Columns that an input may lack, made from those it has."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged
from ptmiss.events.columns import OTHER_FLAVOUR
from ptmiss.events.objects.jets import cluster, count_jets
from ptmiss.events.objects.puppi.parameters import RUN2_V15
from ptmiss.events.objects.puppi.weights import both_flavours, puppi_weights
from ptmiss.events.objects.rho import median_density
from ptmiss.events.readers.batch import EventBatch
from ptmiss.events.skim.association import Limits as Limits
from ptmiss.events.skim.association import association as association

Given = TypeVar("Given")


def puppi(columns: Ragged, n_pv_good: np.ndarray, flavour: str) -> tuple[Ragged, list[str]]:
    """Return the candidates with both flavours of the PUPPI weight, and which were computed.

    Columns puppi, of this flavour, and puppi_{other flavour}, float32. What the input has stays;
    the rest is that of the tune of the CMS Run 2 re-reconstruction (v15).
    """
    names = {flavour: "puppi", OTHER_FLAVOUR[flavour]: f"puppi_{OTHER_FLAVOUR[flavour]}"}
    missing = [key for key, name in names.items() if name not in columns.columns]
    if len(missing) == 2:
        both = both_flavours(columns, n_pv_good, RUN2_V15)
        weights = dict(zip(("standard", "no_lepton"), both, strict=True))
    else:
        weights = {
            key: puppi_weights(columns, n_pv_good, RUN2_V15, no_lepton=key == "no_lepton")
            for key in missing
        }
    computed = {names[key]: values for key, values in weights.items()}
    return Ragged(columns.offsets, {**columns.columns, **computed}), missing


def density(columns: Ragged) -> np.ndarray:
    """Return the median energy density in GeV, float32, shape (n_events,)."""
    return median_density(columns)


def rho(events: EventBatch, columns: Ragged | None, address: str) -> np.ndarray:
    """Return the median energy density in GeV, shape (n_events,): of the input where it has one
    that is finite, else of all candidates.

    columns: candidates, None where the input has none. Raises `UserError` if it has neither.
    """
    given = events.rho
    if columns is None:
        return _given(given, "energy density", address)
    if given is None:
        return density(columns)
    finite = np.isfinite(given)
    return given if finite.all() else np.where(finite, given, density(columns))


def _given(values: Given | None, what: str, address: str) -> Given:
    if values is None:
        raise UserError(
            f"{address}: neither candidates nor {what}; produce the file with one of them"
        )
    return values


def n_jets(events: EventBatch, columns: Ragged | None, leptons: Ragged, address: str) -> np.ndarray:
    """Return the jets above 20 GeV with |eta| < 3 that are no lepton, uint8, shape (n_events,).

    Jets of the input where it has some, else anti-kT 0.4 jets of all candidates. columns:
    candidates, None where the input has none. Raises `UserError` if it has neither.
    """
    jets = events.jets
    if columns is None:
        jets = _given(jets, "jets", address)
    elif jets is None:
        jets = cluster(columns, radius=0.4, min_pt=20.0)
    return count_jets(jets, leptons)
