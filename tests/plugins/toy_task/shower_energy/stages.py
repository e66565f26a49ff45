"""The stages that are this task's own."""

from __future__ import annotations

from ptmiss.core.workflow.stage import Stage, reads, section, text, threads, writes

SKIM = Stage(
    "skim",
    "Turn CSV of showers into a Parquet file with folds and weights, and its ledger",
    "shower_energy.skim:skim",
    (
        reads("ntuples", "CSV files of this part", many=True, place="params.addresses"),
        text("sample", "name of the sample"),
        text("part", "name of this part of the sample"),
        section("spec", "samples.{sample}", "shower_energy.settings:Sample"),
        writes("events", "showers to write, Parquet"),
        writes("ledger", "how many there are, JSON"),
    ),
)
EVALUATE = Stage(
    "evaluate",
    "Estimate the energy of every shower of a part",
    "shower_energy.evaluate:evaluate",
    (
        reads("skim", "showers, Parquet"),
        text("training", "name of the training"),
        reads("model", "its network, ONNX"),
        threads("threads of the network"),
        writes("estimates", "estimates to write, GeV, Parquet"),
    ),
)
PERFORMANCE = Stage(
    "performance",
    "Measure bias and resolution of every estimator in the test folds",
    "shower_energy.measure:performance",
    (
        reads("estimates", "estimates of one training, Parquet", many=True),
        section("folds", "folds", "ptmiss.events.settings.folds:FoldSettings"),
        section("settings", "performance", "shower_energy.settings:PerformanceSettings"),
        writes("table", "tidy table to write, CSV"),
    ),
)
REPORT = Stage(
    "report",
    "Render the page and its summary",
    "shower_energy.report:report",
    (
        reads(
            "results",
            "tables, records, parity and benchmarks",
            many=True,
            metavar="NAME=FILE",
            place="params.results",
        ),
        section("config", "*", "shower_energy.settings:Config"),
        text("revision", "of the source", required=False, default=""),
        threads("processes that draw figures"),
        writes("report", "page to write, HTML"),
        writes("summary", "numbers to write, JSON"),
    ),
)

STAGES = {stage.name: stage for stage in (SKIM, EVALUATE, PERFORMANCE, REPORT)}
