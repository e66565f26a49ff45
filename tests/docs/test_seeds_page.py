"""The page of seeds: extremes of the gains, the lowest bound, responses one by one."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / "tools"))

from seeds_page import page


def headline(training, gain, low, response):
    bounds = {"value": gain, "low": low, "high": gain + 0.05}
    return {
        "training": training,
        "samples": [
            {
                "label": "ttbar",
                "gains": [
                    {"estimator": "deepmet", "over": "puppi", "quantity": "sigma_xy", **bounds},
                    {"estimator": "chs", "over": "puppi", "quantity": "sigma_xy", **bounds},
                ],
                "estimators": {"deepmet": {"response": {"value": response}}},
            }
        ],
    }


def test_seeds_of_a_training_share_a_cell():
    text = page(
        [
            headline("mixed", 0.31, 0.26, 0.98),
            headline("mixed_seed8", 0.28, 0.24, 1.01),
            headline("zmumu", 0.2, 0.15, 0.9),
        ]
    )
    assert "| ttbar | component | 28 to 31 [24] | 20 to 20 [15] |" in text
    assert "| ttbar |  | 0.980, 1.010 | 0.900 |" in text
