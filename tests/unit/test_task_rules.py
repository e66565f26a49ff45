"""Which rules a task has, and what they write: its own beside those that all tasks know."""

from __future__ import annotations

import pytest

from ptmiss.core.settings.configuration import Configuration
from ptmiss.core.workflow.rules import Rules
from ptmiss.core.workflow.stage import Stage, reads, writes
from ptmiss.stages import SHARED, stages_of

SCAN = Stage("scan", "Scan", "x.y:scan", (reads("table", "table"), writes("choice", "choice")))
MEASURE = Stage(
    "performance",
    "Measure",
    "x.y:measure",
    (
        writes("table", "table"),
        writes("turn_on", "another", path="results/performance/{training}.turn_on.csv"),
    ),
)


@pytest.fixture
def rules(tmp_path):
    config = Configuration.model_construct(task="toy")
    stages = {stage.name: stage for stage in (SCAN, MEASURE)}
    return Rules(stages, config, str(tmp_path), "toy")


def test_only_rules_of_its_stages_are_taken_and_its_own_folder_comes_last(rules, tmp_path):
    ours, theirs = tmp_path / "workflow/rules", tmp_path / "own"
    for folder, names in ((ours, ("performance", "train")), (theirs, ("scan", "performance"))):
        folder.mkdir(parents=True)
        for name in names:
            (folder / f"{name}.smk").touch()
    assert rules.files(ours, theirs) == [str(theirs / "scan.smk"), str(ours / "performance.smk")]


def test_a_rule_writes_what_the_stage_declares(rules):
    paths = {"table": "t.csv", "gains": "g.csv"}
    assert rules.outputs("performance", **paths) == {
        "table": "t.csv",
        "turn_on": "results/performance/{training}.turn_on.csv",
    }


def test_the_shell_line_says_the_task(rules):
    line = rules.command("scan")
    assert line.startswith("python {input.script:q} --task toy --table {input.table:q} --choice")
    with pytest.raises(ValueError, match=r"stage scan: no flags \['closures'\]"):
        rules.command("scan", closures="x")


def test_a_shared_stage_reads_the_classes_of_the_task():
    stage = SHARED["preprocess"].of_task("toy.learning:TASK", {"trainings": "toy.settings:Net"})
    classes = {flag.name: flag.settings for flag in stage.flags if flag.kind == "section"}
    assert classes["spec"] == "toy.settings:Net"
    assert classes["folds"] == "ptmiss.events.settings.folds:FoldSettings"
    assert "toy.settings" in stage.modules()
    assert stage.contract() != SHARED["preprocess"].contract()


def test_missing_momentum_has_every_shared_stage():
    assert set(SHARED) <= set(stages_of("met"))
