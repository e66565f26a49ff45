"""Toy inputs of the report: tables, headline numbers, ledgers and benchmark files."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import math
from pathlib import Path

import numpy as np
import yaml

from ptmiss.events.ledger import Ledger
from ptmiss.learn.training.history import HISTORY
from ptmiss.tasks.met.report import tables

CLASSICAL = ("pf", "chs", "puppi", "oracle")
_BASE = {"pf": 24.0, "chs": 21.0, "puppi": 17.0, "deepmet": 13.5, "calibrated": 13.7, "oracle": 8.0}
_SLOPE = {"pf": 0.5, "chs": 0.35, "puppi": 0.2, "deepmet": 0.15, "calibrated": 0.15, "oracle": 0.02}
_EDGES = {
    "qt": [0, 5, 10, 15, 20, 30, 40, 50, 60, 80, 100, 120, 140, 170, 200, 230, 260, 290, 350],
    "n_pv": [4.5, 7.5, 9.5, 11.5, 13.5, 15.5, 17.5, 19.5, 21.5, 23.5, 27.5, 31.5, 35.5, 40.6],
    "gen_ht": [200, 250, 300, 350, 400, 450, 500, 600, 700, 800, 1000],
    "gen_met": [0, 20, 50, 100, 150, 200, 300, 500],
}
HEADER = list(tables.PERFORMANCE.names)


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
            yield name, 50.0, 150.0, 5000
            for low, high in itertools.pairwise((0.0, 10.0, 20.0, 30.0, 50.0, 80.0)):
                if (low, high) != (20.0, 30.0):
                    yield name, low, high, 3000


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


def headline(training: str, table, labels=None, over=("pf", "puppi")) -> dict:
    """Return headline numbers that agree with a table."""
    found: dict[str, dict] = {}
    table = list(table)
    for sample, variation, name, axis, low, high, quantity, value, *_, n in table:
        quoted = (
            low == 0.0 and (axis, high) == ("qt", 150.0) and quantity in ("sigma_par", "sigma_perp")
        )
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
        for name, base in itertools.product(one["estimators"], over):
            if name == base:
                continue
            for quantity, (axis, low, high) in where[name].items():
                own, other = (one["estimators"][e][quantity]["value"] for e in (name, base))
                gain = 1 - own / other
                one["gains"].append(
                    {"estimator": name, "over": base, "quantity": quantity, "axis": axis,
                     "bin_low": low if math.isfinite(low) else None,
                     "bin_high": high if math.isfinite(high) else None,
                     "value": gain, "low": gain - 0.02, "high": gain + 0.02, "n_events": 11000}
                )  # fmt: skip
    for name, one in found.items():
        own = [row for row in table if row[0] == name]
        one["forms"], one["response_qt"] = forms(own, over), responses(own)
        if "deepmet" in one["estimators"]:
            one["coverage"] = {"deepmet": coverage()}
    return {"training": training, "samples": list(found.values())}


_FORMS = (
    *(("own_response", sigma, "_bincorr", "qt", 0.0) for sigma in ("sigma_par", "sigma_perp")),
    ("own_response", "sigma_xy", "_bincorr", "all", -math.inf),
    *(("own_response_high", of, "_bincorr", "qt", 50.0) for of in ("sigma_par", "sigma_perp")),
    *(("plateau", sigma, "", "qt", 0.0) for sigma in ("sigma_par", "sigma_perp")),
    ("plateau", "sigma_xy", "", "all", -math.inf),
)


def forms(table, over) -> list[dict]:
    """Return the forms of the headline numbers of one sample."""
    entries = []
    for form, of, suffix, axis, low in _FORMS:
        high = 150.0 if axis == "qt" else math.inf
        place = (axis, low, high, f"{of}{suffix}")
        widths = {row[2]: row[7] for row in table if row[3:7] == place}
        if not widths:
            continue
        where = {"axis": axis, "bin_low": low if axis == "qt" else None,
                 "bin_high": high if axis == "qt" else None}  # fmt: skip
        gains = [
            {"estimator": name, "over": base, "quantity": f"{of}{suffix}", **where,
             **_bounds(1 - widths[name] / widths[base], 0.03)}
            for name, base in itertools.product(widths, over) if name != base
        ]  # fmt: skip
        entries.append(
            {"form": form, "of": of, "quantity": f"{of}{suffix}", **where, "gains": gains,
             "estimators": {name: _bounds(width, 0.3) for name, width in widths.items()},
             "limit": limit(widths, {"quantity": f"{of}{suffix}", **where})}
        )  # fmt: skip
    return entries


def limit(widths, where) -> list[dict]:
    """Return the shares of the way from PUPPI to the oracle."""
    if not {"puppi", "oracle"} <= set(widths):
        return []
    start, end = widths["puppi"], widths["oracle"]
    return [
        {"estimator": name, "over": "limit", **where,
         **_bounds((start - width) / (start - end), 0.05)}
        for name, width in widths.items() if name not in ("puppi", "oracle")
    ]  # fmt: skip


def responses(table) -> list[dict]:
    """Return the responses at low recoil of one sample."""
    return [
        {"bin_low": low, "bin_high": high, "estimators": values}
        for low, high in itertools.pairwise((0.0, 10.0, 20.0, 30.0, 50.0, 80.0))
        if (values := {row[2]: _bounds(row[7], 0.05) for row in table
                       if row[3:7] == ("qt", low, high, "response")})
    ]  # fmt: skip


def coverage() -> dict[str, dict[str, float]]:
    """Return how often the errors of a network are within what it predicts, in one sample."""
    values = {"covered_68": 0.67, "covered_95": 0.94, "pull_par": 1.03, "pull_perp": 0.98,
              "spearman": 0.31}  # fmt: skip
    return {name: _bounds(value, 0.012) for name, value in values.items()}


def _bounds(value: float, half: float) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


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
    sha256 = f"{part:0>64}" if part.isdigit() else hashlib.sha256(part.encode()).hexdigest()
    book.add_input(f"{part}.root", sha256, n_in)
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


def everything(folder: Path, trainings, samples: dict[str, bool], axes=("qt", "gen_met")) -> dict:
    """Write every file that a page may be drawn from; return `build.Inputs` as a dictionary.

    samples: name -> whether it has a boson.
    """
    found: dict[str, list[Path]] = {}
    for i, training in enumerate(trainings):
        names = (*CLASSICAL, "deepmet")
        table = [
            (*row[:7], row[7] and row[7] * (1 + i / 20), *row[8:]) if row[2] == "deepmet" else row
            for k, (name, boson) in enumerate(samples.items())
            for row in rows(name, boson, names, seed=k + 1)
            if row[3] in ("all", *axes)
        ]
        performance = folder / "performance"
        written = {"tables": write_csv(performance / f"{training}.csv", table)}
        written["headlines"] = _json(
            performance / f"{training}.headline.json", headline(training, table)
        )
        written["verdicts"] = _json(
            performance / f"{training}.gate.json",
            {"training": training, "gate": "quality", "judged": True, "passed": i == 0, "tests": [
                {"sample": "hh", "quantity": "response_met", "value": 0.95 - i, "low": 0.8,
                 "high": 1.2, "passed": i == 0}]},
        )  # fmt: skip
        for kind, (columns, lines) in _tables(training, samples).items():
            where = "interpretation" if kind in ("weights", "importance") else "performance"
            written[kind] = _csv(folder / where / f"{training}.{kind}.csv", columns, lines)
        written["displays"] = _json(
            folder / f"interpretation/{training}.displays.json", {"displays": [_event(samples)]}
        )
        model, calibration = folder / "models" / training, folder / "calibration" / training
        history = [[epoch, 0.01, 0.9 / epoch, 1.1 / epoch, 1 / epoch, 0.1, 0.9, 1.0]
                   for epoch in (1, 2, 3)]  # fmt: skip
        columns = [
            *HISTORY.names,
            "val_response_term",
            "val_response_met_50",
            "val_response_recoil_30",
        ]
        written["histories"] = _csv(model / "history.csv", columns, history)
        written["records"] = _json(
            model / "training.json",
            {"best_epoch": 2, "epochs": 3, "seed": 7, "parameters": 5387,
             "events": {"train": 1000, "validation": 100}},
        )  # fmt: skip
        written["parity"] = _json(
            model / "onnx/parity.json",
            {"events": 10, "limit_gev": 0.001, "largest_difference_gev": {"batch": 2e-5}},
        )
        written["calibration"] = _csv(calibration / "tables.csv", *_calibration())
        written["closures"] = _json(
            calibration / "closure.json",
            {"gate": "closure", "training": training, "passed": False, "undecided": [],
             "others": [], "tests": [
                {"name": "phi_flat", "estimator": "deepmet", "what": "p-value", "value": 0.001,
                 "limit": 0.01, "bound": "least", "passed": False, "sample": "zmumu",
                 "region": "all", "before": None}]},
        )  # fmt: skip
        for kind, path in written.items():
            found.setdefault(kind, []).append(path)
    return found


def _json(path: Path, value) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def _csv(path: Path, columns, lines) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(lines)
    return path


def _event(samples) -> dict:
    rng = np.random.default_rng(3)
    n = 30
    return {
        "sample": next(iter(samples)), "event": "1:2:3", "why": "typical", "true": [30.0, 10.0],
        "estimates": {"pf": [20.0, 20.0], "puppi": [35.0, 5.0], "deepmet": [31.0, 11.0]},
        "pt": rng.exponential(8, n).tolist(), "eta": rng.normal(0, 2, n).tolist(),
        "phi": rng.uniform(-3, 3, n).tolist(), "weight": rng.uniform(0, 1, n).tolist(),
        "group": ["photon", "charged_pv", "strange"] * (n // 3),
        "left_out": {"candidates": 3, "pt": 1.0, "weighted_pt": 0.5},
    }  # fmt: skip


def _tables(training: str, samples: dict[str, bool]) -> dict:
    """Return kind -> columns and lines of the tables beside the main one."""
    boson = [name for name, has in samples.items() if has]
    signal = [name for name, has in samples.items() if not has]
    networks = ("puppi", "deepmet")
    edges = list(itertools.pairwise([0.0, 20.0, 40.0, 80.0]))
    worse = 1 + sum(map(ord, training)) % 7 / 20  # so that trainings differ

    def per_bin(value, n=100):
        return (value, value * 0.9, value * 1.1, n)

    gains = [
        (name, "nominal", "deepmet", over, axis, *edge, quantity, *per_bin(0.2 * worse + i / 20))
        for name in boson
        for over in ("puppi", "pf", "limit")
        for quantity, axis in (("sigma_par", "qt"), ("sigma_perp", "qt"))
        for i, edge in enumerate(edges)
    ]
    spectra = [
        (name, "nominal", estimator, spectrum, *edge, *per_bin(10.0 ** -(i + 1) * worse))
        for name in samples
        for spectrum, estimators in (("met", networks), ("gen_met", ("truth",)), ("mt", networks))
        for estimator in estimators
        for i, edge in enumerate(edges)
    ]
    roc = [
        (s, b, e, t, 1 / t, 0.9 / t, 1.1 / t, 0.5 * worse / t**2, 0.4 / t**2, 0.6 / t**2)
        for s in (*signal, *boson)  # W has a boson and is a signal
        for b in boson
        if s != b or len(boson) == 1
        for e in networks
        for t in (1, 2, 3)
    ]
    slices = [
        ("n_jets >= 2 & <b>", *row)
        for name in boson
        for row in rows(name, True, networks)
        if row[3] == "qt" and row[6] == "sigma_par"
    ]
    covered = [
        (name, "nominal", "deepmet", axis, *edge, quantity, *per_bin(share))
        for name in samples
        for axis, cuts in (("all", [(-math.inf, math.inf)]), ("n_pv", edges))
        for edge in cuts
        for quantity, share in (("covered_68", 0.67), ("pull_par", 1.03))
    ]
    weights = [
        (name, estimator, group, axis, *edge, *per_bin(0.5 + i / 10, 5000))
        for name in boson
        for estimator in networks
        for group in ("photon", "charged_pv", "all")
        for axis in ("all", "pt")
        for i, edge in enumerate(edges if axis == "pt" else [(-math.inf, math.inf)])
    ]
    importance = [
        (name, feature, "sigma_par", *per_bin(0.1 * k))
        for name in boson
        for k, feature in enumerate(("dz", "puppi", "momentum"))
    ]
    uncertainties = [
        (name, estimator, "qt", *edge, "sigma_par", 20.0, 19.0, 21.0, source, size, -size)
        for name in boson
        for estimator in networks
        for edge in edges
        for source, size in (("jes", 1.0), ("unclustered", 2.0), ("systematic", 2.2), ("total", 3))
    ]
    lines = {
        "gains": gains, "spectra": spectra, "roc": roc, "slices": slices, "coverage": covered,
        "weights": weights, "importance": importance, "uncertainties": uncertainties,
    }  # fmt: skip
    return {kind: (tables.KINDS[kind].names, found) for kind, found in lines.items()}


def _calibration():
    edges = list(itertools.pairwise([0.0, 10.0, 20.0, 30.0]))
    groups = [
        ("xy", ("data", "data_fit", "simulation", "simulation_fit"), "n_pv", "mean_x"),
        ("xy", ("data", "data_corrected"), "phi", "density"),
        ("response", ("data", "simulation", "simulation_fit"), "qt", "response"),
        ("map", tuple(f"qt_{i}" for i in range(9)), "u_par", "shift_0_jets"),
        ("before", ("data", "simulation"), "u_par", "density_qt_0_50"),
        ("after", ("data", "simulation_corrected"), "u_par", "density_qt_0_50"),
    ]
    lines = [
        (table, "deepmet", dataset, axis, *edge, quantity, 1.0 + i, 0.9 + i, 1.1 + i, 100.0)
        for table, datasets, axis, quantity in groups
        for dataset in datasets
        for i, edge in enumerate(edges)
    ]
    return tables.CALIBRATION.names, lines
