"""The task `met`: missing transverse momentum of an event, from all of its candidates."""

from __future__ import annotations

from ptmiss.tasks.base import Reference, Task

TASK = Task(
    name="met",
    title="missing transverse momentum",
    row="event",
    constituents="cand",
    configuration=Reference("ptmiss.tasks.met.settings.config:Config"),
    learning=Reference("ptmiss.tasks.met.learning:TASK"),
    baselines=Reference("ptmiss.tasks.met.settings.evaluate:CLASSICAL"),
    quantities=Reference("ptmiss.tasks.met.report.plots.quantities:QUANTITIES"),
    shared_stages=("minbias", "simulate", "sums", "skim", "preprocess", "train", "export"),
    sections={
        "trainings": "ptmiss.tasks.met.settings.learning:Training",
        "preprocess": "ptmiss.tasks.met.settings.learning:PreprocessSettings",
    },
    stages=Reference("ptmiss.tasks.met.stages:STAGES"),
    plan=Reference("ptmiss.tasks.met.workflow.results:Run"),
    axes=Reference("ptmiss.tasks.met.report.plots.quantities:AXES"),
)
