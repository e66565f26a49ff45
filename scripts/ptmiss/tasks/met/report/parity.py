"""How well each exported network agrees with the trained one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ptmiss.core.io.records import read_values
from ptmiss.core.paths import PathLike
from ptmiss.learn import records


def read(paths: Iterable[PathLike]) -> dict[str, dict[str, Any]]:
    """Return training -> events compared, limit and largest differences in GeV by kind.

    The training is the folder of the model, models/{training}/onnx/parity.json. Raises `UserError`
    for a file that is not such a file.
    """
    by_training = {}
    for path in sorted(map(Path, paths)):
        value = read_values(records.Parity, path, "export")
        by_training[path.absolute().parents[1].name] = {
            "events": value["events"],
            "limit_gev": float(value["limit_gev"]),
            "largest_difference_gev": {
                name: float(worst)
                for name, worst in sorted(value["largest_difference_gev"].items())
            },
        }
    return by_training
