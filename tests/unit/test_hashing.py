from __future__ import annotations

import numpy as np

from ptmiss.core import hashing, splitmix
from ptmiss.core.compiled import njit
from ptmiss.core.hashing import GOLDEN

# the first numbers of SplitMix64 from the state 1234567, as its public test vectors have them
FIRST = (
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
)


@njit()
def numbers(state: np.uint64, n: int) -> np.ndarray:
    out = np.empty(n, dtype=np.uint64)
    for i in range(n):
        state = state + splitmix.GOLDEN
        out[i] = splitmix.mix(state)
    return out


def test_arrays_and_kernels_give_the_known_numbers():
    states = np.uint64(1234567) + GOLDEN * np.arange(1, 6, dtype=np.uint64)
    assert hashing.mix(states).tolist() == list(FIRST)
    assert numbers(np.uint64(1234567), 5).tolist() == list(FIRST)
