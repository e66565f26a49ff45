"""The corrections of an estimator on arrays, by name of the variation.

met = load("corrections.json.gz", "puppi")
pt, phi = met.correct(events.PuppiMET.pt, events.PuppiMET.phi, events.PV.npvs)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from ptmiss.core.errors import UserError
from ptmiss.core.paths import PathLike
from ptmiss.core.settings.names import unknown
from ptmiss.tasks.met.calibration.apply import Document, read
from ptmiss.tasks.met.calibration.names import SYSTEMATICS
from ptmiss.tasks.met.performance.recoil import met_of, recoil

Dataset = Literal["data", "simulation"]

_FIRST = "_xy_x"
"""End of the name of the correction that every estimator has."""


class Polar(NamedTuple):
    """A transverse momentum: pt in GeV and phi in radians, float64, (n,) each."""

    pt: np.ndarray
    phi: np.ndarray


class Boson(NamedTuple):
    """What the hadrons recoil from, and the number of jets; (n,) each.

    pt, phi: of the whole boson in GeV and radians, of the generator or of its two leptons;
    visible_pt, visible_phi: of what is seen of it (for W the lepton), None where that is all. Jets
    are those that the calibration counted: the description of the corrections says which.
    """

    pt: npt.ArrayLike
    phi: npt.ArrayLike
    n_jets: npt.ArrayLike
    visible_pt: npt.ArrayLike | None = None
    visible_phi: npt.ArrayLike | None = None


@dataclass(frozen=True)
class CalibratedMet:
    """The corrections of one estimator, for data or for simulation."""

    document: Document
    estimator: str
    dataset: Dataset

    @property
    def variations(self) -> tuple[str, ...]:
        """Names of the variations, `nominal` first."""
        return SYSTEMATICS

    def correct(
        self,
        pt: npt.ArrayLike,
        phi: npt.ArrayLike,
        n_pv: npt.ArrayLike,
        boson: Boson | None = None,
        variation: str = "nominal",
    ) -> Polar:
        """Return corrected pTmiss.

        The mean offset at this number of vertices is subtracted; of simulation with a boson, the
        recoil is mapped to the distribution that data have. A value that is not a number comes back
        as it is.

        Parameters
        ----------
        pt, phi : array_like
            pTmiss of the estimator in GeV and radians, (n,).
        n_pv : array_like
            Number of reconstructed vertices.
        boson : Boson, optional
            Of simulation of a single boson; None subtracts the offset alone.
        variation : str
            One of `variations`.

        Raises
        ------
        UserError
            For an unknown variation, arrays of different lengths, values that are no plain numbers,
            and a boson in data, whose recoil is what simulation is mapped to.
        """
        if variation not in SYSTEMATICS:
            raise UserError(unknown("variation", variation, SYSTEMATICS))
        if boson is not None and self.dataset == "data":
            raise UserError(
                "the recoil of data is not corrected, simulation is mapped to it; leave boson out,"
                " or load the corrections of simulation"
            )
        met_pt, met_phi, vertices = _arrays({"pt": pt, "phi": phi, "n_pv": n_pv})
        x, y = met_pt * np.cos(met_phi), met_pt * np.sin(met_phi)
        x, y = (
            value - self._evaluate(f"xy_{axis}", self.dataset, variation, vertices)
            for value, axis in ((x, "x"), (y, "y"))
        )
        if boson is not None:
            x, y = self._mapped(x, y, boson, variation)
        return Polar(np.hypot(x, y), np.arctan2(y, x))

    def _mapped(
        self, x: np.ndarray, y: np.ndarray, boson: Boson, variation: str
    ) -> tuple[np.ndarray, np.ndarray]:
        given = {name: values for name, values in boson._asdict().items() if values is not None}
        if len(given) == 4:
            raise UserError("boson: visible_pt and visible_phi are given together or not at all")
        x, y, pt, phi, n_jets, *seen = _arrays({"px": x, "py": y, **given})
        whole = np.stack([pt * np.cos(phi), pt * np.sin(phi)])
        unseen = np.zeros_like(whole)
        if seen:
            unseen = whole - seen[0] * np.stack([np.cos(seen[1]), np.sin(seen[1])])
        u_par, u_perp, q_t = recoil(x, y, *whole, *unseen)
        along = q_t + self._evaluate("u_par", variation, u_par - q_t, q_t, n_jets)
        across = self._evaluate("u_perp", variation, u_perp, q_t, n_jets)
        return met_of(along, across, *whole, *unseen)

    def _evaluate(self, name: str, *values: str | np.ndarray) -> np.ndarray:
        return self.document[f"{self.estimator}_{name}"].evaluate(*values)


def load(path: PathLike, estimator: str, dataset: Dataset = "simulation") -> CalibratedMet:
    """Return the corrections of an estimator from a file `corrections.json.gz`.

    estimator: `puppi`, or `mixed.puppi` where names begin with the training (calibration.names).
    Raises `UserError` for a damaged file and for an estimator or a data set that is not in it.
    """
    document = read(path)
    known = [name.removesuffix(_FIRST) for name in document if name.endswith(_FIRST)]
    if estimator not in known:
        raise UserError(f"{path}: {unknown('estimator', estimator, known)}")
    if dataset not in get_args(Dataset):
        raise UserError(unknown("dataset", dataset, get_args(Dataset)))
    return CalibratedMet(document, estimator, dataset)


def _arrays(given: dict[str, npt.ArrayLike]) -> list[np.ndarray]:
    """Return arrays of numbers as float64, all of the length of the longest, (n,)."""
    arrays = {}
    for name, values in given.items():
        try:
            arrays[name] = np.atleast_1d(np.asarray(values, dtype=np.float64))
        except (TypeError, ValueError) as error:
            raise UserError(
                f"{name}: {type(values).__name__} is no array of one number an event"
                f" ({' '.join(str(error).split())[:120]})"
            ) from None
        if arrays[name].ndim != 1:
            raise UserError(
                f"{name}: has {arrays[name].ndim} dimensions, expected one number an event"
            )
    lengths = {values.size for values in arrays.values() if values.size != 1}
    if len(lengths) > 1:
        sizes = ", ".join(f"{name} {values.size}" for name, values in arrays.items())
        raise UserError(f"arrays of different lengths: {sizes}; give one number an event in each")
    n = lengths.pop() if lengths else 1
    return [np.ascontiguousarray(np.broadcast_to(values, (n,))) for values in arrays.values()]
