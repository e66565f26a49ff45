"""The stage performance: from estimates files to the table and the headline of a training."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from ptmiss.io import atomic
from ptmiss.performance import tables
from ptmiss.performance.measure import cores, measure
from ptmiss.performance.resolution import Measured
from ptmiss.performance.stream import Source, sources
from ptmiss.settings.folds import FoldSettings
from ptmiss.settings.performance import PerformanceSettings

_LOG = logging.getLogger(__name__)


def performance(
    estimates: Sequence[str | os.PathLike[str]],
    folds: FoldSettings,
    settings: PerformanceSettings,
    table: str | os.PathLike[str],
    headline: str | os.PathLike[str],
) -> None:
    """Measure every estimator in every sample of the files and write the two results.

    One sample and variation is in memory at a time. Raises `UserError` for files that do not
    belong together (see `stream.sources`).
    """
    rows: list[tables.Row] = []
    headlines = []
    found = sources(estimates, settings.stored)
    for source in found:
        more, headline_of_sample = _measured(source, folds, settings)
        rows.extend(more)
        headlines.append(headline_of_sample)
    result = {"training": found[0].training, "samples": headlines}
    atomic.write_text(table, tables.to_csv(rows))
    atomic.write_json(headline, result)


def _measured(
    source: Source, folds: FoldSettings, settings: PerformanceSettings
) -> tuple[list[tables.Row], dict[str, object]]:
    """Return rows and headline of one sample; its distributions are gone on return."""
    name = f"{source.sample}, {source.variation}"
    parts = measure(
        lambda: source.chunks(folds.test, settings.seed),
        source.estimators,
        settings,
        workers=cores(),
    )
    _LOG.info("%s: %d events", name, parts.n_events)
    if parts.n_events == 0:
        _LOG.warning(
            "%s: no event in the test folds %s, so nothing is measured", name, list(folds.test)
        )
    for estimator, bad in zip(parts.estimators, parts.non_finite, strict=True):
        if bad:
            _LOG.warning(
                "%s: %d of %d events of %s are not finite and left out",
                name, bad, parts.n_events, estimator,
            )  # fmt: skip
    measured = [Measured(parts, e, settings) for e in range(len(parts.estimators))]
    without = [
        estimator
        for estimator, one in zip(parts.estimators, measured, strict=True)
        if one.main_response is not None and one.plateau(one.main_response).values is None
    ]
    if without:
        _LOG.warning(
            "%s: fewer than %d effective events on the response plateau of %s: response-corrected"
            " resolutions are left empty",
            name, settings.min_events, ", ".join(without),
        )  # fmt: skip
    rows = list(tables.rows(source, parts, measured))
    return rows, tables.headline(source, parts, measured, settings)
