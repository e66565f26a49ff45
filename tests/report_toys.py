"""Toy inputs of the report: tables, headline numbers, ledgers and benchmark files."""

from __future__ import annotations

import csv
import itertools
import json
import math
from pathlib import Path

import numpy as np
import yaml

from ptmiss.io.ledger import Ledger

CLASSICAL = ("pf", "chs", "puppi", "oracle")
_BASE = {"pf": 24.0, "chs": 21.0, "puppi": 17.0, "deepmet": 13.5, "calibrated": 13.7, "oracle": 8.0}
_SLOPE = {"pf": 0.5, "chs": 0.35, "puppi": 0.2, "deepmet": 0.15, "calibrated": 0.15, "oracle": 0.02}
_EDGES = {
    "qt": [0, 5, 10, 15, 20, 30, 40, 50, 60, 80, 100, 120, 140, 170, 200, 230, 260, 290, 350],
    "n_pv": [4.5, 7.5, 9.5, 11.5, 13.5, 15.5, 17.5, 19.5, 21.5, 23.5, 27.5, 31.5, 35.5, 40.6],
    "gen_ht": [200, 250, 300, 350, 400, 450, 500, 600, 700, 800, 1000],
    "gen_met": [0, 20, 50, 100, 150, 200, 300, 500],
}
HEADER = [
    "sample",
    "variation",
    "estimator",
    "axis",
    "bin_low",
    "bin_high",
    "quantity",
    "value",
    "err_low",
    "err_high",
    "n_events",
]


def _bins(boson: bool):
    yield "all", -math.inf, math.inf, 12000
    recoil = ("qt", "n_pv", "n_pv_low_qt", "n_pv_high_qt")
    names = recoil if boson else ("n_pv", "gen_ht", "gen_met")
    for name in names:
        edges = _EDGES[name[:4] if name.startswith("n_pv") else name]
        for i, (low, high) in enumerate(itertools.pairwise(edges)):
            yield name, float(low), float(high), round(4000 * math.exp(-0.35 * i))
        if name == "qt":
            yield name, 0.0, 150.0, 11000


def rows(sample: str, boson: bool, estimators=CLASSICAL, variation="nominal", seed=1):
    """Yield rows of a performance table; bins with fewer than 25 events are empty."""
    rng = np.random.default_rng(seed)
    for name in estimators:
        base, slope = _BASE.get(name, 20.0), _SLOPE.get(name, 0.3)
        for axis, low, high, n in _bins(boson):
            x = 100.0 if math.isinf(low) else (low + high) / 2
            for quantity in _quantities(boson):
                if quantity == "response":
                    value = 0.95 * (1 - math.exp(-x / 15)) + rng.normal(0, 1 / math.sqrt(n))
                elif quantity.startswith("bias"):
                    value = rng.normal(0, 10 / math.sqrt(n))
                else:
                    value = base + (slope * (x - 20) if axis.startswith("n_pv") else 0.03 * x)
                    value *= (1.08 if "rms" in quantity else 1) + rng.normal(0, 0.7 / math.sqrt(n))
                half = abs(value) * 0.7 / math.sqrt(n) + 0.01
                numbers = (value, value - half, value + half) if n >= 25 else ("",) * 3
                yield (sample, variation, name, axis, low, high, quantity, *numbers, n)


def _quantities(boson: bool):
    yield "response"
    for sigma in ("sigma_par", "sigma_perp") if boson else ("sigma_xy", "sigma_met"):
        yield from (f"{sigma}{form}" for form in ("", "_rms", "_raw", "_bincorr"))
    yield "bias_x"
    yield "bias_y"


def write_csv(path: Path, table) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(table)
    return path


def headline(training: str, table, labels=None) -> dict:
    """Return headline numbers that agree with a table."""
    found: dict[str, dict] = {}
    for sample, variation, name, axis, low, high, quantity, value, *_, n in table:
        quoted = (axis, high) == ("qt", 150.0) and quantity in ("sigma_par", "sigma_perp")
        if not quoted and (axis, quantity) != ("all", "sigma_xy"):
            continue
        one = found.setdefault(
            sample,
            {"sample": sample, "variation": variation, "label": (labels or {}).get(sample, sample),
             "n_events": 12000, "effective_events": 11000.5, "estimators": {}, "gains": []},
        )  # fmt: skip
        bounds = {"value": value, "low": value * 0.98, "high": value * 1.02, "n_events": n}
        response = {"value": 0.9, "low": 0.89, "high": 0.91, "n_events": 500}
        one["estimators"].setdefault(name, {"response": response, "non_finite": 0})
        one["estimators"][name][quantity] = bounds
        one["estimators"][name].setdefault("_where", {})[quantity] = (axis, low, high)
    for one in found.values():
        where = {name: values.pop("_where") for name, values in one["estimators"].items()}
        for name, over in itertools.product(one["estimators"], ("pf", "puppi")):
            if name == over:
                continue
            for quantity, (axis, low, high) in where[name].items():
                own, other = (one["estimators"][e][quantity]["value"] for e in (name, over))
                gain = 1 - own / other
                one["gains"].append(
                    {"estimator": name, "over": over, "quantity": quantity, "axis": axis,
                     "bin_low": low if math.isfinite(low) else None,
                     "bin_high": high if math.isfinite(high) else None,
                     "value": gain, "low": gain - 0.02, "high": gain + 0.02, "n_events": 11000}
                )  # fmt: skip
    return {"training": training, "samples": list(found.values())}


def write_run(
    folder: Path, samples: dict[str, bool], training="classical", estimators=CLASSICAL, axes=()
):
    """Write a table and its headline numbers; samples: name -> whether it has a boson.

    axes: only these, to draw fewer figures; all if empty.
    """
    table = [
        row
        for i, (name, boson) in enumerate(samples.items())
        for row in rows(name, boson, estimators, seed=i + 1)
        if not axes or row[3] in ("all", *axes)
    ]
    path = folder / f"{training}.headline.json"
    csv_path = write_csv(folder / f"{training}.csv", table)
    path.write_text(json.dumps(headline(training, table)), encoding="utf-8")
    return csv_path, path


def benchmark(path: Path, seconds: float, memory: float | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
        f"{seconds}\t0:00:01\t{memory}\t900.1\t300.2\t301.0\t0.1\t2.0\t97.1\t{seconds * 0.9}\n",
        encoding="utf-8",
    )
    return path


def ledger(sample: str, part: str, kept: int, rejected: dict[str, int]) -> dict:
    """Return a ledger as the skim writes it; every event has weight one half."""
    n_in = kept + sum(rejected.values())
    book = Ledger(sample, part, source="simulated", selection="none", is_data=False)
    book.add_input(f"{part}.root", f"{part:0>64}", n_in)
    reason = np.repeat(np.arange(-1, len(rejected)), [kept, *rejected.values()])
    book.add_events(np.full(n_in, 0.5), reason, tuple(rejected))
    book.add_candidates(910, 900, {"negative pt": 10}, {}, {})
    book.check()
    return book.as_dict()


def config(samples: dict[str, str], **report) -> dict:
    """Return the repository's configuration with these samples: name -> label."""
    root = Path(__file__).resolve().parents[1]
    values = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    old = values["samples"]
    # other sections may name the repository's samples, so these stay
    first = next(one for one in old.values() if one["source"] == "simulated")
    values["samples"] = old | {name: {**first, "label": text} for name, text in samples.items()}
    values["report"] |= report
    return values
