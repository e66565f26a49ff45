"""Everything that the page shows as figures: read from the inputs, in the order of the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ptmiss.core.figures.chart import Figure
from ptmiss.core.io.records import Values
from ptmiss.core.paths import PathLike
from ptmiss.tasks.met.performance.layouts import GAINS, ROC, SLICES, SPECTRA
from ptmiss.tasks.met.performance.names import RESCALED
from ptmiss.tasks.met.report import samples, tables, verdicts
from ptmiss.tasks.met.report.plots import (
    calibration,
    gains,
    interpretation,
    resolution,
    roc,
    shared,
    spectra,
    training,
    uncertainties,
)

Paths = Sequence[PathLike]


@dataclass(frozen=True)
class Inputs:
    """Files a report is drawn from; all but the tables may be absent, and the page says so."""

    tables: Paths
    headlines: Paths = ()
    ledgers: Paths = ()
    benchmarks: Paths = ()
    parity: Paths = ()
    gains: Paths = ()
    spectra: Paths = ()
    roc: Paths = ()
    slices: Paths = ()
    coverage: Paths = ()
    verdicts: Paths = ()
    histories: Paths = ()
    records: Paths = ()
    weights: Paths = ()
    importance: Paths = ()
    displays: Paths = ()
    uncertainties: Paths = ()
    calibration: Paths = ()
    closures: Paths = ()

    def hashed(self) -> list[PathLike]:
        """Return the files whose hashes stand on the page: all that hold results."""
        named = {"tables": self.tables, **self.__dict__}
        return [
            path
            for name, paths in named.items()
            if name not in ("ledgers", "benchmarks")
            for path in paths
        ]


class PageFigures:
    """Everything that gives figures, read from the inputs."""

    def __init__(
        self,
        inputs: Inputs,
        frame: pd.DataFrame,
        summary: Values,
        named: samples.Named,
        trainings: Sequence[str] = (),
    ) -> None:
        """trainings: those that figures show, all if empty."""
        self._trainings = set(trainings or [*frame["training"].unique(), *summary["trainings"]])
        self._brief = frozenset(named.brief)
        self._summary, self._frame = summary, self._chosen(frame)
        self._read = {
            name: self._chosen(tables.read(getattr(inputs, name), layout))
            for name, layout in tables.KINDS.items()
            if name != "tables"
        }
        self._displays = self._of_chosen(verdicts.displays(inputs.displays))
        self._histories = self._of_chosen(verdicts.histories(inputs.histories))
        more = [
            sample
            for one in self._read.values()
            for column in ("sample", "signal", "background")
            if column in one
            for sample in one[column].unique()
        ]
        more += [event["sample"] for events in self._displays.values() for event in events]
        self.kinds = samples.kinds(named.settings, [*named.names, *dict.fromkeys(more)])

    def _chosen(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return what is drawn: of the chosen trainings, without rescaled networks, which crowd."""
        drawn = frame["training"].isin(self._trainings)
        for column in ("estimator", "over"):
            if column in frame:
                drawn &= frame[column] != RESCALED
        return frame[drawn].reset_index(drop=True)

    def _of_chosen(self, values: Values) -> dict[str, Any]:
        return {name: value for name, value in values.items() if name in self._trainings}

    def figures(self, qt_split: float) -> Iterator[Figure]:
        """Yield every figure of the page."""
        frame, read = self._frame, self._read
        bosons = frozenset(frame.loc[frame["axis"] == "qt", "sample"])
        most = frame[frame["axis"] == "all"].groupby("sample")["n_events"].max()
        events = {str(name): float(n_events) for name, n_events in most.items()}
        context = shared.Context(self.kinds, qt_split, bosons, events, self._brief)
        yield from training.figures(self._histories, self._summary["training"])
        yield from gains.overview(self._summary, context)
        together = tables.together(frame)
        yield from resolution.figures(together, context)
        yield from gains.binned(tables.together(read["gains"], GAINS), context)
        yield from spectra.figures(
            tables.together(read["spectra"], SPECTRA),
            context,
            set(read["roc"]["signal"].unique()),
            together,
        )
        yield from roc.figures(tables.together(read["roc"], ROC), context)
        yield from resolution.slices(tables.together(read["slices"], SLICES), context)
        yield from interpretation.weights(read["weights"], context)
        yield from interpretation.importance(read["importance"], context)
        yield from interpretation.displays(self._displays, context)
        yield from calibration.figures(read["calibration"])
        yield from uncertainties.figures(read["uncertainties"], context)
