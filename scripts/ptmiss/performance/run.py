"""The stage performance: from estimates files to the table and the headline of a training."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from ptmiss.io import atomic
from ptmiss.performance import tables
from ptmiss.performance.measure import cores, measure
from ptmiss.performance.resolution import Measured, warn_without_plateau
from ptmiss.performance.stream import sources
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
        parts = measure(
            lambda source=source: source.chunks(folds.test, settings.seed),
            source.estimators,
            settings,
            workers=cores(),
        )
        if parts.n_events == 0:
            _LOG.warning(
                "%s, %s: no event in the test folds %s, so nothing is measured",
                source.sample, source.variation, list(folds.test),
            )  # fmt: skip
        measured = [Measured(parts, e, settings) for e in range(len(parts.estimators))]
        for name, one, bad in zip(parts.estimators, measured, parts.non_finite, strict=True):
            warn_without_plateau(source.sample, name, one, settings.min_events)
            if bad:
                _LOG.warning(
                    "%s: %d of %d events of %s are not finite and left out",
                    source.sample, bad, parts.n_events, name,
                )  # fmt: skip
        rows.extend(tables.rows(source, parts, measured))
        headlines.append(tables.headline(source, parts, measured, settings))
        _LOG.info("%s, %s: %d events", source.sample, source.variation, parts.n_events)
    result = {"training": found[0].training, "samples": headlines}
    atomic.write_text(table, tables.to_csv(rows))
    atomic.write_json(headline, result)
