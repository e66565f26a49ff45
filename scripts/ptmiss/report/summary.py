"""summary.json: the headline figures of a run, machine readable; the page shows the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ptmiss.report import headlines as heads
from ptmiss.report.headlines import Headline, Key
from ptmiss.report.ledgers import Ledger
from ptmiss.report.provenance import digest_of
from ptmiss.report.stages import Stage

FORMAT = 1
"""Number of the layout of summary.json; it grows when a reader would have to change."""


def build(
    headlines: Mapping[str, list[Headline]],
    numbers: Mapping[Key, float],
    ledgers: Iterable[Ledger],
    stages: Iterable[Stage],
    provenance: Mapping[str, object],
    verdicts: Mapping[str, Mapping[str, object]],
) -> dict[str, object]:
    """Return the content of summary.json.

    numbers: `headlines.index` of the tables, for the RMS forms; verdicts: "parity" and "closure"
    -> training -> what the stages export and closure wrote, empty where they did not run.
    """
    return {
        "format": FORMAT,
        "trainings": {
            training: [_sample(training, sample, numbers) for sample in samples]
            for training, samples in headlines.items()
        },
        "parity": dict(verdicts.get("parity", {})),
        "closure": dict(verdicts.get("closure", {})),
        "ledger": {ledger.sample: _ledger(ledger) for ledger in ledgers},
        "stages": {stage.stage: stage.as_dict() for stage in stages},
        **provenance,
    }


def _sample(training: str, sample: Headline, numbers: Mapping[Key, float]) -> dict[str, object]:
    where = heads.quantities(sample)
    estimators = {}
    for name, values in sorted(sample["estimators"].items()):
        resolutions = {}
        for quantity, place in where.items():
            bounds = values.get(quantity)
            if bounds is None:
                continue
            rms = numbers.get(heads.key_of(training, sample, name, f"{quantity}_rms", place))
            resolutions[quantity] = {
                **_bounds(bounds),
                "rms": rms,
                "gain_over": {
                    over: gain
                    for over in ("pf", "puppi")
                    if (gain := heads.gain(sample, name, over, quantity)) is not None
                },
                "way_to_oracle": heads.way_to_limit(sample, name, quantity),
            }
        response = values.get("response")
        estimators[name] = {
            "plateau_response": None if response is None else _bounds(response),
            "non_finite": values.get("non_finite", 0),
            "resolution": resolutions,
        }
    return {
        "sample": sample["sample"],
        "label": sample["label"],
        "variation": sample["variation"],
        "n_events": sample["n_events"],
        "measured_in": where,
        "estimators": estimators,
    }


def _bounds(values: Mapping[str, object]) -> dict[str, object]:
    return {key: values[key] for key in ("value", "low", "high")}


def _ledger(ledger: Ledger) -> dict[str, object]:
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
    }
