"""Setting TensorFlow up, before its first use: threads, determinism, a quiet log."""

from __future__ import annotations

import os


def prepare(threads: int) -> None:
    """Give TensorFlow `threads` threads and make it repeat its results bit for bit.

    Equal seeds give equal networks on the same machine with the same number of threads.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
