"""Seeds: every random number of the simulation follows from the settings and a job's name."""

from __future__ import annotations

import hashlib
import json

import numpy as np

PYTHIA_MAX_SEED = 900_000_000
"""The largest value that Pythia accepts as Random:seed."""


def _digest(seed: int, names: tuple[str | int, ...]) -> bytes:
    text = json.dumps([seed, *names], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).digest()


def pythia_seed(seed: int, *names: str | int) -> int:
    """Return a seed 1..900,000,000 for Pythia.

    seed: that of the settings; names: what identifies the job, such as sample and part. It is
    the first 8 bytes of the SHA-256 of these as a JSON list, the same on every machine.
    """
    return int.from_bytes(_digest(seed, names)[:8], "big") % PYTHIA_MAX_SEED + 1


def random_generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return a PCG64 generator seeded by the whole SHA-256 of `seed` and `names`.

    Different names (for instance "detector" and "pile-up") give independent streams.
    """
    words = np.frombuffer(_digest(seed, names), dtype=">u4")
    sequence = np.random.SeedSequence([int(word) for word in words])
    return np.random.Generator(np.random.PCG64(sequence))
