"""The corrections as a correctionlib document (schema v2), and the same read back and evaluated.

Every grid is written out as bins with a formula in each, so that correctionlib interpolates
exactly as `QuantileMap`, `Curve` and `Line` do. All edges are finite. What lies outside them is
said in `flow`: never an error, and a value that is not a number falls back to the input. Counts are
real inputs: correctionlib before 2.6 cannot bin integers, and all take arrays of them as real.
"""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterable, Mapping, Sequence

import correctionlib.schemav2 as schema
import numpy as np

from ptmiss.core.io.atomic import replacing
from ptmiss.core.paths import PathLike
from ptmiss.core.stats.lines import Line
from ptmiss.core.stats.quantile_map import FAR, QuantileMap
from ptmiss.tasks.met.calibration.derive import Corrections
from ptmiss.tasks.met.calibration.inputs import Inputs
from ptmiss.tasks.met.calibration.names import DATASETS, SYSTEMATICS
from ptmiss.tasks.met.calibration.response import Curve

Node = dict[str, object]
Side = tuple[float, np.ndarray]

_INPUTS = {
    "dataset": ("string", "data or simulation: which of the two the event is from"),
    "systematic": ("string", f"one of {', '.join(SYSTEMATICS)}"),
    "n_pv": ("real", "number of reconstructed vertices, as a real number (25.0)"),
    "q_t": ("real", "transverse momentum of the boson in GeV"),
    "n_jets": (
        "real",
        "number of jets, as a real number (2.0): anti-kT 0.4, pT > 20 GeV, |eta| < 3, cleaned of"
        " leptons",
    ),
    "u": ("real", "u_par - q_t or u_perp in GeV, after the xy correction of the simulation"),
}


def document(derived: Sequence[Corrections], text: str, before: str = "") -> schema.CorrectionSet:
    """Return all corrections of all estimators.

    text: description of the whole; before: what every name begins with (see `Inputs.prefix`).
    """
    nodes = []
    for corrections in derived:
        nodes += [_xy(corrections, i, axis) for i, axis in enumerate("xy")]
        nodes.append(_response(corrections))
        plateau = {name: response.plateau for name, response in corrections.response.items()}
        if None not in plateau.values():
            nodes.append(_plateau(corrections.estimator, plateau))
        nodes += [
            _map(corrections.estimator, component, maps.by_systematic)
            for component, maps in corrections.maps.items()
        ]
    nodes = [{**node, "name": f"{before}{node['name']}"} for node in nodes]
    return schema.CorrectionSet.model_validate(
        {"schema_version": 2, "description": text, "corrections": nodes}
    )


def about(inputs: Inputs) -> str:
    """Return the description of a document: how its corrections are applied, and to what."""
    name = f"{inputs.prefix}NAME"
    kind = "pseudo-data (parametric simulation)" if inputs.simulated else "data"
    return (
        f"Calibration of pTmiss, training {inputs.training}, derived from"
        f" {inputs.dilepton.data_name} ({kind}) and {inputs.dilepton.name}. In order: subtract"
        f" {name}_xy_x and {name}_xy_y from pTmiss, in data and simulation; in simulation replace"
        f" u_par - q_t and u_perp by {name}_u_par and {name}_u_perp; divide u_par by"
        f" {name}_response of data where a response of 1 is wanted, pTmiss by {name}_plateau where"
        " q_t is not known."
        " u = -(visible boson + pTmiss), u_par along minus the boson. Systematics: stat,"
        " background, form of the distribution functions, jets (inclusive); down mirrors up for"
        " the last two."
    )


def write(path: PathLike, content: schema.CorrectionSet) -> None:
    """Write a document as gzip without name and time, so that equal content gives equal bytes."""
    text = content.model_dump_json(exclude_unset=True)
    with (
        replacing(path) as temporary,
        open(temporary, "wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as file,
    ):
        file.write(text.encode())


def _correction(
    name: str, text: str, inputs: Sequence[str], output: str, formulas: Sequence[Node], data: Node
) -> Node:
    return {
        "name": name,
        "description": text,
        "version": 1,
        "inputs": [
            {"name": key, "type": _INPUTS[key][0], "description": _INPUTS[key][1]} for key in inputs
        ],
        "output": {
            "name": output,
            "type": "real",
            "description": "in GeV" if output != "response" else "<u_par> / <q_t>",
        },
        **({"generic_formulas": list(formulas)} if formulas else {}),
        "data": data,
    }


def _xy(corrections: Corrections, i: int, axis: str) -> Node:
    """Return the offset of pTmiss along an axis; its error is that of the fit."""
    n = "max(min(x,[0]),[1])"
    mean = f"[2]+{n}*([3]+{n}*[4])"
    error = f"sqrt([5]+{n}*([6]+{n}*([7]+{n}*([8]+{n}*[9]))))"
    formulas = [_formula(text, "n_pv") for text in (mean, f"{mean}+{error}", f"{mean}-{error}")]
    index = {"stat_up": 1, "stat_down": 2}
    data = {}
    for dataset in DATASETS:
        numbers = _numbers(corrections.xy[dataset][i].line)
        data[dataset] = _category(
            "systematic",
            {
                s: _binning("n_pv", [-FAR, FAR], [_reference(index.get(s, 0), *numbers)], 0.0)
                for s in SYSTEMATICS
            },
        )
    return _correction(
        f"{corrections.estimator}_xy_{axis}",
        f"Mean p{axis} of the pTmiss of {corrections.estimator} at this number of vertices, to be"
        " subtracted from it. Outside the range of the fit: its value at the end; 0 where the"
        " number is not finite.",
        ("dataset", "systematic", "n_pv"),
        "offset",
        formulas,
        _category("dataset", data),
    )


def _numbers(line: Line) -> list[float]:
    """Return range, three coefficients, and the variance as five coefficients of powers of n."""
    c, v = np.zeros(3), np.zeros((3, 3))
    c[: line.coefficients.size] = line.coefficients
    v[: line.coefficients.size, : line.coefficients.size] = line.covariance
    variance = [sum(v[i, k - i] for i in range(3) if 0 <= k - i < 3) for k in range(5)]
    return [line.high, line.low, *c, *variance]


def _response(corrections: Corrections) -> Node:
    data = {
        dataset: _category(
            "systematic", {s: _cubic(corrections.response[dataset].curves[s]) for s in SYSTEMATICS}
        )
        for dataset in DATASETS
    }
    cubic = "[1]+(x-[0])*([2]+(x-[0])*([3]+(x-[0])*[4]))"
    return _correction(
        f"{corrections.estimator}_response",
        f"Mean response <u_par>/<q_t> of {corrections.estimator} after the xy correction;"
        " u / response has a response of 1. Outside the range: the value at its end; 1 where q_t"
        " is not finite.",
        ("dataset", "systematic", "q_t"),
        "response",
        [_formula(cubic, "q_t")],
        _category("dataset", data),
    )


def _plateau(estimator: str, plateau: Mapping[str, Mapping[str, float] | None]) -> Node:
    data = {name: _category("systematic", plateau[name] or {}) for name in DATASETS}
    return _correction(
        f"{estimator}_plateau",
        f"Response <u_par>/<q_t> of {estimator} at high q_t in one number, after the xy"
        " correction: pTmiss / plateau has a response of 1 there.",
        ("dataset", "systematic"),
        "response",
        (),
        _category("dataset", data),
    )


def _cubic(curve: Curve) -> Node:
    nodes, c = curve.nodes, curve.coefficients
    first, last = float(curve(nodes[:1])[0]), float(curve(nodes[-1:])[0])
    inner = [_reference(0, low, *c[::-1, i]) for i, low in enumerate(nodes[:-1])]
    edges = [-FAR, *nodes, FAR]
    return _binning("q_t", edges, [first, *inner, last], 1.0)


def _map(estimator: str, component: str, maps: Mapping[str, QuantileMap]) -> Node:
    what = "u_par - q_t" if component == "u_par" else "u_perp"
    return _correction(
        f"{estimator}_{component}",
        f"{what} of {estimator} in simulation, mapped to the distribution in data at this q_t and"
        " number of jets. Beyond the outermost quantiles shifted as at them; unchanged where q_t or"
        " jets are out of range or a value is not a number.",
        ("systematic", "u", "q_t", "n_jets"),
        "u",
        [_formula("x", "u"), _formula("x+[0]+[1]*x+y*([2]+[3]*x)", "u", "q_t")],
        _category("systematic", {name: _jets(maps[name]) for name in SYSTEMATICS}),
    )


def _jets(quantile_map: QuantileMap) -> Node:
    same = _reference(0)
    content = [
        _binning(
            "q_t",
            [0.0, *q_t, quantile_map.qt_high],
            [_strip(quantile_map.knots, *pair) for pair in _strips(q_t, shifts)],
            same,
        )
        for q_t, shifts in zip(quantile_map.nodes, quantile_map.shifts, strict=True)
    ]
    return _binning("n_jets", quantile_map.jet_edges, content, same)


def _strips(q_t: np.ndarray, shifts: np.ndarray) -> list[tuple[Side, Side]]:
    """Return the two sides (q_t, shifts) of each range of q_t: below, between and above nodes."""
    sides = list(zip(q_t, shifts, strict=True))
    return [(sides[0], sides[0]), *itertools.pairwise(sides), (sides[-1], sides[-1])]


def _strip(knots: np.ndarray, first: Side, second: Side) -> Node:
    """Return the bins of u in a range of q_t; shift = a + b u + q_t (c + d u) in each."""
    (q_a, low), (q_b, high) = first, second
    per_gev = (high - low) / (q_b - q_a) if q_b > q_a else np.zeros_like(low)
    base = low - q_a * per_gev  # at q_t = 0
    step = np.diff(knots)
    b, d = np.diff(base) / step, np.diff(per_gev) / step
    a, c = base[:-1] - b * knots[:-1], per_gev[:-1] - d * knots[:-1]
    inner = [_reference(1, *row) for row in zip(a, b, c, d, strict=True)]
    below, above = (_reference(1, base[i], 0.0, per_gev[i], 0.0) for i in (0, -1))
    return _binning("u", [-FAR, *knots, FAR], [below, *inner, above], _reference(0))


def _category(name: str, items: Mapping[str, object]) -> Node:
    content = [{"key": key, "value": value} for key, value in items.items()]
    return {"nodetype": "category", "input": name, "content": content}


def _binning(name: str, edges: Iterable[float], content: Sequence[object], flow: object) -> Node:
    return {
        "nodetype": "binning",
        "input": name,
        "edges": [float(edge) for edge in edges],
        "content": list(content),
        "flow": flow,
    }


def _formula(expression: str, *variables: str) -> Node:
    return {
        "nodetype": "formula",
        "expression": expression,
        "parser": "TFormula",
        "variables": list(variables),
    }


def _reference(index: int, *parameters: float) -> Node:
    return {
        "nodetype": "formularef",
        "index": index,
        "parameters": [float(value) for value in parameters],
    }
