"""Which part of an axis a chart shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ptmiss.core.figures.chart import Chart, Series


def horizontal_range(chart: Chart) -> tuple[float, float]:
    """Return the limits of the values of a chart with rows."""
    values = _finite(chart.series)
    low, high = (min(values.min(), 0.0), max(values.max(), 0.0)) if len(values) else (0.0, 1.0)
    if isinstance(chart.y_range, tuple):
        low, high = max(low, chart.y_range[0]), min(high, chart.y_range[1])
    margin = 0.06 * max(high - low, 1e-3)
    return low - margin, high + margin


def vertical_range(chart: Chart, taken: float) -> tuple[float, float]:
    """Return the limits of the vertical axis; taken: share of the height that the legend has."""
    room = 1 - min(0.6, taken + 0.03)
    if isinstance(chart.y_range, tuple) and not chart.y_log:
        low, high = chart.y_range
        return low, low + (high - low) / room
    values = _finite(chart.series)
    if chart.y_log:
        values = values[values > 0]
        if not len(values):
            return 0.1, 1.0
        high = float(values.max())
        low = max(float(values.min()), high * 1e-4) * 0.7
        if isinstance(chart.y_range, tuple):
            low, high = chart.y_range
        return low, low * (high / low) ** (1 / room)
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if chart.y_range == "response":
        # below a few GeV the mean response means little and may be anything: keep one readable
        low, high = max(min(low, 0.5), 0.0), min(max(high, 1.1), 1.6)
    elif chart.y_range == "centred":
        width = max(high - low, 1.0)
        low, high = low - 0.15 * width, high + 0.05 * width
        # an interval that knows nothing does not decide what is seen of the values
        value = _finite(chart.series, ("value",))
        if len(value):
            first, last = min(float(value.min()), 0.0), max(float(value.max()), 0.0)
            reach = max(0.6 * (last - first), 0.5)
            low, high = max(low, first - reach), min(high, last + reach)
    elif chart.y_range == "data":
        width = max(high - low, 1e-3 * max(abs(high), 1e-9))
        low, high = low - 0.08 * width, high + 0.03 * width
    else:
        low, high = 0.0, high if high > 0 else 1.0
    return low, low + (high - low) / room


def ratio_range(ratios: Sequence[Series]) -> tuple[float, float]:
    """Return the limits of a panel of ratios: around one, and no further than most values."""
    values = _finite(ratios, ("value",))
    if not len(values):
        return 0.38, 1.62
    shares = (0.02, 0.98) if len(values) > 60 else (0.0, 1.0)
    lowest, highest = np.quantile(values, shares).tolist()
    low, high = max(0.0, min(lowest, 0.9)), min(max(highest, 1.1), 3.0)
    margin = 0.12 * (high - low)
    return max(0.0, low - margin), high + margin


def _finite(
    several: Sequence[Series], names: tuple[str, ...] = ("value", "low", "high")
) -> np.ndarray:
    """Return the finite numbers of all series."""
    values = np.zeros(0)
    for name in names:
        values = np.concatenate([values, *(getattr(series, name) for series in several)])
    return values[np.isfinite(values)]
