"""Columns that an input may lack, made from those it has."""

from __future__ import annotations

import numpy as np

from ptmiss.core.ragged import Ragged
from ptmiss.events.columns import OTHER_FLAVOUR
from ptmiss.events.objects.jets import cluster, count_jets
from ptmiss.events.objects.puppi.parameters import RUN2_V15
from ptmiss.events.objects.puppi.weights import both_flavours, puppi_weights
from ptmiss.events.objects.rho import median_density
from ptmiss.events.readers.batch import EventBatch
from ptmiss.events.skim.association import Limits as Limits
from ptmiss.events.skim.association import association as association


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


def n_jets(events: EventBatch, columns: Ragged, leptons: Ragged) -> np.ndarray:
    """Return the jets above 20 GeV with |eta| < 3 that are no lepton, uint8, shape (n_events,).

    Jets of the input where it has some, else anti-kT 0.4 jets of all candidates.
    """
    jets = events.jets
    if jets is None:
        jets = cluster(columns, radius=0.4, min_pt=20.0)
    return count_jets(jets, leptons)
