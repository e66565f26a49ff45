"""What this task declares."""

from __future__ import annotations

from pathlib import Path

from ptmiss.tasks.base import Reference, Task

TASK = Task(
    name="shower_energy",
    title="energy of a shower",
    row="shower",
    constituents="",
    configuration=Reference("shower_energy.settings:Config"),
    learning=Reference("shower_energy.learning:TASK"),
    baselines=Reference("shower_energy.words:BASELINES"),
    quantities=Reference("shower_energy.words:QUANTITIES"),
    axes=Reference("shower_energy.words:AXES"),
    shared_stages=("preprocess", "train", "export"),
    sections={},
    stages=Reference("shower_energy.stages:STAGES"),
    plan=Reference("shower_energy.plan:Plan"),
    defaults=Path(__file__).with_name("defaults.yaml"),
)
