"""Seeds: every random number of the simulation follows from the settings and a job's name."""

from __future__ import annotations

import hashlib
import json

PYTHIA_MAX_SEED = 900_000_000
"""The largest value that Pythia accepts as Random:seed."""


def pythia_seed(seed: int, *names: str | int) -> int:
    """Return a seed 1..900,000,000 for Pythia.

    seed: that of the settings; names: what identifies the job, such as sample and part. It is
    the first 8 bytes of the SHA-256 of these as a JSON list, the same on every machine.
    """
    text = json.dumps([seed, *names], ensure_ascii=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode("ascii")).digest()
    return int.from_bytes(digest[:8], "big") % PYTHIA_MAX_SEED + 1
