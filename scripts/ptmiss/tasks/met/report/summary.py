"""summary.json: the headline figures of a run, machine readable; the page shows the same."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ptmiss.core.figures.latex import readable
from ptmiss.core.html.provenance import digest_of
from ptmiss.core.html.stages import Stage
from ptmiss.core.io.records import Values
from ptmiss.tasks.met.performance.names import OWN, OWN_HIGH, RESCALED
from ptmiss.tasks.met.report import forms
from ptmiss.tasks.met.report import headlines as heads
from ptmiss.tasks.met.report.headlines import Headline, Key
from ptmiss.tasks.met.report.ledgers import Ledger
from ptmiss.tasks.met.report.style import TRAINED, Look, looks

FORMAT = 1
"""Number of the layout of summary.json; it grows when a reader would have to change."""

VERDICTS = ("parity", "closure", "gate", "training")
"""What summary.json says of each training besides its numbers."""


def build(
    headlines: Mapping[str, list[Headline]],
    numbers: Mapping[Key, float],
    ledgers: Iterable[Ledger],
    stages: Iterable[Stage],
    provenance: Values,
    verdicts: Mapping[str, Values],
) -> dict[str, Any]:
    """Return the content of summary.json.

    numbers: `headlines.index` of the tables, for the RMS forms; verdicts: one of `VERDICTS` ->
    training -> what the stages export, closure, gate and train wrote, empty where they did not run.
    """
    return {
        "format": FORMAT,
        "trainings": {
            training: [_sample(training, sample, numbers) for sample in samples]
            for training, samples in headlines.items()
        },
        "generalisation": _generalisation(headlines),
        **{name: dict(verdicts.get(name, {})) for name in VERDICTS},
        "ledger": {ledger.sample: _ledger(ledger) for ledger in ledgers},
        "stages": {stage.stage: stage.as_dict() for stage in stages},
        **provenance,
    }


def further_looks(summary: Values) -> dict[str, Look]:
    """Return the estimators besides PF and PUPPI over which gains are quoted, and their looks."""
    names = {
        over
        for samples in summary["trainings"].values()
        for sample in samples
        for estimator in sample["estimators"].values()
        for values in estimator["resolution"].values()
        for over in values["gain_over"]
    }
    return looks(names - {"pf", "puppi", RESCALED})


def _generalisation(headlines: Mapping[str, list[Headline]]) -> dict[str, dict[str, Any]]:
    """Return, for each training with a network, its mean gain over PUPPI, PF and others that gains
    are quoted over, in all final states, and in how many it is the best: in the plateau form, and
    with the form in the key in the others."""
    gains: dict[str, dict[tuple[str, str], dict[str, float]]] = {"puppi": {}, "pf": {}}
    for training, samples in headlines.items():
        for sample in samples:
            name = next((one for one in TRAINED if one in sample["estimators"]), None)
            if name is None or sample["variation"] != "nominal":
                continue
            for over, quantity, value in _stated(sample, name):
                cells = gains.setdefault(over, {})
                cells.setdefault((sample["sample"], quantity), {})[training] = value
    result: dict[str, dict[str, Any]] = {}
    for over, values in gains.items():
        for training in sorted({name for cell in values.values() for name in cell}):
            own = [cell[training] for cell in values.values() if training in cell]
            entry = result.setdefault(training, {"final_states": len(own)})
            if over.startswith("puppi_"):
                entry[f"final_states{over.removeprefix('puppi')}"] = len(own)
            entry[f"mean_gain_over_{over}"] = math.fsum(own) / len(own)
            entry[f"best_over_{over}"] = sum(
                cell.get(training) == max(cell.values()) for cell in values.values()
            )
    return result


def _stated(sample: Headline, name: str) -> Iterator[tuple[str, str, float]]:
    """Yield over whom, and in which form but that of the plateau, resolution, and the gain."""
    for quantity in heads.quantities(sample):
        for over in heads.over(sample):
            gain = heads.gain(sample, name, over, quantity)
            if gain is not None and gain["value"] is not None:
                yield over, quantity, gain["value"]
    for entry in sample.get("forms", ()):
        for gain in entry["gains"]:
            stated = gain["estimator"] == name and gain["value"] is not None
            if stated and gain["over"] != RESCALED and entry["form"] in (OWN, OWN_HIGH):
                yield f"{gain['over']}_{entry['form']}", entry["of"], gain["value"]


def _sample(training: str, sample: Headline, numbers: Mapping[Key, float]) -> dict[str, Any]:
    where = heads.quantities(sample)
    estimators = {}
    for name, values in sorted(sample["estimators"].items()):
        resolutions = {}
        for quantity, place in where.items():
            stand_in = heads.stands_in(sample, quantity)
            bounds = values.get(stand_in)
            if bounds is None:
                continue
            form = f"{quantity}_rms{stand_in.removeprefix(quantity)}"
            rms = numbers.get(heads.key_of(training, sample, name, form, place))
            resolutions[quantity] = {
                **_bounds(bounds),
                "rms": rms,
                "gain_over": {
                    over: gain
                    for over in sorted(heads.over(sample))
                    if (gain := heads.gain(sample, name, over, stand_in)) is not None
                },
                "way_to_oracle": heads.way_to_limit(sample, name, stand_in),
                "way_to_oracle_bounds": heads.way_bounds(sample, name, stand_in),
            }
        response = values.get("response")
        estimators[name] = {
            "plateau_response": None if response is None else _bounds(response),
            "non_finite": values.get("non_finite", 0),
            "resolution": resolutions,
        }
    return {
        "sample": sample["sample"],
        "label": readable(sample["label"]),
        "variation": sample["variation"],
        "n_events": sample["n_events"],
        "measured_in": where,
        "forms": forms.of_sample(training, sample, numbers),
        "response_qt": sample.get("response_qt", []),
        "coverage": {
            name: {quantity: _bounds(bounds) for quantity, bounds in quantities.items()}
            for name, quantities in sorted(sample.get("coverage", {}).items())
        },
        "estimators": estimators,
        **_without_plateau(sample, where),
    }


def _without_plateau(sample: Headline, where: Iterable[str]) -> dict[str, Any]:
    """Return for each resolution that no estimator has for lack of events on the plateau: their
    number, and what stands in its place, None for nothing; nothing where there is no such one."""
    missing = {}
    for quantity in where:
        values = [one[quantity] for one in sample["estimators"].values() if one.get(quantity)]
        if values and all(one["value"] is None for one in values):
            stand_in = heads.stands_in(sample, quantity)
            missing[quantity] = {
                "events_on_plateau": heads.on_plateau(sample, quantity),
                "instead": None if stand_in == quantity else stand_in,
            }
    return {"without_plateau": missing} if missing else {}


def _bounds(values: Values) -> dict[str, Any]:
    return {key: values[key] for key in ("value", "low", "high")}


def _ledger(ledger: Ledger) -> dict[str, Any]:
    return {
        "parts": ledger.parts,
        "in": ledger.n_in,
        "kept": ledger.kept,
        "rejected": dict(sorted(ledger.rejected.items())),
        "repaired": dict(sorted(ledger.repaired.items())),
        "dropped": dict(sorted(ledger.dropped.items())),
        "balanced": ledger.balanced,
        "weight_in": ledger.weight_in,
        "weight_kept": ledger.weight_kept,
        "inputs": dict(sorted(ledger.inputs.items())),
        "inputs_digest": digest_of(ledger.inputs.values()),
        **({} if ledger.off_raw_met is None else {"off_raw_met": ledger.off_raw_met}),
    }
