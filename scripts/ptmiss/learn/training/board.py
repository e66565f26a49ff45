"""TensorBoard files of a training."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from tensorflow.core.framework.summary_pb2 import SummaryMetadata

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
