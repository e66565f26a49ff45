"""The recoil corrections as `Recoil_correction_Rescaling`, `_QuantileMapHist`, `_Uncertainty`.

Names, inputs and their order are those of the files of CMS's group for Higgs and rare processes,
which columnflow, CROWN and others read for PUPPI. Written out anew, for any estimator.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import correctionlib.schemav2 as schema
import numpy as np

from ptmiss.tasks.met.calibration.bins import Bins
from ptmiss.tasks.met.calibration.inputs import Inputs
from ptmiss.tasks.met.calibration.map_nodes import MapInputs, map_formulas, map_tree
from ptmiss.tasks.met.calibration.nodes import (
    Node,
    binning,
    category,
    correction,
    correction_set,
    formula,
    reference,
)
from ptmiss.tasks.met.calibration.published_moments import PublishedRecoil
from ptmiss.tasks.met.settings.calibration import PublishedSettings

_U = {"u_par": "Upara", "u_perp": "Uperp"}
_JETS = (
    "number of jets, as a real number (2.0), as the events of the calibration counted them: anti-kT"
    " 0.4, pT > 20 GeV, |eta| < 3, cleaned of leptons"
)
_U_TEXT = (
    "U = pTmiss + visible boson - full boson, along (Upara = |U| cos dphi) and across (Uperp = |U|"
    " sin dphi) the full boson; pTmiss after its xy correction"
)


def recoil_document(
    found: PublishedRecoil, inputs: Inputs, settings: PublishedSettings
) -> schema.CorrectionSet:
    """Return the recoil corrections of one estimator."""
    kind = "pseudo-data (parametric simulation)" if inputs.simulated else "data"
    text = (
        f"Recoil corrections of the pTmiss of {found.estimator}, training {inputs.training}, for"
        f" simulation of a single boson, era {settings.era}, order {settings.order}; derived from"
        f" {inputs.dilepton.data_name} ({kind}), less backgrounds, and {inputs.dilepton.name} in Z"
        f" to mumu. {_U_TEXT}. Corrected pTmiss = corrected U - visible boson + full boson."
    )
    nodes = [_rescaling(found, settings), _map(found, settings), _uncertainty(found, settings)]
    return correction_set(text, nodes)


def _inputs(
    settings: PublishedSettings, var: str, what: str, syst: bool = False
) -> dict[str, tuple[str, str]]:
    era = {"era": ("string", f"era: {settings.era}")} if settings.era_input else {}
    return {
        **era,
        "order": ("string", f"order of the simulation: {settings.order}"),
        "njet": ("real", _JETS),
        "ptll": ("real", "pT of the full boson in GeV, with its neutrinos"),
        "var": ("string", var),
        "val": ("real", what),
        **({"syst": ("string", "RespUp, RespDown, ResolUp, ResolDown")} if syst else {}),
    }


def _chosen(settings: PublishedSettings, data: Node) -> Node:
    """Return the choice of era and order, of which there is one each."""
    node = category("order", {settings.order: data})
    return category("era", {settings.era: node}) if settings.era_input else node


def _binned(bins: Bins, content: Callable[[int, int], Node]) -> Node:
    """Return bins of njet and ptll; content: of category and number of the bin.

    Beyond the outermost edges it is that of the bin there.
    """
    number = itertools.count()
    nodes = []
    for j, ranges in enumerate(bins.ranges):
        inner = [content(j, next(number)) for _ in ranges]
        edges = [ranges[0][0], *(high for _, high in ranges)]
        nodes.append(binning("ptll", edges, inner, "clamp"))
    return binning("njet", np.asarray(bins.jet_edges) - 0.5, nodes, "clamp")


def _rescaling(found: PublishedRecoil, settings: PublishedSettings) -> Node:
    def content(_: int, number: int) -> Node:
        return category(
            "var", {_U[name]: reference(0, *rows[number]) for name, rows in found.rescaling.items()}
        )

    return correction(
        (
            "Recoil_correction_Rescaling",
            "Upara or Uperp of simulation with mean and RMS of the distribution in data in a bin of"
            " njet and ptll. The mean across the boson is 0.",
        ),
        _inputs(settings, "Upara or Uperp: what val is", f"Upara or Uperp in GeV; {_U_TEXT}"),
        ("outval", "the same after the correction, in GeV"),
        [formula("[0]+(x-[1])*[2]", "val")],
        _chosen(settings, _binned(found.bins, content)),
    )


def _map(found: PublishedRecoil, settings: PublishedSettings) -> Node:
    names = MapInputs("val", "ptll", "njet")
    trees = {_U[name]: map_tree(maps.nominal, names) for name, maps in found.maps.items()}
    return correction(
        (
            "Recoil_correction_QuantileMapHist",
            "Upara or Uperp of simulation mapped to the distribution in data, the very map of the"
            " calibration: between its nodes straight in val and in ptll. Beyond the outermost"
            " quantiles shifted as at them; unchanged where njet or ptll are out of range.",
        ),
        _inputs(settings, "Upara or Uperp: what val is", f"Upara or Uperp in GeV; {_U_TEXT}"),
        ("outval", "the same after the correction, in GeV"),
        map_formulas(names),
        _chosen(settings, category("var", trees)),
    )


def _uncertainty(found: PublishedRecoil, settings: PublishedSettings) -> Node:
    def content(j: int, number: int) -> Node:
        # H points against the boson, so that its mean along the boson is minus the response
        mean = -found.response[number]
        response, width = found.response_error[j], found.width_error[j]
        along: dict[str, object] = {}
        across: dict[str, object] = {}
        for direction, sign in (("Up", 1.0), ("Down", -1.0)):
            along[f"Resp{direction}"] = reference(1, sign * response * mean)
            across[f"Resp{direction}"] = reference(0)
            along[f"Resol{direction}"] = reference(2, mean, 1.0 + sign * width)
            across[f"Resol{direction}"] = reference(3, 1.0 + sign * width)
        return category(
            "var", {"Hpara": category("syst", along), "Hperp": category("syst", across)}
        )

    return correction(
        (
            "Recoil_correction_Uncertainty",
            "Hpara or Hperp with another response or resolution, on top of QuantileMapHist. The"
            " uncertainty is what that leaves between data and simulation in events which it was"
            " not derived from, and the spread of its bootstrap replicas, in quadrature, by njet;"
            " both in Z to mumu: no second channel is used.",
        ),
        _inputs(
            settings,
            "Hpara or Hperp: what val is; not U",
            "Hpara or Hperp in GeV: H = -corrected pTmiss - visible boson, along and across the"
            " full boson",
            syst=True,
        ),
        ("outval", "the same after the variation, in GeV"),
        [
            formula("x", "val"),
            formula("x+[0]*y", "val", "ptll"),
            formula("[0]*y+[1]*(x-[0]*y)", "val", "ptll"),
            formula("x*[0]", "val"),
        ],
        _chosen(settings, _binned(found.bins, content)),
    )
