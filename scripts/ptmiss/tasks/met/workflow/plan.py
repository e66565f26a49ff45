"""Which samples, trainings and files each stage of a run of missing momentum has.

Read again in every job of a cluster: nothing here imports what a stage does, or numba.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ptmiss.core.errors import UserError
from ptmiss.core.paths import is_remote
from ptmiss.core.workflow.inputs import require_file
from ptmiss.core.workflow.plan import SKIM, BasePlan
from ptmiss.core.workflow.rules import Wildcards
from ptmiss.events.parts import file_parts, n_simulated_parts, part_name
from ptmiss.events.settings.samples import FileSample, SimulatedSample
from ptmiss.simulation.cards import load_card, parts_of_slices
from ptmiss.tasks.met.settings.apply import SUFFIX
from ptmiss.tasks.met.settings.config import NETWORK, Config
from ptmiss.tasks.met.settings.interpret import chosen_samples
from ptmiss.tasks.met.settings.vary import chosen
from ptmiss.tasks.met.variations.names import VARIATIONS
from ptmiss.tasks.met.workflow.memory import RULE_MB, require_memory


class Plan(BasePlan[Config]):
    """The plan of a run, with what simulation, variations, interpretation and calibration read.

    Raises
    ------
    UserError
        For files that are not there, process cards that cannot be used, and samples that do not go
        together.
    """

    def __init__(self, config: Config, repository: str) -> None:
        self._processes = Path(os.path.relpath(repository), "resources/processes")
        files: dict[str, Mapping[str, Sequence[str]]] = {}
        parts: dict[str, Iterable[str]] = {}
        for name, sample in config.samples.items():
            if isinstance(sample, SimulatedSample):
                parts[name] = self._simulated_parts(sample, config.simulate.events_per_part)
            else:
                parts[name] = files[name] = file_parts(sample)
            for path in sample.files_beside:
                require_file(path, f"samples.{name}")
        if config.apply.samples and config.apply.corrections is not None:
            require_file(config.apply.corrections, "apply.corrections")
        super().__init__(config, files, parts)
        if not self.measured_samples:
            raise UserError(
                "performance.leave_out names every sample, so there is nothing to measure; take one"
                " out"
            )

    def require_memory(self, limits: Mapping[str, str]) -> None:
        """Raise `UserError` where the histograms do not fit into the memory of the rule."""
        require_memory(self.config, bool(self.files), limits.get("performance", RULE_MB))

    def _simulated_parts(self, sample: SimulatedSample, size: int) -> list[str]:
        n_parts = n_simulated_parts(sample, size)
        card = load_card(self._processes / f"{sample.process}.yaml")
        parts_of_slices(card, n_parts, size)  # refuses a card that needs more parts
        return [part_name(i) for i in range(n_parts)]

    # simulation and skim

    @property
    def minbias_parts(self) -> list[str]:
        """The parts of the library of pile-up."""
        return [part_name(i) for i in range(self.config.simulate.minbias.parts)]

    @property
    def libraries(self) -> list[str]:
        """The files of the library of pile-up."""
        return [f"results/minbias/{part}.parquet" for part in self.minbias_parts]

    @property
    def simulated_samples(self) -> list[str]:
        """The samples that this workflow generates."""
        return [name for name in self.parts if name not in self.files]

    def process_files(self, wildcards: Wildcards) -> list[str]:
        """Return the card of a sample's process and, where there is one, its particle table."""
        sample = self.config.samples[wildcards.sample]
        assert isinstance(sample, SimulatedSample)
        stem = self._processes / sample.process
        return [
            str(stem.with_suffix(s)) for s in (".yaml", ".slha") if stem.with_suffix(s).is_file()
        ]

    def interpreted_skims(self, wildcards: Wildcards) -> list[str]:
        """Return the skims of the samples that a training is looked at in."""
        learnt = list(self.config.trainings[wildcards.training].samples)
        shown = [name for name in self.parts if name not in self.config.without_candidates]
        return self.per_part(SKIM, chosen_samples(self.config.interpret, learnt, shown))

    @property
    def external_models(self) -> dict[str, str]:
        """Name -> ONNX file of the models of others."""
        return self.config.evaluate.external_paths()

    # estimates

    @property
    def measured_samples(self) -> list[str]:
        """The samples that the stage performance measures."""
        left_out = self.config.performance.leave_out
        return [name for name in super().measured_samples if name not in left_out]

    @functools.cached_property
    def uncertain_samples(self) -> list[str]:
        """The samples with systematic uncertainties: of those that are no data."""
        no_data = [
            name
            for name, sample in self.config.samples.items()
            if isinstance(sample, SimulatedSample) or not sample.is_data
        ]
        return chosen(self.config.vary.samples, no_data)

    @property
    def varied_samples(self) -> list[str]:
        """Those of them whose candidates are moved; the others have variations in their files."""
        without = self.config.without_candidates
        return [name for name in self.uncertain_samples if name not in without]

    @functools.cached_property
    def varied_trainings(self) -> list[str]:
        """The trainings with systematic uncertainties."""
        if not self.uncertain_samples:
            return []
        return chosen(self.config.vary.trainings, self.trainings)

    def compared_estimates(self, wildcards: Wildcards) -> list[str]:
        """Return nominal and varied estimates of the samples that are varied."""
        return [
            *self.estimates(wildcards, self.uncertain_samples, ["nominal"]),
            *self.estimates(wildcards, self.varied_samples, VARIATIONS),
        ]

    @functools.cached_property
    def calibration_samples(self) -> list[str]:
        """The samples that the calibration reads; none where data or simulation are not there.

        Raises `UserError` for samples of different energies: the stage compares what the files say
        too, but that may be hours later.
        """
        calibration = self.config.calibration
        needed = (calibration.data, calibration.simulation)
        if any(name not in self.parts for name in needed):
            return []
        pairs = [name for pair in calibration.apply.items() for name in pair]
        samples = list(dict.fromkeys([*needed, *calibration.backgrounds, *pairs]))
        energies = {
            name: sample.sqrt_s
            for name, sample in ((name, self.config.samples[name]) for name in samples)
            if isinstance(sample, FileSample) and sample.sqrt_s is not None
        }
        for name, sqrt_s in energies.items():
            first = next(iter(energies))
            if sqrt_s != energies[first]:
                raise UserError(
                    f"calibration: sample {name} is of sqrt(s) = {sqrt_s:g} TeV, {first} of"
                    f" {energies[first]:g} TeV; calibrate samples of one energy together"
                )
        return samples

    @property
    def calibrated_trainings(self) -> list[str]:
        """The trainings that are calibrated."""
        return self.trainings if self.calibration_samples else []

    def calibrated_estimates(self, wildcards: Wildcards) -> list[str]:
        """Return the nominal estimates of the samples of the calibration.

        Raises `UserError` where there is nothing to calibrate.
        """
        calibration = self.config.calibration
        if not self.calibration_samples:
            raise UserError(
                f"no calibration: it needs the samples {calibration.data!r} and"
                f" {calibration.simulation!r} (calibration.data, calibration.simulation), found"
                f" {', '.join(self.parts)}"
            )
        return self.estimates(wildcards, self.calibration_samples, ["nominal"])

    # friend trees

    @functools.cached_property
    def _friends(self) -> dict[str, dict[str, str]]:
        """Sample -> number of a file -> its address: friends are of files, not of parts."""
        files: dict[str, dict[str, str]] = {}
        for name in self.config.apply.samples:
            if name in self.files:
                addresses = [one for part in self.files[name].values() for one in part]
                files[name] = {part_name(i): address for i, address in enumerate(addresses)}
            else:
                files[name] = {p: f"results/ntuples/{name}/{p}.root" for p in self.parts[name]}
        return files

    @property
    def friend(self) -> str:
        """The friend tree of a file, with its wildcards."""
        suffix = SUFFIX[self.config.apply.format]
        return f"results/friends/{{training}}/{{sample}}/{{part}}.{suffix}"

    def friends(self, wildcards: Wildcards | None = None) -> list[str]:  # noqa: ARG002
        """Return all friend trees; raises `UserError` where the configuration asks for none."""
        if not self._friends:
            raise UserError(
                "apply.samples is empty, so there are no friend trees; name the samples whose files"
                " get one"
            )
        trainings = self.config.apply.trainings or self.trainings
        return [
            self.friend.format(training=training, sample=sample, part=part)
            for training in trainings
            for sample, files in self._friends.items()
            for part in files
        ]

    def friend_input(self, wildcards: Wildcards) -> str:
        """Return the address of the file that a friend is made for."""
        try:
            return self._friends[wildcards.sample][wildcards.part]
        except KeyError:
            raise UserError(
                f"no friend of file {wildcards.part} of {wildcards.sample}: apply.samples are"
                f" {', '.join(self._friends) or 'none'}, and files are counted from 0000"
            ) from None

    def local_friend_input(self, wildcards: Wildcards) -> list[str]:
        """Return the file if Snakemake can watch it: not an address."""
        address = self.friend_input(wildcards)
        return [] if is_remote(address) else [address]

    def friend_corrections(self, wildcards: Wildcards) -> str:
        """Return the corrections that a friend is made with."""
        own = f"results/calibration/{wildcards.training}/corrections.json.gz"
        return self.config.apply.corrections or own

    def friend_model(self, wildcards: Wildcards) -> list[str]:
        """Return the network of a training where a friend may need it."""
        wanted = self.config.apply.estimators
        needless = wildcards.sample in self.config.without_candidates or (
            wanted and NETWORK not in wanted
        )
        return [] if needless else self.model(wildcards)
