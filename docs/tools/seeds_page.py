"""Write docs/seeds.md from the headlines of a validation run: `make docs-seeds RESULTS=results`.

Each cell holds the three seeds of a training together, so that a reader sees how much is luck.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
SEED = re.compile(r"_seed\d+$")
QUANTITIES = {
    "sigma_par": "along the boson, qT < 150 GeV",
    "sigma_perp": "across the boson, qT < 150 GeV",
    "sigma_xy": "component",
    "sigma_par_bincorr": "along the boson, response corrected in each qT bin",
    "sigma_perp_bincorr": "across the boson, response corrected in each qT bin",
}
HEAD = """# Three seeds of each training

Written by `make docs-seeds` from a run of `resources/configurations/validation.yaml`: each training
with three seeds, evaluated with its ONNX file in events of the test folds of the parametric
simulation. Settings of the training were chosen in the validation fold.

"""
GAINS = """## Gain over {over}

1 - ratio of response-corrected resolutions in percent: the smallest and the largest of the seeds,
and in brackets the lowest lower bound of their 95 % intervals. Response-corrected: divided by the
plateau response, if not said otherwise.

"""
RESPONSES = """## Response

Plateau response of each seed: to the boson above qT = 150 GeV in Z to mumu, to the true pTmiss
above 50 GeV elsewhere.

"""


def page(headlines: Iterable[Mapping]) -> str:
    """Return the text of the page for the headlines of all trainings."""
    groups: dict[str, list[Mapping]] = defaultdict(list)
    for headline in headlines:
        groups[SEED.sub("", headline["training"])].append(headline)
    text = HEAD
    for over, name in (("puppi", "PUPPI"), ("pf", "PF")):
        text += GAINS.format(over=name) + _table(groups, lambda h, o=over: _gains(h, o)) + "\n"
    return text + RESPONSES + _table(groups, _responses)


def _gains(headline: Mapping, over: str) -> dict[tuple[str, str], Mapping]:
    found = {}
    for sample in headline["samples"]:
        for gain in (*sample["gains"], *sample.get("gains_bincorr", ())):
            wanted = gain["estimator"] == "deepmet" and gain["over"] == over
            if wanted and gain["value"] is not None and gain["low"] is not None:
                found[sample["label"], QUANTITIES[gain["quantity"]]] = gain
    return found


def _responses(headline: Mapping) -> dict[tuple[str, str], Mapping]:
    found = {}
    for sample in headline["samples"]:
        network = sample["estimators"]["deepmet"]
        response = network.get("response_met") or network["response"]
        if response and response["value"] is not None:
            found[sample["label"], ""] = response
    return found


def _table(
    groups: Mapping[str, list[Mapping]], numbers: Callable[[Mapping], Mapping[tuple, Mapping]]
) -> str:
    cells: dict[tuple[str, str], dict[str, list[Mapping]]] = defaultdict(lambda: defaultdict(list))
    for training, headlines in groups.items():
        for headline in headlines:
            for row, value in numbers(headline).items():
                cells[row][training].append(value)
    lines = ["| sample | | " + " | ".join(f"`{name}`" for name in groups) + " |"]
    lines.append("|---" * (2 + len(groups)) + "|")
    for (label, what), row in cells.items():
        texts = [_text(row[training], what != "") for training in groups]
        lines.append(f"| {label} | {what} | " + " | ".join(texts) + " |")
    return "\n".join(lines) + "\n"


def _text(values: list[Mapping], percent: bool) -> str:
    if not values:
        return ""
    if not percent:
        return ", ".join(f"{one['value']:.3f}" for one in values)
    low, high = (f(100 * one["value"] for one in values) for f in (min, max))
    bound = min(100 * one["low"] for one in values)
    return f"{low:.0f} to {high:.0f} [{bound:.0f}]"


def main(results: str) -> None:
    """Write the page from the headlines in a folder of results."""
    paths = sorted(Path(results, "performance").glob("*.headline.json"))
    headlines = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    trained = [one for one in headlines if one["training"] != "classical"]
    (DOCS / "seeds.md").write_text(page(trained), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
