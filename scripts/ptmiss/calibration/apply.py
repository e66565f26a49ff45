"""Corrections of an estimator applied to events, as a user of the JSON does it."""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass

import correctionlib
import numpy as np

from ptmiss.calibration.events import Events
from ptmiss.errors import UserError
from ptmiss.io import manifest
from ptmiss.settings.calibration import CalibrationSettings

COMPONENTS = ("u_par", "u_perp")


def read(path: str | os.PathLike[str]) -> correctionlib.CorrectionSet:
    """Open a document for evaluation; raises `UserError` for a damaged file."""
    manifest.check(path)
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return correctionlib.CorrectionSet.from_string(file.read())
    except (OSError, EOFError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{path}: not a correctionlib document ({error}); delete it and run the workflow again"
        ) from None


def prefix(training: str, settings: CalibrationSettings) -> str:
    """Return what names of corrections begin with: nothing, or the training and a dot.

    No name of a training or an estimator has a dot, so that two of them never give the same name.
    """
    return f"{training}." if settings.names == "training" else ""


@dataclass(frozen=True)
class Recoil:
    """u_par - q_t, u_perp and q_t, each (n,) in GeV."""

    u_par: np.ndarray
    u_perp: np.ndarray
    q_t: np.ndarray

    def component(self, name: str) -> np.ndarray:
        """Return u_par - q_t for the name u_par, u_perp for its own."""
        return getattr(self, name)


@dataclass(frozen=True)
class Applied:
    """The corrections of one estimator, number `e` of the events, from a document.

    before: what the names in the document have before that of the estimator (see `prefix`).
    """

    corrections: correctionlib.CorrectionSet
    estimator: str
    e: int
    before: str = ""

    def met(self, events: Events, dataset: str | None, systematic: str = "nominal") -> np.ndarray:
        """Return pTmiss less its mean offset in a data set, (2, n); as it is for None."""
        met = events.met[self.e]
        if dataset is None:
            return met
        return met - np.stack([
            self.corrections[f"{self.before}{self.estimator}_xy_{axis}"].evaluate(
                dataset, systematic, events.n_pv
            )
            for axis in "xy"
        ])  # fmt: skip

    def recoil(self, events: Events, dataset: str | None) -> Recoil:
        """Return the recoil after the xy correction."""
        u_par, u_perp, q_t = events.recoil(self.met(events, dataset))
        return Recoil(u_par - q_t, u_perp, q_t)

    def mapped(self, events: Events, found: Recoil, systematic: str = "nominal") -> Recoil:
        """Return the recoil of simulated events after the quantile maps."""
        u_par, u_perp = (
            self.corrections[f"{self.before}{self.estimator}_{name}"].evaluate(
                systematic, found.component(name), found.q_t, events.n_jets
            )
            for name in COMPONENTS
        )
        return Recoil(u_par, u_perp, found.q_t)
