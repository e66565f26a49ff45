"""Telling the user how a training goes: log lines and TensorBoard files."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.summary_pb2 import SummaryMetadata

SECONDS = 5.0
"""Between two lines."""

_LOG = logging.getLogger(__name__)


class Progress:
    """Counts events and says now and then how fast they go and how long the rest will take."""

    def __init__(self, name: str, total_events: int, done: int) -> None:
        self.name, self.total, self.done = name, total_events, done
        self.started = self.last = time.monotonic()
        self.first = done
        self.recent: list[float] = []

    def step(self, n_events: int, error: float, where: str) -> None:
        """Count a step; at most every `SECONDS` write a line."""
        self.done += n_events
        self.recent.append(error)
        now = time.monotonic()
        if now - self.last < SECONDS:
            return
        self.last = now
        rate = (self.done - self.first) / max(now - self.started, 1e-9)
        left = (self.total - self.done) / max(rate, 1e-9)
        _LOG.info(
            "%s %s: error %.4f, %.0f events/s, %s left",
            *(self.name, where, np.mean(self.recent), rate, _minutes(left)),
        )
        self.recent = []

    @property
    def rate(self) -> float:
        """Events per second since the start."""
        return (self.done - self.first) / max(time.monotonic() - self.started, 1e-9)


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


# what tf.summary.scalar adds; calling that would need the package tensorboard only to write
_SCALAR = SummaryMetadata(
    plugin_data=SummaryMetadata.PluginData(plugin_name="scalars"), data_class=1
)


class Board:
    """TensorBoard scalars, one point an epoch."""

    def __init__(self, folder: Path) -> None:
        self.writer = tf.summary.create_file_writer(str(folder))

    def write(self, values: dict[str, float], epoch: int) -> None:
        """Add one epoch."""
        with self.writer.as_default(step=epoch):
            for name, value in values.items():
                tf.summary.write(name, tf.constant(value, tf.float32), metadata=_SCALAR)
        self.writer.flush()

    def close(self) -> None:
        """Close the file."""
        self.writer.close()
