"""Weights of events by correctionlib: pile-up, leptons, and their variations up and down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import correctionlib
import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.io.regular import require_regular
from ptmiss.core.ragged import Ragged
from ptmiss.core.settings.names import unknown
from ptmiss.events.readers.batch import EventBatch
from ptmiss.events.settings.weights import LEPTON, WAYS, Choice, EventWeight
from ptmiss.events.skim.select import Selected, leptons_of

NOMINAL = "nominal"


@dataclass(frozen=True)
class Factor:
    """One weight of a sample. name: its own; where: in the settings, for messages."""

    name: str
    where: str
    spec: EventWeight
    correction: correctionlib.highlevel.Correction | correctionlib.highlevel.CompoundCorrection

    def of(self, events: EventBatch, selected: Selected, way: str, address: str) -> np.ndarray:
        """Return the factor of each event, (n_events,); way: "nominal", "up" or "down".

        Raises `UserError` for a lepton's quantity or a branch that is missing, values that the
        correction refuses, and a result that is not finite.
        """
        columns = {name: self._column(events, name, address) for name in self.spec.branches}
        if self.spec.per == "event":
            factor = self._evaluate(columns, events.n_events, way, address)
        else:
            if not selected.leading.shape[1]:
                raise UserError(
                    f"{self.where}: is per lepton, but the selection of the sample has none; choose"
                    " another selection, or leave the weight out"
                )
            leptons = leptons_of(events, selected.kind)
            factor = np.ones(events.n_events)
            for index in selected.leading.T:
                of_lepton = self._lepton(leptons, index, address)
                factor *= self._evaluate(columns | of_lepton, events.n_events, way, address)
        if not np.isfinite(factor).all():
            bad = int(np.count_nonzero(~np.isfinite(factor)))
            raise UserError(f"{self.where}: not finite in {bad} events of {address} ({way})")
        return factor

    def _column(self, events: EventBatch, name: str, address: str) -> np.ndarray:
        if name not in events.columns:
            raise UserError(f"{address}: the reader of this format gives no {name} ({self.where})")
        return events.columns[name]

    def _lepton(self, leptons: Ragged, index: np.ndarray, address: str) -> dict[str, np.ndarray]:
        columns = {}
        for name in self.spec.inputs.values():
            if name not in LEPTON:
                continue
            column = "eta" if name == "abs_eta" else str(name)
            if column not in leptons.columns:
                raise UserError(f"{address}: no leptons with {column} ({self.where})")
            values = leptons[column][index].astype(np.float64)
            columns[str(name)] = np.abs(values) if name == "abs_eta" else values
        return columns

    def _evaluate(
        self, columns: Mapping[str, np.ndarray], n: int, way: str, address: str
    ) -> np.ndarray:
        arguments: list[np.ndarray | str] = []
        for wanted in self.correction.inputs:
            value = self.spec.inputs[wanted.name]
            if isinstance(value, Choice):
                arguments.append(value.of(way))
                continue
            numbers = columns[value] if isinstance(value, str) else np.full(n, value)
            arguments.append(numbers.astype(np.int64 if wanted.type == "int" else np.float64))
        try:
            result = self.correction.evaluate(*arguments)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise UserError(f"{self.where}: {self.spec.file} refuses {address}: {reason}") from None
        return np.broadcast_to(np.asarray(result, dtype=np.float64), (n,)).copy()


def load(weights: Mapping[str, EventWeight], sample: str) -> tuple[Factor, ...]:
    """Return the weights of a sample; raises `UserError` for a file, a correction or inputs that
    are not what the settings say.
    """
    return tuple(_load(name, f"samples.{sample}.weights.{name}", w) for name, w in weights.items())


def _load(name: str, where: str, spec: EventWeight) -> Factor:
    require_regular(spec.file, "name a correctionlib file")
    try:
        document = correctionlib.CorrectionSet.from_file(spec.file)
    except Exception as error:  # of the library, the decompressor, the decoder
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UserError(f"{where}.file: {spec.file} is no correctionlib file ({reason})") from None
    compound = document.compound
    if spec.correction in list(document):
        correction = document[spec.correction]
    elif spec.correction in list(compound):
        correction = compound[spec.correction]
    else:
        raise UserError(unknown(f"{where}.correction", spec.correction, [*document, *compound]))
    wanted = {one.name: one.type for one in correction.inputs}
    for key in spec.inputs:
        if key not in wanted:
            raise UserError(f"{where}.inputs: {unknown('an input', key, wanted)}")
    for key, kind in wanted.items():
        if key not in spec.inputs:
            raise UserError(
                f"{where}.inputs: no {key} ({kind}), which {spec.correction} of {spec.file} needs"
            )
        if (kind == "string") != isinstance(spec.inputs[key], Choice):
            form = "{nominal: text}" if kind == "string" else "a branch or a number"
            raise UserError(f"{where}.inputs.{key}: {spec.correction} wants {kind}: give {form}")
    return Factor(name, where, spec, correction)


@dataclass(frozen=True)
class Corrected:
    """Weights after all factors. varied: "pileup_up" -> weights; sums: of each factor."""

    weight: np.ndarray
    varied: dict[str, np.ndarray]
    sums: dict[str, float]


def varied_names(weights: Mapping[str, EventWeight]) -> tuple[str, ...]:
    """Return the names of all variations that weights have."""
    return tuple(f"{name}_{way}" for name, one in weights.items() if one.varied for way in WAYS)


def apply(
    factors: tuple[Factor, ...],
    weight: np.ndarray,
    events: EventBatch,
    selected: Selected,
    address: str,
) -> Corrected:
    """Return the weights of events that pass, (n_events,), multiplied by all factors.

    In a variation one factor is another one, the others are nominal.
    """
    nominal = {one.name: one.of(events, selected, NOMINAL, address) for one in factors}
    total = weight * np.prod([np.ones_like(weight), *nominal.values()], axis=0)
    varied = {}
    for one in factors:
        others = [values for name, values in nominal.items() if name != one.name]
        rest = weight * np.prod([np.ones_like(weight), *others], axis=0)
        for way in WAYS if one.spec.varied else ():
            varied[f"{one.name}_{way}"] = rest * one.of(events, selected, way, address)
    return Corrected(total, varied, {name: float(f.sum()) for name, f in nominal.items()})
