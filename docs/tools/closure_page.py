"""Write docs/closure.md from the verdict of a closure run: `make docs-closure RESULTS=results`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
NAMES = {"pf": "PF", "chs": "CHS", "puppi": "PUPPI", "deepmet": "DeepMET", "oracle": "oracle"}
HEAD = """# Closure with ten times the events

Written by `make docs-closure` from a run of `resources/configurations/closure.yaml`: the training
`{training}`, corrections derived on one half of the Z to mumu events and judged on the other, and
on W to munu events, where nothing was fitted. Parametric simulation on both sides: pseudo-data are
simulated with another, much worse detector. The default run makes the same tests with a tenth of
the events, where most ratios of distances are undecided.

{passed}

"""
XY = """## After the xy correction

`phi flat`: p-value of the azimuth of pTmiss being flat. `slope`: of the mean of px and py against
the number of vertices, in standard deviations from zero. Before the correction -> after it; after
it p-values and slopes are of all tests of an estimator together (Holm).

"""
DISTANCES = """## After the quantile mapping

Energy distance of one component of the recoil between simulation and pseudo-data, less what chance
makes of it, in GeV: before and after the mapping. `left`: their ratio, with its limit; below zero
where the samples are nearer than chance has them on average. `p`: of the distance after the mapping
(Holm), which must be above 0.01. `floor`: what a perfect correction derived from so many events
stays below in 95 of 100 cases; a test counts where this is below the limit.

"""


def page(verdict: Mapping) -> str:
    """Return the text of the page for the contents of a closure.json."""
    counted = [*verdict["tests"], *verdict["undecided"]]
    undecided = {id(one) for one in verdict["undecided"]}
    failed = [one for one in verdict["tests"] if not one["passed"]]
    passed = (
        f"{len(verdict['tests']) - len(failed)} of {len(verdict['tests'])} tests that count are"
        f" passed; undecided: {len(undecided)}."
    )
    text = HEAD.format(training=verdict["training"], passed=passed)
    text += XY + _xy(counted) + "\n" + DISTANCES
    return text + _distances(counted, undecided)


def _xy(tests: Iterable[Mapping]) -> str:
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for one in tests:
        if one["name"] in ("phi_flat", "slope_x", "slope_y"):
            row = rows.setdefault((one["estimator"], one["sample"]), {})
            mark = "" if one["passed"] else " **failed**"
            row[one["name"]] = f"{one['before']:.2g} -> {one['value']:.2g}{mark}"
    lines = ["| estimator | sample | phi flat | slope of px | slope of py |", "|---" * 5 + "|"]
    for (estimator, sample), row in rows.items():
        cells = [NAMES.get(estimator, estimator), f"`{sample}`"]
        cells += [row.get(name, "") for name in ("phi_flat", "slope_x", "slope_y")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _distances(tests: Iterable[Mapping], undecided: set[int]) -> str:
    p_values = {_key(one): one["value"] for one in tests if one["name"] == "distance_p"}
    lines = [
        "| estimator | sample | qT (GeV) | component"
        " | before | after | left (limit) | floor | p | |",
        "|---" * 10 + "|",
    ]
    for one in tests:
        if one["name"] != "distance_left":
            continue
        p = p_values[_key(one)]
        verdict = "passed" if one["passed"] else "failed"
        if id(one) in undecided:
            verdict = "undecided"
        region = one["region"].removeprefix("qt_").replace("_", " to ")
        cells = [NAMES.get(one["estimator"], one["estimator"]), f"`{one['sample']}`", region]
        cells.append(_component(one))
        cells += [f"{one[name]:.3f}" for name in ("distance_before", "distance_after")]
        cells += [f"{one['value']:.3f} ({one['limit']:.2f})", f"{one['floor']:.3f}"]
        lines.append("| " + " | ".join([*cells, f"{p:.3f}", verdict]) + " |")
    return "\n".join(lines) + "\n"


def _component(test: Mapping) -> str:
    return "u_par - qT" if "u_par" in test["what"] else "u_perp"


def _key(test: Mapping) -> tuple[str, str, str, str]:
    return test["estimator"], test["sample"], test["region"], _component(test)


def main(results: str) -> None:
    """Write the page from a folder of results."""
    path = Path(results, "calibration", "mixed", "closure.json")
    verdict = json.loads(path.read_text(encoding="utf-8"))
    (DOCS / "closure.md").write_text(page(verdict), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
