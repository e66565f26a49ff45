"""The xy correction as `met_xy_corrections` (Run 3) and `pt_metphicorr_*` (Run 2).

Names, order of inputs and keys are those of the files that CMS publishes in jsonPOG-integration, so
that code which reads those reads these. Written out anew; the numbers are those of `document`.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence

import correctionlib.schemav2 as schema

from ptmiss.core.errors import UserError
from ptmiss.core.stats.quantile_map import FAR
from ptmiss.tasks.met.calibration.inputs import Inputs
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
from ptmiss.tasks.met.calibration.published_lines import Lines, PublishedLines
from ptmiss.tasks.met.settings.calibration import PublishedSettings

MET_TYPES = {
    "raw_pf": ("RawMET", "RawPFMET"),
    "pf": ("MET", "PFMET"),
    "raw_puppi": ("RawPuppiMET",),
    "puppi": ("PuppiMET",),
    "deepmet_resolution": ("DeepMETResolutionTune",),
    "deepmet_response": ("DeepMETResponseTune",),
}
"""Stored MET -> what NanoAOD calls it: keys of met_type beside the estimator's own name."""

STORED = "stored_"
"""What the names of stored METs begin with where there are candidates to sum up too."""

_RUN2 = {"pf": "pfmet", "puppi": "puppimet"}
"""Stored MET -> what the files of Run 2 call it; any other has its own name there."""

STATISTICAL = {
    "stat_xup": (1.0, 0.0),
    "stat_xdn": (-1.0, 0.0),
    "stat_yup": (0.0, 1.0),
    "stat_ydn": (0.0, -1.0),
}
"""Variation -> how many standard deviations of the fit px and py of corrected pTmiss move."""

SAME_PAIR = (
    "Both pt and phi must be evaluated from the same uncorrected pair: phi from a pt that is"
    " corrected already is wrong."
)
_TARGET = (
    "The key DATA is the format's word for the sample that simulation is corrected to, which may be"
    " simulated itself."
)
_RUN3_INPUTS = {
    "pt_phi": (
        "string",
        "pt or phi of corrected pTmiss; with _stat_xup, _stat_xdn, _stat_yup or _stat_ydn the"
        " same as that variation",
    ),
    "met_type": ("string", "which pTmiss: NanoAOD's name or that of the estimator"),
    "epoch": ("string", "era, or name of a range of runs"),
    "dtmc": ("string", "DATA or MC"),
    "variation": (
        "string",
        "nom, stat_xup, stat_xdn, stat_yup, stat_ydn (px or py one standard deviation up or down);"
        " of MC also pu_up, pu_dn (pile-up profile)",
    ),
    "met_pt": ("real", "uncorrected pt of pTmiss in GeV"),
    "met_phi": ("real", "uncorrected phi of pTmiss"),
    "npvGood": ("real", "number of reconstructed vertices, as a real number (25.0)"),
}
_RUN2_INPUTS = {
    "met_pt": _RUN3_INPUTS["met_pt"],
    "met_phi": _RUN3_INPUTS["met_phi"],
    "npvs": _RUN3_INPUTS["npvGood"],
    "run": ("real", "run number, as a real number; of simulation any"),
}


def xy_document(
    fits: Sequence[PublishedLines], inputs: Inputs, settings: PublishedSettings
) -> schema.CorrectionSet:
    """Return the xy corrections of all estimators in both layouts.

    Raises `UserError` where two estimators would have one key.
    """
    kind = "pseudo-data (parametric simulation)" if inputs.simulated else "data"
    text = (
        f"xy correction of pTmiss, training {inputs.training}, derived from"
        f" {inputs.dilepton.data_name} ({kind}) and {inputs.dilepton.name}, era {settings.era}, in"
        f" two layouts: met_xy_corrections as for Run 3, pt_metphicorr_* and phi_metphicorr_* as"
        f" for Run 2. {SAME_PAIR} {_TARGET}"
    )
    return correction_set(text, [_run3(fits, settings), *_run2(fits, settings)])


def _run3(fits: Sequence[PublishedLines], settings: PublishedSettings) -> Node:
    by_type: dict[str, PublishedLines] = {}
    names = {one.estimator for one in fits}
    for one in fits:
        for name in (one.estimator, *MET_TYPES.get(_stored(one.estimator, names), ())):
            if name in by_type:
                raise UserError(
                    f"calibration: {by_type[name].estimator} and {one.estimator} would both be"
                    f" {name} in met_xy_corrections; give one of them another name"
                )
            by_type[name] = one
    chosen = {}
    for quantity in ("pt", "phi"):
        chosen[quantity] = category(
            "met_type", {name: _epochs(one, quantity, settings) for name, one in by_type.items()}
        )
        for variation in STATISTICAL:  # a second way that files of the field have
            chosen[f"{quantity}_{variation}"] = category(
                "met_type",
                {
                    name: _epochs(one, quantity, settings, variation)
                    for name, one in by_type.items()
                },
            )
    return correction(
        (
            "met_xy_corrections",
            f"pt or phi of pTmiss after its mean offset at this number of vertices is subtracted."
            f" {SAME_PAIR} {_TARGET} Outside the range of the fit: its value at the end; unchanged"
            " where the number of vertices is not finite.",
        ),
        _RUN3_INPUTS,
        ("corrected", "pt in GeV, or phi"),
        _formulas("npvGood"),
        category("pt_phi", chosen),
    )


def _stored(estimator: str, names: Collection[str]) -> str:
    """Return which stored MET an estimator is or stands for; empty for none.

    names: of all estimators. A sum of candidates stands for the MET of its name where the input's
    own is not among the estimators.
    """
    if estimator.startswith(STORED):
        return estimator.removeprefix(STORED)
    return "" if f"{STORED}{estimator}" in names else estimator


def _epochs(
    fits: PublishedLines, quantity: str, settings: PublishedSettings, only: str = ""
) -> Node:
    """Return the choice of epoch, target or simulation, and variation.

    only: the statistical variation that pt_phi has named, with which variation is nom.
    """
    simulation = _variations(fits.simulation, quantity, "npvGood", only)
    if not only:
        for name, lines in fits.pileup.items():
            simulation[name] = _corrected(lines, quantity, "npvGood")
    mc = category("variation", simulation)
    return category(
        "epoch",
        {
            epoch: category(
                "dtmc",
                {
                    "DATA": category("variation", _variations(lines, quantity, "npvGood", only)),
                    "MC": mc,
                },
            )
            for epoch, lines in {settings.era: fits.data, **fits.ranges}.items()
        },
    )


def _variations(lines: Lines, quantity: str, n_pv: str, only: str) -> dict[str, object]:
    if only:
        return {"nom": _corrected(lines, quantity, n_pv, STATISTICAL[only])}
    found: dict[str, object] = {"nom": _corrected(lines, quantity, n_pv)}
    for name, signs in STATISTICAL.items():
        found[name] = _corrected(lines, quantity, n_pv, signs)
    return found


def _run2(fits: Sequence[PublishedLines], settings: PublishedSettings) -> list[Node]:
    nodes = []
    names = {one.estimator for one in fits}
    for one, (key, word), quantity in itertools.product(
        fits, {"mc": "simulation", "data": "the sample it is corrected to"}.items(), ("pt", "phi")
    ):
        lines = one.simulation if key == "mc" else one.data
        data = _corrected(lines, quantity, "npvs")
        met = _RUN2.get(_stored(one.estimator, names), one.estimator)
        if key == "data" and one.ranges:
            data = _runs(one.ranges, settings.run_ranges, quantity, data)
        nodes.append(
            correction(
                (
                    f"{quantity}_metphicorr_{met}_{key}",
                    f"{quantity} of pTmiss of {one.estimator} in {word} after its mean offset at"
                    f" this number of vertices is subtracted. {SAME_PAIR}",
                ),
                _RUN2_INPUTS,
                ("corrected", "in GeV" if quantity == "pt" else "in radians"),
                _formulas("npvs"),
                data,
            )
        )
    return nodes


def _runs(
    lines: Mapping[str, Lines],
    ranges: Mapping[str, tuple[int, int]],
    quantity: str,
    others: Node,
) -> Node:
    """Return the choice of a range of runs; others: for runs that are in none."""
    edges: list[float] = []
    content: list[Node] = []
    for name, (first, last) in sorted(ranges.items(), key=lambda item: item[1]):
        if not edges or edges[-1] != first:
            if edges:
                content.append(others)
            edges.append(float(first))
        edges.append(last + 1.0)
        content.append(_corrected(lines[name], quantity, "npvs"))
    return binning("run", edges, content, others)


def _formulas(n_pv: str) -> list[Node]:
    """Return the formulas: pt, phi as measured, corrected, with a variation."""
    inputs = ("met_pt", "met_phi", n_pv)
    (mean_x, error_x), (mean_y, error_y) = line_formula("z"), line_formula("z", 10)
    plain = f"(x*cos(y)-({mean_x}))", f"(x*sin(y)-({mean_y}))"
    moved = (
        f"(x*cos(y)-({mean_x})+[20]*{error_x})",
        f"(x*sin(y)-({mean_y})+[21]*{error_y})",
    )
    texts = [
        text
        for x, y in (plain, moved)
        for text in (f"sqrt(pow({x},2)+pow({y},2))", f"atan2({y},{x})")
    ]
    return [
        formula("x", "met_pt"),
        formula("x", "met_phi"),
        *(formula(text, *inputs) for text in texts),
    ]


def _corrected(
    lines: Lines, quantity: str, n_pv: str, signs: tuple[float, float] | None = None
) -> Node:
    """Return pt or phi; signs: standard deviations that px and py move."""
    which = ("pt", "phi").index(quantity)
    numbers = [number for line in lines for number in numbers_of(line)]
    inner = (
        reference(2 + which, *numbers) if signs is None else reference(4 + which, *numbers, *signs)
    )
    return binning(n_pv, [-FAR, FAR], [inner], reference(which))
