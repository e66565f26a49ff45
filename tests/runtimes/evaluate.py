"""Evaluate models and corrections with whatever runtimes are installed, and nothing else but numpy.

    python evaluate.py FOLDER OUT.npz

FOLDER has *.onnx and corrections.json.gz, events.npz ("CASE/INPUT" -> tensor) and columns.npz.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

SYSTEMATICS = [
    f"{name}_{way}" for name in ("stat", "background", "form", "jets") for way in ("up", "down")
]


def of_models(folder: Path) -> dict[str, np.ndarray]:
    """Return both outputs of each model for each case."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    cases: dict[str, dict[str, np.ndarray]] = {}
    for name, tensor in np.load(folder / "events.npz").items():
        case, _, one = name.partition("/")
        cases.setdefault(case, {})[one] = tensor
    found = {}
    for path in sorted(folder.glob("*.onnx")):
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        for case, feed in cases.items():
            for output, values in zip(("met", "weight"), session.run(None, feed), strict=True):
                found[f"{path.stem}/{case}/{output}"] = values
    return found


def of_corrections(folder: Path) -> dict[str, np.ndarray]:
    """Return each correction of the columns in data and simulation, for each systematic."""
    import correctionlib

    columns = dict(np.load(folder / "columns.npz").items())
    found = {}
    corrections = correctionlib.CorrectionSet.from_file(str(folder / "corrections.json.gz"))
    for name in corrections:
        inputs = [one.name for one in corrections[name].inputs]
        for systematic in ("nominal", *SYSTEMATICS):
            for dataset in ("data", "simulation")[: 1 + ("dataset" in inputs)]:
                values = {**columns, "systematic": systematic, "dataset": dataset}
                result = corrections[name].evaluate(*(values[key] for key in inputs))
                found[f"{name}/{dataset}/{systematic}"] = np.asarray(result)
        if "n_jets" in inputs:  # as analyses have them
            whole = columns["n_jets"][np.isfinite(columns["n_jets"])].astype(np.int64)
            values = {key: column[: len(whole)] for key, column in columns.items()}
            values = {**values, "systematic": "nominal", "n_jets": whole}
            result = corrections[name].evaluate(*(values[key] for key in inputs))
            found[f"{name}/integers"] = np.asarray(result)
    return found


def main(folder: Path, out: Path) -> None:
    """Write the numbers of all runtimes that are there."""
    found = {}
    for package, numbers in (("onnxruntime", of_models), ("correctionlib", of_corrections)):
        if find_spec(package):
            found.update({f"{package}:{key}": one for key, one in numbers(folder).items()})
    np.savez(out, **found)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
