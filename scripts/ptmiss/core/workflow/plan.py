"""Which samples, trainings and files each stage of a run has: what rules ask of any task's plan.

Read again in every job of a cluster: nothing here imports numpy or what a stage does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from ptmiss.core.paths import is_remote
from ptmiss.core.settings.configuration import CLASSICAL, Configuration
from ptmiss.core.workflow.rules import Wildcards

SUMS = "results/sums/{sample}.json"
SKIM = "results/skim/{sample}/{part}.parquet"
ESTIMATES = "results/estimates/{training}/{sample}/{variation}/{part}.parquet"

C = TypeVar("C", bound=Configuration)
Files = Mapping[str, Mapping[str, Sequence[str]]]


class BasePlan(Generic[C]):
    """The plan of a run; a task's own is made of configuration and folder of the repository.

    Attributes
    ----------
    config : Configuration
    files : mapping of str to mapping of str to sequence of str
        Sample -> part -> addresses, of samples that are read from files.
    parts : dict of str to list of str
        Sample -> its parts, of all samples.
    trainings : list of str
        Names of the trainings; the classical estimators alone are one where there is none.
    """

    def __init__(self, config: C, files: Files, parts: Mapping[str, Iterable[str]]) -> None:
        self.config = config
        self.files = files
        self.parts = {name: list(several) for name, several in parts.items()}
        self.trainings = list(config.trainings) or [CLASSICAL]

    @property
    def targets(self) -> list[str]:
        """What the rule `all` wants, beside the page."""
        return []

    @property
    def results(self) -> dict[str, list[str]]:
        """Kind -> files that a run hands to its page: each task says which."""
        raise NotImplementedError

    def require_memory(self, limits: Mapping[str, str]) -> None:
        """Raise `UserError` where a stage needs more memory than its rule has.

        limits: stage -> MB as a profile or the command line gives it: `8000`, `attempt * 8000`.
        """

    def per_part(self, pattern: str, samples: Iterable[str] | None = None) -> list[str]:
        """Return a path pattern filled in for every part of the samples, by default of all."""
        return [
            pattern.format(sample=sample, part=part)
            for sample in (self.parts if samples is None else samples)
            for part in self.parts[sample]
        ]

    # simulation and skim

    @property
    def minbias_parts(self) -> list[str]:
        """The parts of the library of pile-up, for a task that simulates."""
        return []

    @property
    def libraries(self) -> list[str]:
        """Files that the simulation of every sample reads."""
        return []

    def process_files(self, wildcards: Wildcards) -> list[str]:
        """Return the files that say what is simulated in a sample.

        A task without the stage simulate has no rule that asks.
        """
        raise NotImplementedError

    def addresses(self, wildcards: Wildcards) -> Sequence[str]:
        """Return the input files of a part of a sample as the reader opens them."""
        if wildcards.sample in self.files:
            return self.files[wildcards.sample][wildcards.part]
        return [f"results/ntuples/{wildcards.sample}/{wildcards.part}.root"]

    def local_ntuples(self, wildcards: Wildcards) -> list[str]:
        """Return those of the addresses that Snakemake can watch: not the remote ones."""
        return [path for path in self.addresses(wildcards) if not is_remote(path)]

    def files_beside(self, wildcards: Wildcards) -> list[str]:
        """Return the files that the settings of a sample name beside those with events."""
        return list(getattr(self.config.samples[wildcards.sample], "files_beside", ()))

    def all_files(self, wildcards: Wildcards) -> list[str]:
        """Return the input files of all parts of a sample as the reader opens them."""
        return [path for paths in self.files[wildcards.sample].values() for path in paths]

    def local_files(self, wildcards: Wildcards) -> list[str]:
        """Return those of them that Snakemake can watch: not the remote ones."""
        return [path for path in self.all_files(wildcards) if not is_remote(path)]

    def sums(self, wildcards: Wildcards) -> list[str]:
        """Return the sum of weights that a sample's skim is normalised with or compared to."""
        needed = getattr(self.config.samples[wildcards.sample], "needs_sum", False)
        return [SUMS.format(sample=wildcards.sample)] if needed else []

    # trainings

    def training_skims(self, wildcards: Wildcards) -> list[str]:
        """Return the skims of all samples that a training learns from."""
        return self.per_part(SKIM, sorted(self.config.learnt_samples(wildcards.training)))

    def learnt_samples(self, wildcards: Wildcards) -> list[str]:
        """Return the samples that a training learned from, of those that are measured."""
        if wildcards.training not in self.config.trainings:
            return []
        learnt = self.config.learnt_samples(wildcards.training)
        return [name for name in self.measured_samples if name in learnt]

    def model(self, wildcards: Wildcards) -> list[str]:
        """Return the exported network of a training; none for the classical estimators alone."""
        if wildcards.training == CLASSICAL:
            return []
        return [f"results/models/{wildcards.training}/onnx/model.onnx"]

    @property
    def external_models(self) -> dict[str, str]:
        """Name -> ONNX file of the models of others."""
        return {}

    # estimates

    @property
    def measured_samples(self) -> list[str]:
        """The samples that the stage performance measures."""
        return list(self.parts)

    def measured_estimates(self, wildcards: Wildcards) -> list[str]:
        """Return the nominal estimates of the measured samples."""
        return self.estimates(wildcards, self.measured_samples, ["nominal"])

    def estimates(
        self, wildcards: Wildcards, samples: Iterable[str], variations: Iterable[str]
    ) -> list[str]:
        """Return the estimates of a training in these samples and variations."""
        return [
            ESTIMATES.format(
                training=wildcards.training, sample=sample, variation=variation, part=part
            )
            for variation in variations
            for sample in samples
            for part in self.parts[sample]
        ]


def of_trainings(pattern: str, trainings: Iterable[str]) -> list[str]:
    """Return a path pattern filled in for each training."""
    return [pattern.format(training=training) for training in trainings]
