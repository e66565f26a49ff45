"""DeepMET's layers on inputs that rotations and reflections of an event leave as they are.

With such inputs a weight is the same in every orientation, so the weighted sum turns exactly with
the event: nothing about symmetry has to be learned. The direction of a constituent is not among
them; what it would have told is in the context, which says what lies around.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from ptmiss.learn.backbones.deepmet import DeepMET
from ptmiss.learn.backbones.invariant import invariant, n_invariant


class Neighbours(DeepMET):
    """Dense layers with tanh and batch normalisation on invariant inputs."""

    invariant = True

    @property
    def n_continuous(self) -> int:
        """Sizes of the features, what is derived of them, and the context."""
        return n_invariant(self.plan.layout)

    def continuous(self, x: tf.Tensor) -> tf.Tensor:
        """Return the invariant inputs, (n, n_continuous)."""
        return invariant(x, self.plan.layout)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all weights by name, see `DeepMET.arrays`, without those of its transform."""
        arrays = super().arrays()
        return {name: arrays[name] for name in arrays if name not in _TRANSFORM}


_TRANSFORM = ("is_log", "inverse_scale", "gain")
