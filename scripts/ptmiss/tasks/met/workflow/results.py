"""What a run hands to its page: the files of every kind, and the benchmarks of every stage."""

from __future__ import annotations

import functools

from ptmiss.core.workflow.plan import of_trainings as _of
from ptmiss.events.settings.samples import FileSample
from ptmiss.tasks.met.workflow.plan import Plan


class Run(Plan):
    """The plan of a run with what it comes to."""

    @property
    def targets(self) -> list[str]:
        """The verdicts and, where there are variations, the uncertainties."""
        accepted = ["results/performance/accepted.json"]
        confirmed = ["results/calibration/confirmed.json"] if self.calibrated_trainings else []
        return [*accepted, *self.results["uncertainties"], *confirmed]

    @functools.cached_property
    def results(self) -> dict[str, list[str]]:
        """Kind -> files that the page is made of."""
        return results(self)


def results(plan: Plan) -> dict[str, list[str]]:
    """Return kind -> files, with the kinds of the page's inputs (`report.figures.Inputs`)."""
    measured = {
        kind: _of(f"results/performance/{{training}}.{name}", plan.trainings)
        for kind, name in {
            "tables": "csv",
            "headlines": "headline.json",
            "gains": "gains.csv",
            "spectra": "spectra.csv",
            "roc": "roc.csv",
            "slices": "slices.csv",
            "coverage": "coverage.csv",
            "verdicts": "gate.json",
        }.items()
    }
    trained = {
        kind: _of(f"results/{path}", plan.config.trainings)
        for kind, path in {
            "parity": "models/{training}/onnx/parity.json",
            "histories": "models/{training}/history.csv",
            "records": "models/{training}/training.json",
            "weights": "interpretation/{training}.weights.csv",
            "importance": "interpretation/{training}.importance.csv",
            "displays": "interpretation/{training}.displays.json",
        }.items()
    }
    calibrated = plan.calibrated_trainings
    return {
        **measured,
        "ledgers": plan.per_part("results/skim/{sample}/{part}.ledger.json"),
        "benchmarks": benchmarks(plan),
        **trained,
        "uncertainties": _of(
            "results/performance/{training}.uncertainties.csv", plan.varied_trainings
        ),
        "calibration": _of("results/calibration/{training}/tables.csv", calibrated),
        "closures": _of("results/calibration/{training}/closure.json", calibrated),
    }


def benchmarks(plan: Plan) -> list[str]:
    """Return the files in which Snakemake notes what the jobs of each stage needed."""
    # what is left out of the measurement is evaluated where something else needs it
    evaluated = list(dict.fromkeys([*plan.measured_samples, *plan.calibration_samples]))
    trainings = {
        "preprocess": plan.config.trainings,
        "train": plan.config.trainings,
        "export": plan.config.trainings,
        "interpret": plan.config.trainings,
        "uncertainty": plan.varied_trainings,
        "performance": plan.trainings,
        "calibrate": plan.calibrated_trainings,
        "closure": plan.calibrated_trainings,
    }
    parts = [
        *plan.per_part("skim/{sample}/{part}"),
        *plan.per_part("simulate/{sample}/{part}", plan.simulated_samples),
    ]
    parts += [
        f"sums/{name}"
        for name, sample in plan.config.samples.items()
        if isinstance(sample, FileSample) and sample.needs_sum
    ]
    for training in plan.trainings:
        parts += plan.per_part(f"evaluate/{training}/{{sample}}/nominal/{{part}}", evaluated)
    for training in plan.varied_trainings:
        parts += plan.per_part(f"vary/{training}/{{sample}}/{{part}}", plan.varied_samples)
    if plan.simulated_samples:
        parts += [f"simulate/minbias/{part}" for part in plan.minbias_parts]
    parts += [f"{stage}/{name}" for stage, names in trainings.items() for name in names]
    return [f"results/benchmarks/{part}.tsv" for part in parts]
