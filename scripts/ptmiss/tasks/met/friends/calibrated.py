"""The columns of a friend tree: corrected pTmiss and its variations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.settings.names import unknown
from ptmiss.tasks.met.calibration.apply import Applied, Document, Recoil
from ptmiss.tasks.met.calibration.names import SYSTEMATICS
from ptmiss.tasks.met.friends.batches import Batch, Boson
from ptmiss.tasks.met.friends.names import IDENTITY, MAPPED, form
from ptmiss.tasks.met.performance.recoil import met_of, recoil

_FIRST = "_xy_x"
"""End of the name of the correction that every estimator has."""

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Calibration:
    """The corrections of a document. before: what its names have before that of an estimator;
    dataset: "data" or "simulation"."""

    document: Document
    before: str
    dataset: str

    @classmethod
    def of(cls, document: Document, training: str, is_data: bool) -> Calibration:
        """Return those of a training, where names say whose they are (`calibration.names`)."""
        before = f"{training}."
        if not any(name.startswith(before) for name in document):
            before = ""
        return cls(document, before, "data" if is_data else "simulation")

    @property
    def estimators(self) -> list[str]:
        """The estimators that have corrections."""
        names = [name for name in self.document if name.endswith(_FIRST)]
        own = [name for name in names if name.startswith(self.before)]
        return [name.removeprefix(self.before).removesuffix(_FIRST) for name in own]

    def chosen(self, wanted: Iterable[str], available: Iterable[str], address: str) -> list[str]:
        """Return the estimators of a friend: those of the settings, by default all there are.

        available: those that the input allows. Raises `UserError` for one that is wanted and has no
        corrections or cannot be had, and if none is left.
        """
        known = [name for name in available if name in self.estimators]
        for name in wanted:
            if name not in self.estimators:
                raise UserError(
                    f"{self.document.path}: " + unknown("apply.estimators", name, self.estimators)
                )
            if name not in known:
                raise UserError(f"{address}: " + unknown("apply.estimators", name, known))
        if not known:
            raise UserError(
                f"{address}: {self.document.path} has corrections of"
                f" {', '.join(self.estimators) or 'nothing'}, and this file none of these"
                " estimators; give the corrections of its own estimators"
            )
        return list(wanted) or known

    def columns(self, batch: Batch, names: Mapping[str, str]) -> Columns:
        """Return the columns of a batch, (n_events,) each. names: estimator -> `met_names`."""
        with np.errstate(invalid="ignore", over="ignore"):  # not finite before, not finite after
            return self._columns(batch, names)

    def _columns(self, batch: Batch, names: Mapping[str, str]) -> Columns:
        columns: Columns = dict(zip(IDENTITY, batch.identity, strict=True))
        columns[MAPPED] = np.zeros(batch.n_pv.size, dtype=bool)
        if batch.boson is not None:
            columns[MAPPED] = batch.boson.which
        levels, place = np.unique(batch.n_pv, return_inverse=True)
        for estimator, name in names.items():
            applied = Applied(self.document, estimator, self.before)
            for variation, x, y in self._variations(applied, batch, levels, place):
                columns[f"{name}_pt{form(variation)}"] = np.hypot(x, y).astype(np.float32)
                columns[f"{name}_phi{form(variation)}"] = np.arctan2(y, x).astype(np.float32)
            if estimator in batch.sums:
                columns[f"{name}_sumPt"] = batch.sums[estimator].astype(np.float32)
        return columns

    def _variations(
        self, applied: Applied, batch: Batch, levels: np.ndarray, place: np.ndarray
    ) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yield the variations of the corrections, and the input's own with the nominal ones."""
        met = batch.mets[applied.estimator]
        moved = batch.shifts.get(applied.estimator, {})
        given = {**dict.fromkeys(SYSTEMATICS, met), **moved}
        for variation, vector in given.items():
            systematic = variation if variation in SYSTEMATICS else SYSTEMATICS[0]
            # there are as many corrections as numbers of vertices, not as events
            corrected = vector.copy()
            if levels.size:
                offset = applied.offset(levels.astype(np.float64), self.dataset, systematic)
                corrected -= offset[:, place]
            if batch.boson is not None and batch.boson.n_jets.size:
                which = batch.boson.which
                corrected[:, which] = _mapped(applied, corrected[:, which], batch.boson, systematic)
            yield variation, *corrected


def _mapped(applied: Applied, met: np.ndarray, boson: Boson, systematic: str) -> np.ndarray:
    """Return pTmiss of simulated events with a boson as data would have measured it, (2, n)."""
    u_par, u_perp, q_t = recoil(*met, *boson.whole, *boson.unseen)
    moved = applied.moved(Recoil(u_par - q_t, u_perp, q_t), boson.n_jets, systematic)
    return np.stack(met_of(q_t + moved.u_par, moved.u_perp, *boson.whole, *boson.unseen))
