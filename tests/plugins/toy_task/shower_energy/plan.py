"""Which files each stage of a run has."""

from __future__ import annotations

from ptmiss.core.workflow.inputs import expand
from ptmiss.core.workflow.plan import BasePlan, of_trainings
from ptmiss.events.parts import part_name
from shower_energy.settings import Config


class Plan(BasePlan[Config]):
    """One part a file."""

    def __init__(self, config: Config, repository: str) -> None:
        files = {
            name: {part_name(i): (path,) for i, path in enumerate(expand(sample.files))}
            for name, sample in config.samples.items()
        }
        super().__init__(config, files, files)

    @property
    def results(self) -> dict[str, list[str]]:
        """Kind -> files that the page is made of."""
        benchmarks = [
            *self.per_part("results/benchmarks/skim/{sample}/{part}.tsv"),
            *(
                path
                for stage in ("preprocess", "train", "export", "performance")
                for path in of_trainings(
                    f"results/benchmarks/{stage}/{{training}}.tsv", self.trainings
                )
            ),
        ]
        return {
            "tables": of_trainings("results/performance/{training}.csv", self.trainings),
            "records": of_trainings("results/models/{training}/training.json", self.trainings),
            "parity": of_trainings("results/models/{training}/onnx/parity.json", self.trainings),
            "benchmarks": benchmarks,
        }
