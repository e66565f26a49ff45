"""The stage performance: from estimates files to the tables and the headline of a training."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ptmiss.core.conditions import Condition, parse
from ptmiss.core.errors import UserError
from ptmiss.core.io import atomic
from ptmiss.core.paths import PathLike
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.performance import coverage, forms, rescaling, roc, tables
from ptmiss.tasks.met.performance.layouts import (
    COVERAGE,
    GAINS,
    PERFORMANCE,
    ROC,
    SLICES,
    SPECTRA,
)
from ptmiss.tasks.met.performance.measure import Distributions, cores, measure
from ptmiss.tasks.met.performance.names import NETWORK, RESCALED
from ptmiss.tasks.met.performance.resolution import Measured
from ptmiss.tasks.met.performance.spectra import TRUTH, Spectra, spectra
from ptmiss.tasks.met.performance.stream import Replay, Source, sources
from ptmiss.tasks.met.settings.performance import PerformanceSettings

_LOG = logging.getLogger(__name__)

SLICE_AXES = ("all", "qt", "n_pv", "gen_ht", "gen_met")
"""Axes of the table of slices."""


@dataclass(frozen=True)
class Outputs:
    """The files that the stage writes: CSV, and the headline JSON."""

    table: PathLike
    gains: PathLike
    spectra: PathLike
    roc: PathLike
    slices: PathLike
    coverage: PathLike
    headline: PathLike


@dataclass
class _Texts:
    """The tables as far as they are written: as text, which is a tenth of the size of rows."""

    table: list[str] = field(default_factory=lambda: [PERFORMANCE.header()])
    gains: list[str] = field(default_factory=lambda: [GAINS.header()])
    spectra: list[str] = field(default_factory=lambda: [SPECTRA.header()])
    slices: list[str] = field(default_factory=lambda: [SLICES.header()])
    coverage: list[str] = field(default_factory=lambda: [COVERAGE.header()])


def performance(
    estimates: Sequence[PathLike],
    folds: FoldSettings,
    settings: PerformanceSettings,
    outputs: Outputs,
    learnt: Sequence[str] = (),
) -> None:
    """Measure every estimator in every sample of the files and write the results.

    learnt: samples that the training learned from; with these there is the estimator `RESCALED`.
    One sample and variation is in memory at a time. Raises `UserError` for files that do not belong
    together (see `stream.sources`).
    """
    texts, headlines, tails = _Texts(), [], []
    slices = {name: parse(condition) for name, condition in settings.slices.items()}
    given = sources(estimates, settings.stored)
    factor = rescaling.fit(given, learnt, folds)
    _say_factor(factor, given, learnt)
    for source in (rescaling.extended(one, factor) for one in given):
        headline, tail = _nominal(source, folds, settings, texts)
        headlines.append(headline)
        if source.info.variation == "nominal":
            tails.append(tail)
        for name, where in slices.items():
            _slice(name, where, source, folds, settings, texts)
    for headline in headlines:
        headline["roc"] = _areas(str(headline["sample"]), str(headline["variation"]), tails)
    result = {"training": given[0].info.training, "samples": headlines}
    atomic.write_text(outputs.table, "".join(texts.table))
    atomic.write_text(outputs.gains, "".join(texts.gains))
    atomic.write_text(outputs.spectra, "".join(texts.spectra))
    atomic.write_text(outputs.roc, ROC.csv(roc.rows(tails)))
    atomic.write_text(outputs.slices, "".join(texts.slices))
    atomic.write_text(outputs.coverage, "".join(texts.coverage))
    atomic.write_json(outputs.headline, result)


def _nominal(
    source: Source, folds: FoldSettings, settings: PerformanceSettings, texts: _Texts
) -> tuple[dict[str, object], roc.Tail]:
    """Add the rows of one sample; return its headline and its spectra of pTmiss.

    Its distributions are gone on return.
    """
    further = coverage.columns(source)
    events = Replay(lambda: source.chunks(folds.test, settings.seed, more=further))
    _require_weights(events, source)
    parts = measure(events, source.estimators, settings, workers=cores())
    measured = [Measured(parts, e, settings) for e in range(len(parts.estimators))]
    _say(source, parts, measured, folds, settings)
    keep = [source.estimators.index(name) for name in parts.estimators]
    shapes = spectra(events, parts, keep, settings, workers=cores())
    items = [*tables.items(source, parts, measured), *tables.edge_items(source, shapes, settings)]
    texts.table.append(PERFORMANCE.lines(tables.rows(items)))
    gains = tables.gain_items(source, parts, measured, settings.over)
    texts.gains.append(GAINS.lines(tables.rows(gains)))
    texts.spectra.append(SPECTRA.lines(tables.rows(tables.spectrum_items(source, shapes))))
    covered = coverage.coverage(events, parts, source, settings, workers=cores())
    texts.coverage.append(COVERAGE.lines(tables.rows(coverage.items(source, covered))))
    headline = tables.headline(source, parts, measured, settings)
    headline["forms"] = forms.forms(parts, measured, settings)
    headline["response_qt"] = forms.responses(parts, measured, settings)
    if covered:
        headline["coverage"] = coverage.headline(covered)
    repeated = len(source.repeats.dropped)
    if repeated:
        headline["repeated"] = repeated
    return headline, _tail(source, parts, shapes, settings)


def _require_weights(events: Replay, source: Source) -> None:
    """Refuse a sample without a single event that counts: all its numbers would be empty."""
    some = False
    for chunk in events():
        some |= chunk.weight.size > 0
        if chunk.weight.any():
            return
    if some:
        raise UserError(
            f"{source.files[0]}: all weights of sample {source.name} are 0, so nothing can be"
            " measured; check the generator weights of its input, or take it out of the samples"
        )


def _slice(
    name: str,
    where: Condition,
    source: Source,
    folds: FoldSettings,
    settings: PerformanceSettings,
    texts: _Texts,
) -> None:
    """Add the rows of the events of one sample that fulfil a condition."""
    events = Replay(lambda: source.chunks(folds.test, settings.seed, where=where))
    parts = measure(events, source.estimators, settings, cores(), SLICE_AXES)
    if parts.n_events == 0:
        _LOG.warning(
            "%s, %s: no event in the slice %s (%s)",
            source.name,
            source.info.variation,
            name,
            where.text,
        )
    measured = [Measured(parts, e, settings) for e in range(len(parts.estimators))]
    rows = tables.rows(tables.items(source, parts, measured))
    texts.slices.append(SLICES.lines((name, *row) for row in rows))


def _tail(
    source: Source, parts: Distributions, shapes: Spectra, settings: PerformanceSettings
) -> roc.Tail:
    """Return what the ROC curves need: a signal is a sample with true pTmiss in enough events."""
    true = shapes.get(("gen_met", TRUTH))
    share = 0.0
    if true is not None and parts.n_events:
        share = float(np.interp(settings.response_gen_met, true.edges, true.above()[:, 0]))
    return roc.Tail(
        source.name,
        source.info.variation,
        {name: one for (shape, name), one in shapes.items() if shape == "met"},
        signal=share >= settings.roc_share,
        background=parts.has_boson and not parts.boson_has_neutrino,
    )


def _areas(sample: str, variation: str, tails: Sequence[roc.Tail]) -> list[dict[str, object]]:
    return [
        {
            "background": background.sample,
            "estimator": name,
            "quantity": "roc_auc",
            **tables.quoted(roc.area(one, background.spectra[name])),
        }
        for signal, background in roc.pairs(tails)
        if (signal.sample, signal.variation) == (sample, variation)
        for name, one in signal.spectra.items()
        if name in background.spectra
    ]


def _say_factor(
    factor: rescaling.Rescaling | None, given: Sequence[Source], learnt: Sequence[str]
) -> None:
    """Log what the recoil of a network is rescaled with, and that there is nothing to do so."""
    if factor is not None:
        numbers = (factor.factor[0], factor.size[0], factor.factor[-1], factor.size[-1])
        _LOG.info("%s: %.2f at %.1f GeV to %.2f at %.1f GeV", RESCALED, *numbers)
    elif learnt and any(NETWORK in source.estimators for source in given):
        _LOG.warning(
            "no %s: none of %s has enough events with a boson in the training and validation folds",
            RESCALED,
            ", ".join(learnt),
        )


def _say(
    source: Source,
    parts: Distributions,
    measured: Sequence[Measured],
    folds: FoldSettings,
    settings: PerformanceSettings,
) -> None:
    """Log what a sample lacks."""
    name = f"{source.name}, {source.info.variation}"
    _LOG.info("%s: %d events", name, parts.n_events)
    if len(source.repeats.dropped):
        _LOG.warning(
            "%s: %d events are in several parts and count once", name, len(source.repeats.dropped)
        )
    if parts.n_events == 0:
        _LOG.warning(
            "%s: no event in the test folds %s, so nothing is measured", name, list(folds.test)
        )
        return
    if not parts.has_truth:
        _LOG.warning(
            "%s: no true pTmiss, so what needs it is left out (sigma_xy, sigma_met, biases, tails,"
            " axes gen_ht and gen_met)",
            name,
        )
    if not parts.has_truth and not parts.has_boson:
        _LOG.warning("%s: neither boson nor true pTmiss: only spectra are made", name)
    for selected in source.estimators:
        if selected not in parts.estimators:  # a skim has columns for METs that its input had not
            expected = selected.startswith("stored_") or selected == RESCALED
            level = logging.INFO if expected else logging.WARNING
            _LOG.log(level, "%s: %s is not finite in any event and left out", name, selected)
    for estimator, bad in zip(parts.estimators, parts.non_finite, strict=True):
        if bad:
            _LOG.warning(
                "%s: %d of %d events of %s are not finite and left out",
                name,
                bad,
                parts.n_events,
                estimator,
            )
    without = [
        estimator
        for estimator, values in zip(parts.estimators, measured, strict=True)
        if values.main_response is not None and values.plateau(values.main_response).values is None
    ]
    if without:
        _LOG.warning(
            "%s: fewer than %d effective events on the response plateau of %s: response-corrected"
            " resolutions are left empty",
            name,
            settings.min_events,
            ", ".join(without),
        )
