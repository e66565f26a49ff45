"""Corrections of an estimator applied to events, as a user of the JSON does it."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import correctionlib
import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.io import json, text
from ptmiss.core.paths import PathLike
from ptmiss.tasks.met.calibration.names import COMPONENTS

if TYPE_CHECKING:  # who applies corrections to own events needs none of what reads ours
    from ptmiss.tasks.met.calibration.bosons import BosonEvents

_STAGE = "calibrate"
_LARGEST = 1e12
"""Beyond what any recoil in GeV is corrected to."""


@dataclass(frozen=True)
class Correction:
    """One correction of a document. path: of the document."""

    path: PathLike
    name: str
    inner: correctionlib.Correction

    def evaluate(self, *values: str | np.ndarray) -> np.ndarray:
        """Return the correction at these inputs, (n,); it is finite wherever all numbers are.

        Raises `UserError` for a document that has no such inputs or gives no sensible number.
        """
        try:
            result: np.ndarray = self.inner.evaluate(*values)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            raise _damaged(self.path, f"{self.name}: {error}") from None
        numbers = [value for value in values if not isinstance(value, str)]
        known = np.logical_and.reduce([np.isfinite(value) for value in numbers] or [True])
        if not (np.abs(result) <= _LARGEST)[known].all():  # NaN is not smaller either
            raise _damaged(self.path, f"{self.name}: a correction is not a number in GeV")
        return result


@dataclass(frozen=True)
class Document:
    """Corrections by name, read from a file."""

    path: PathLike
    corrections: correctionlib.CorrectionSet

    def __getitem__(self, name: str) -> Correction:
        if name not in set(self.corrections):
            raise _damaged(self.path, f"no correction {name}")
        return Correction(self.path, name, self.corrections[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.corrections)


def read(path: PathLike) -> Document:
    """Open a document for evaluation; raises `UserError` for a damaged file."""
    packed = text.read_bytes(path, _STAGE)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            content = file.read(text.LARGEST + 1)
        if len(content) > text.LARGEST:
            raise ValueError(f"unpacked it has more than {text.LARGEST / 1e6:.0f} MB")
        # correctionlib alone would take half a document, or end the process where one nests
        json.decode(text.decode(content, path, _STAGE), path, _STAGE)
        return Document(path, correctionlib.CorrectionSet.from_string(content.decode()))
    except (OSError, EOFError, ValueError, RuntimeError, IndexError, zlib.error) as error:
        raise _damaged(path, str(error)) from None


def _damaged(path: PathLike, what: str) -> UserError:
    return UserError(f"{path}: not a correctionlib document of ours ({what}); {text.again(_STAGE)}")


@dataclass(frozen=True)
class Recoil:
    """u_par - q_t, u_perp and q_t, each (n,) in GeV."""

    u_par: np.ndarray
    u_perp: np.ndarray
    q_t: np.ndarray

    def component(self, name: str) -> np.ndarray:
        """Return u_par - q_t for the name u_par, u_perp for its own."""
        return {"u_par": self.u_par, "u_perp": self.u_perp}[name]


@dataclass(frozen=True)
class Applied:
    """The corrections of one estimator from a document.

    before: what the names in the document have before that of the estimator (see `Inputs.prefix`).
    """

    corrections: Document
    estimator: str
    before: str = ""

    def offset(self, n_pv: np.ndarray, dataset: str, systematic: str = "nominal") -> np.ndarray:
        """Return the mean pTmiss of a data set at these numbers of vertices, (2, n)."""
        name = f"{self.before}{self.estimator}_xy_"
        offset = [
            self.corrections[name + axis].evaluate(dataset, systematic, n_pv) for axis in "xy"
        ]
        return np.stack(offset)

    def met(
        self, events: BosonEvents, dataset: str | None, systematic: str = "nominal"
    ) -> np.ndarray:
        """Return pTmiss less its mean offset in a data set, (2, n); as it is for None."""
        met = events.met[self.estimator]
        if dataset is None:
            return met
        return np.asarray(met - self.offset(events.n_pv, dataset, systematic))

    def recoil(self, events: BosonEvents, dataset: str | None) -> Recoil:
        """Return the recoil after the xy correction."""
        u_par, u_perp, q_t = events.recoil(self.met(events, dataset))
        return Recoil(u_par - q_t, u_perp, q_t)

    def mapped(self, events: BosonEvents, measured: Recoil, systematic: str = "nominal") -> Recoil:
        """Return the recoil of simulated events after the quantile maps."""
        return self.moved(measured, events.n_jets, systematic)

    def moved(self, measured: Recoil, n_jets: np.ndarray, systematic: str = "nominal") -> Recoil:
        """Return a recoil after the quantile maps; n_jets: (n,), as the calibration counts them."""
        u_par, u_perp = (
            self.corrections[f"{self.before}{self.estimator}_{name}"].evaluate(
                systematic, measured.component(name), measured.q_t, n_jets
            )
            for name in COMPONENTS
        )
        return Recoil(u_par, u_perp, measured.q_t)
