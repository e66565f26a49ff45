"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every run, and no time limit: a busy machine is not a defect.
settings.register_profile("exact", derandomize=True, deadline=None, max_examples=50, database=None)
settings.load_profile("exact")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def toy_samples() -> dict:
    """One small simulated sample and no training, as an own configuration gives them."""
    return {
        "trainings": {},
        "simulate": {"events_per_part": 100},
        "samples": {
            "zmumu": {
                "source": "simulated",
                "label": "Z to mumu",
                "process": "zmumu",
                "setting": "nominal",
                "events": 300,
                "folds": list(range(10)),
                "selection": "zmumu",
            }
        },
    }
