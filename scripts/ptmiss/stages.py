"""The stages of a run: those that all tasks share, and those of its task."""

from __future__ import annotations

from ptmiss.core.workflow.stage import Stage, number, reads, section, text, threads, writes
from ptmiss.tasks import registry

DEFAULT_TASK = "met"

_SIMULATE = section("settings", "simulate", "ptmiss.simulation.settings:SimulateSettings")
_FOLDS = section("folds", "folds", "ptmiss.events.settings.folds:FoldSettings")
_TRAINING = section("spec", "trainings.{training}", "ptmiss.learn.settings.trainings:Training")
_TENSORFLOW = "ptmiss.learn.training.runtime:prepare"

MINBIAS = Stage(
    "minbias",
    "Generate a part of the library of minimum-bias collisions that serve as pile-up",
    "ptmiss.simulation.minbias:minbias",
    (
        number("part", "which part to generate, from 0"),
        number("parts", "number of parts of the library"),
        _SIMULATE,
        writes("library", "collisions to write, Parquet"),
    ),
    environment="simulate",
)
SIMULATE = Stage(
    "simulate",
    "Simulate a part of a sample: Pythia 8, pile-up, detector, ntuple",
    "ptmiss.simulation.simulate:simulate",
    (
        text("sample", "name of the sample"),
        number("part", "which part to simulate, from 0"),
        section("spec", "samples.{sample}", "ptmiss.events.settings.samples:SimulatedSample"),
        _SIMULATE,
        reads("process", "process card, YAML", place="input.process[0]"),
        reads("library", "library of pile-up, Parquet", many=True),
        writes("ntuple", "ntuple to write, ROOT"),
    ),
)
SKIM = Stage(
    "skim",
    "Turn ntuples of any supported format into one Parquet file and its ledger",
    "ptmiss.events.skim.stream:skim",
    (
        reads("ntuples", "files of this part, or addresses", many=True, place="params.addresses"),
        text("sample", "name of the sample"),
        text("part", "name of this part of the sample"),
        section("spec", "samples.{sample}", "ptmiss.events.settings.samples:AnySample"),
        section("settings", "skim", "ptmiss.events.settings.skim:SkimSettings"),
        reads("sums", "sum of the weights of the sample, JSON", required=False),
        writes("events", "events to write, a row each, Parquet"),
        writes("ledger", "what became of each event, JSON"),
    ),
    loads=("aiohttp", "fsspec-xrootd", "xrootd"),  # uproot does, for addresses
)
SUMS = Stage(
    "sums",
    "Add up the generator weights that the files of a sample say in their trees Runs",
    "ptmiss.events.skim.sums:sums",
    (
        reads("ntuples", "all files of the sample", many=True, place="params.addresses"),
        text("sample", "name of the sample"),
        section("spec", "samples.{sample}", "ptmiss.events.settings.samples:AnySample"),
        section("settings", "skim", "ptmiss.events.settings.skim:SkimSettings"),
        writes("sums", "the sum of the weights of all generated events to write, JSON"),
    ),
    environment="skim",
)
PREPROCESS = Stage(
    "preprocess",
    "Mix, split and shuffle skims into the training and validation datasets of one network",
    "ptmiss.learn.data.preprocess:preprocess",
    (
        reads("skims", "all parts of all samples of the training", many=True),
        text("training", "name of the training"),
        _TRAINING,
        _FOLDS,
        section("settings", "preprocess", "ptmiss.learn.settings.preprocess:PreprocessSettings"),
        writes("train", "training dataset to write, Parquet"),
        writes("validation", "validation dataset to write, Parquet"),
        writes("summary", "counts, weights and hashes to write, JSON"),
    ),
    learns=True,
)
TRAIN = Stage(
    "train",
    "Train one network; a stopped run goes on after its last epoch",
    "ptmiss.learn.training.train:train",
    (
        reads("train", "training dataset, Parquet"),
        reads("validation", "validation dataset, Parquet"),
        reads("summary", "their summary, JSON"),
        text("training", "name of the training"),
        _TRAINING,
        section("settings", "train", "ptmiss.learn.settings.train:TrainSettings"),
        threads("threads to use"),
        writes("model", "network to write, Keras"),
        writes("history", "one row an epoch, CSV"),
        writes("record", "how it was trained, JSON"),
        writes("checkpoints", "folder of the states of stopped runs", place="params.checkpoints"),
        writes("tensorboard", "folder of TensorBoard files", place="params.tensorboard"),
    ),
    prepare=_TENSORFLOW,
    learns=True,
    packages="TensorFlow; for a GPU replace tensorflow-cpu by tensorflow[and-cuda]",
)
EXPORT = Stage(
    "export",
    "Write a network as ONNX, if it gives the same numbers there, and the files of a server",
    "ptmiss.learn.export:export",
    (
        reads("model", "trained network, Keras"),
        reads("record", "record of its training, JSON"),
        reads("dataset", "events for parity, Parquet"),
        section("settings", "export", "ptmiss.learn.settings.export:ExportSettings"),
        threads("threads to use"),
        writes("onnx", "network to write, ONNX"),
        writes("triton", "configuration of a Triton server, PBTXT"),
        writes("parity", "differences in GeV, JSON"),
    ),
    prepare=_TENSORFLOW,
    learns=True,
)
SHARED = {stage.name: stage for stage in (MINBIAS, SIMULATE, SUMS, SKIM, PREPROCESS, TRAIN, EXPORT)}


def stages_of(task: str = DEFAULT_TASK) -> dict[str, Stage]:
    """Return name -> stage of a task: the shared ones that it has, then its own.

    Raises `UserError` for a task that is not there.
    """
    declared = registry.task(task)
    shared = {
        name: SHARED[name].of_task(declared.learning.place, declared.sections)
        for name in declared.shared_stages
    }
    return shared | dict(declared.stages())
