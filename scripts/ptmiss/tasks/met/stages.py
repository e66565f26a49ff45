"""The stages of missing momentum, beside those that all tasks share."""

from __future__ import annotations

from ptmiss.core.workflow.stage import Stage, number, reads, section, text, threads, writes

_SETTINGS = "ptmiss.tasks.met.settings"
# a stage that measures takes all folds where nothing was trained
_MEASURED_FOLDS = section(
    "folds",
    "measured_folds",
    "ptmiss.events.settings.folds:FoldSettings",
    "section folds of the configuration; of simulation the test folds are used",
)
_EVALUATE = f"{_SETTINGS}.evaluate:EvaluateSettings"
_PERFORMANCE = f"{_SETTINGS}.performance:PerformanceSettings"
_CALIBRATION = f"{_SETTINGS}.calibration:CalibrationSettings"
_ESTIMATES = reads("estimates", "estimates of one training, Parquet", many=True)
_NETWORKS = (
    reads("model", "the training's model, adds deepmet, ONNX", required=False),
    reads(
        "external",
        "other models with DeepMET's interface",
        many=True,
        required=False,
        metavar="NAME=FILE",
        place="params.external",
    ),
    threads("threads of a network"),
)

EVALUATE = Stage(
    "evaluate",
    "Compute pTmiss with every estimator for the events of a skim",
    "ptmiss.tasks.met.estimators.stage:evaluate_skim",
    (
        reads("skim", "skim of a part, Parquet"),
        text("training", "name that the output records"),
        text("variation", "name that the output records"),
        section("settings", "evaluate", _EVALUATE),
        *_NETWORKS,
        writes("estimates", "estimates to write, Parquet"),
        writes("weights", "weights of candidates to write, Parquet", required=False, place=""),
    ),
)
VARY = Stage(
    "vary",
    "Move the candidates of a skim by each systematic variation and run all estimators again",
    "ptmiss.tasks.met.variations.stage:vary_skim",
    (
        reads("skim", "skim of a part, Parquet"),
        text("training", "name that the output records"),
        text("variations", "their names, such as jes_up", many=True),
        section("settings", "vary", f"{_SETTINGS}.vary:VarySettings"),
        section("evaluate", "evaluate", _EVALUATE),
        _MEASURED_FOLDS,
        *_NETWORKS,
        writes("estimates", "a file to write for each variation, Parquet", many=True),
    ),
)
PERFORMANCE = Stage(
    "performance",
    "Measure response and resolution, in GeV, with bootstrap intervals",
    "ptmiss.tasks.met.performance.run:performance",
    (
        _ESTIMATES,
        _MEASURED_FOLDS,
        section("settings", "performance", _PERFORMANCE),
        text(
            "learnt",
            "samples that the training learned from: these rescale its recoil, deepmet_rescaled",
            many=True,
            required=False,
            place="params.learnt",
        ),
        writes("table", "tidy table to write, CSV"),
        writes("gains", "gains and shares of the limit to write, CSV"),
        writes("spectra", "pTmiss and transverse mass to write, CSV"),
        writes("roc", "efficiencies of |pTmiss| > threshold, CSV"),
        writes("slices", "tidy table of the slices to write, CSV"),
        writes("coverage", "how often errors are within what is predicted, to write, CSV"),
        writes("headline", "gains with 95% intervals to write, JSON"),
    ),
)
UNCERTAINTY = Stage(
    "uncertainty",
    "Compare varied with nominal estimates; sum sources in quadrature",
    "ptmiss.tasks.met.uncertainty.run:uncertainty",
    (
        reads("estimates", "nominal and varied estimates of one training, Parquet", many=True),
        reads("measured", "table of the stage performance, with statistical intervals, CSV"),
        _MEASURED_FOLDS,
        section("performance", "performance", _PERFORMANCE),
        section("settings", "uncertainty", f"{_SETTINGS}.uncertainty:UncertaintySettings"),
        writes("table", "shifts to write, GeV, CSV"),
    ),
)
INTERPRET = Stage(
    "interpret",
    "Show a network's weights, the importance of its features, and single events",
    "ptmiss.tasks.met.interpretation.run:interpret_skims",
    (
        reads("skims", "skims of the samples to look at, Parquet", many=True),
        reads("model", "the training's network, ONNX"),
        section("folds", "folds", "ptmiss.events.settings.folds:FoldSettings"),
        section("performance", "performance", _PERFORMANCE),
        section("settings", "interpret", f"{_SETTINGS}.interpret:InterpretSettings"),
        threads("threads of the network"),
        writes("weights", "mean weights in bins to write, CSV"),
        writes("importance", "relative loss of each feature to write, CSV"),
        writes("displays", "single events to write, GeV, JSON"),
    ),
)
CALIBRATE = Stage(
    "calibrate",
    "Derive xy, response and quantile corrections of pTmiss in Z to mumu events, in GeV",
    "ptmiss.tasks.met.calibration.run:calibrate",
    (
        _ESTIMATES,
        _MEASURED_FOLDS,
        section("settings", "calibration", _CALIBRATION),
        writes("corrections", "correctionlib document to write, JSON.GZ"),
        writes("met_xy", "xy corrections in the layouts of CMS, JSON.GZ"),
        writes("recoil", "folder of the recoil corrections, ESTIMATOR.json.gz each"),
        writes("fits", "fits and replicas for the stage closure, NPZ"),
        writes("table", "all numbers of the figures, CSV"),
        writes("hepdata", "the same as a HEPData submission, TAR.GZ"),
        writes("histograms", "the same as histograms, ROOT", required=False),
    ),
)
CLOSURE = Stage(
    "closure",
    "Judge the corrections of a training on the half of the events they were not derived from",
    "ptmiss.tasks.met.closure.run:closure",
    (
        _ESTIMATES,
        reads("corrections", "correctionlib document, JSON.GZ"),
        reads("fits", "fits and replicas of the stage calibrate, NPZ"),
        _MEASURED_FOLDS,
        section("settings", "calibration", _CALIBRATION),
        writes("verdict", "tests with value and limit to write, JSON"),
    ),
)
GATE = Stage(
    "gate",
    "Judge whether a training's network estimates missing momentum or has learnt to shrink",
    "ptmiss.tasks.met.gate:gate",
    (
        reads("headline", "headline numbers of the training, JSON"),
        section("settings", "gate", f"{_SETTINGS}.gate:GateSettings"),
        writes("verdict", "tests with value and limits to write, JSON"),
    ),
)
REPORT = Stage(
    "report",
    "Render the page and the machine-readable summary from the tables of a run",
    "ptmiss.tasks.met.report.stage:report",
    (
        reads(
            "results",
            "what the run has made, by kind: tables, headlines, ledgers, benchmarks and what"
            " ptmiss.tasks.met.report.figures.Inputs lists besides",
            many=True,
            metavar="NAME=FILE",
            place="params.results",
        ),
        section("config", "*", f"{_SETTINGS}.config:Config", "the whole configuration"),
        text("revision", "of the source, such as a git commit", required=False, default=""),
        text("stages", "names in the order of the page", many=True, required=False),
        threads("processes that draw figures"),
        writes("report", "page to write, HTML"),
        writes("overview", "first figure to write alone, PNG"),
        writes("summary", "headline numbers to write, JSON"),
    ),
)
ACCEPT = Stage(
    "accept",
    "End the run with an error if a gate or a closure refused something; the page shows it by then",
    "ptmiss.tasks.met.accept:accept",
    (
        reads("gates", "verdicts of the gates, JSON", many=True),
        reads("closures", "verdicts of the closures, JSON", many=True, required=False),
        section("settings", "gate", f"{_SETTINGS}.gate:GateSettings"),
        section("calibration", "calibration", _CALIBRATION),
        writes("accepted", "all verdicts of the gates, written if nothing is refused, JSON"),
        writes("confirmed", "the same of the closures, JSON", required=False),
    ),
    environment="gate",
)
IMPORT_GRAPH = Stage(
    "import_graph",
    "Convert a frozen TensorFlow graph, such as CMSSW's DeepMET, to ONNX to compare with",
    "ptmiss.tasks.met.estimators.import_graph:import_graph",
    (
        reads("graph", "frozen graph (GraphDef), PB"),
        writes("onnx", "file to write, ONNX"),
        number("slots", "candidate slots the graph was made for", required=False, default=4500),
        text("output", "output node, where it is not clear", required=False),
        threads("threads to use"),
    ),
    environment="export",
    prepare="ptmiss.learn.training.runtime:prepare",
    in_workflow=False,
)

STAGES = {
    stage.name: stage
    for stage in (
        IMPORT_GRAPH,
        EVALUATE,
        VARY,
        PERFORMANCE,
        UNCERTAINTY,
        INTERPRET,
        CALIBRATE,
        CLOSURE,
        GATE,
        REPORT,
        ACCEPT,
    )
}
"""Name -> stage, in the order of the page."""
