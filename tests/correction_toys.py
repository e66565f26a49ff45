"""Small correctionlib files: weights of pile-up and of leptons."""

from __future__ import annotations

from pathlib import Path

import correctionlib.schemav2 as cs


def document(folder: Path, *corrections: cs.Correction, name: str = "w.json") -> str:
    """Write corrections into a file of the folder and return its path."""
    path = folder / name
    path.write_text(
        cs.CorrectionSet(schema_version=2, corrections=list(corrections)).model_dump_json()
    )
    return str(path)


def pileup(flow: str = "clamp") -> cs.Correction:
    """1 below 30 interactions and 3 above; up twice as much, down half."""

    def binned(factor):
        return cs.Binning(
            nodetype="binning", input="NumTrueInteractions", edges=[0.0, 30.0, 100.0],
            content=[1.0 * factor, 3.0 * factor], flow=flow,
        )  # fmt: skip

    keys = {"nominal": 1.0, "up": 2.0, "down": 0.5}
    return cs.Correction(
        name="PU", version=1, output=cs.Variable(name="weight", type="real"),
        inputs=[cs.Variable(name="NumTrueInteractions", type="real"),
                cs.Variable(name="weights", type="string")],
        data=cs.Category(nodetype="category", input="weights", content=[
            cs.CategoryItem(key=key, value=binned(factor)) for key, factor in keys.items()
        ]),
    )  # fmt: skip


def lepton() -> cs.Correction:
    """0.1 times |eta| plus pt / 100, of an integer year."""
    return cs.Correction(
        name="ID", version=1, output=cs.Variable(name="weight", type="real"),
        inputs=[cs.Variable(name="abseta", type="real"), cs.Variable(name="pt", type="real"),
                cs.Variable(name="year", type="int")],
        data=cs.Formula(nodetype="formula", expression="0.1*x+0.01*y", parser="TFormula",
                        variables=["abseta", "pt"]),
    )  # fmt: skip
