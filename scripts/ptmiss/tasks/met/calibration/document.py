"""The corrections as a correctionlib document (schema v2), and the same read back and evaluated.

Every grid is written out as bins with a formula in each, so that correctionlib interpolates
exactly as `QuantileMap`, `Curve` and `Line` do. All edges are finite. What lies outside them is
said in `flow`: never an error, and a value that is not a number falls back to the input. Counts are
real inputs: correctionlib before 2.6 cannot bin integers, and all take arrays of them as real.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence

import correctionlib.schemav2 as schema

from ptmiss.core.io.atomic import replacing
from ptmiss.core.paths import PathLike
from ptmiss.core.stats.quantile_map import FAR, QuantileMap
from ptmiss.tasks.met.calibration.derive import Corrections
from ptmiss.tasks.met.calibration.inputs import Inputs
from ptmiss.tasks.met.calibration.map_nodes import MapInputs, map_formulas, map_tree
from ptmiss.tasks.met.calibration.names import DATASETS, SYSTEMATICS
from ptmiss.tasks.met.calibration.nodes import (
    Node,
    binning,
    category,
    correction,
    correction_set,
    formula,
    line_formula,
    numbers_of,
    reference,
)
from ptmiss.tasks.met.calibration.response import Curve

_MAP = MapInputs("u", "q_t", "n_jets")

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
    return correction_set(text, nodes)


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
    unit = "in GeV" if output != "response" else "<u_par> / <q_t>"
    chosen = {key: _INPUTS[key] for key in inputs}
    return correction((name, text), chosen, (output, unit), formulas, data)


def _xy(corrections: Corrections, i: int, axis: str) -> Node:
    """Return the offset of pTmiss along an axis; its error is that of the fit."""
    mean, error = line_formula("x")
    formulas = [formula(text, "n_pv") for text in (mean, f"{mean}+{error}", f"{mean}-{error}")]
    index = {"stat_up": 1, "stat_down": 2}
    data = {}
    for dataset in DATASETS:
        numbers = numbers_of(corrections.xy[dataset][i].line)
        data[dataset] = category(
            "systematic",
            {
                s: binning("n_pv", [-FAR, FAR], [reference(index.get(s, 0), *numbers)], 0.0)
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
        category("dataset", data),
    )


def _response(corrections: Corrections) -> Node:
    data = {
        dataset: category(
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
        [formula(cubic, "q_t")],
        category("dataset", data),
    )


def _plateau(estimator: str, plateau: Mapping[str, Mapping[str, float] | None]) -> Node:
    data = {name: category("systematic", plateau[name] or {}) for name in DATASETS}
    return _correction(
        f"{estimator}_plateau",
        f"Response <u_par>/<q_t> of {estimator} at high q_t in one number, after the xy"
        " correction: pTmiss / plateau has a response of 1 there.",
        ("dataset", "systematic"),
        "response",
        (),
        category("dataset", data),
    )


def _cubic(curve: Curve) -> Node:
    nodes, c = curve.nodes, curve.coefficients
    first, last = float(curve(nodes[:1])[0]), float(curve(nodes[-1:])[0])
    inner = [reference(0, low, *c[::-1, i]) for i, low in enumerate(nodes[:-1])]
    edges = [-FAR, *nodes, FAR]
    return binning("q_t", edges, [first, *inner, last], 1.0)


def _map(estimator: str, component: str, maps: Mapping[str, QuantileMap]) -> Node:
    what = "u_par - q_t" if component == "u_par" else "u_perp"
    return _correction(
        f"{estimator}_{component}",
        f"{what} of {estimator} in simulation, mapped to the distribution in data at this q_t and"
        " number of jets. Beyond the outermost quantiles shifted as at them; unchanged where q_t or"
        " jets are out of range or a value is not a number.",
        ("systematic", "u", "q_t", "n_jets"),
        "u",
        map_formulas(_MAP),
        category("systematic", {name: map_tree(maps[name], _MAP) for name in SYSTEMATICS}),
    )
