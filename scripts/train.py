"""Train: one network from its datasets."""

from __future__ import annotations

from pathlib import Path

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    build = parser("train.py", "Train one network; a stopped run goes on after its last epoch.")
    build.reads("--train", required=True, metavar="IN.parquet", help="training dataset")
    build.reads("--validation", required=True, metavar="IN.parquet", help="the other one")
    build.reads("--summary", required=True, metavar="IN.json", help="their summary")
    build.add_argument("--spec", required=True, metavar="JSON", help="its entry of `trainings`")
    build.add_argument("--settings", required=True, metavar="JSON", help="config section train")
    build.add_argument("--threads", required=True, type=int, metavar="N", help="threads to use")
    build.writes("--model", required=True, metavar="OUT.keras", help="network to write")
    build.writes("--history", required=True, metavar="OUT.csv", help="one row an epoch")
    build.writes("--record", required=True, metavar="OUT.json", help="how it was trained")
    build.writes("--checkpoints", required=True, metavar="DIR", help="of stopped runs")
    build.writes("--tensorboard", required=True, metavar="DIR", help="TensorBoard files")
    return build


def main(argv: list[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.learn.training.runtime import prepare

    prepare(args.threads)
    from ptmiss.core.settings.base import parse
    from ptmiss.learn.settings.train import TrainSettings
    from ptmiss.learn.training.train import Recipe, TrainInputs, TrainOutputs, train
    from ptmiss.tasks.met.learning import TASK

    train(
        TrainInputs(*map(Path, (args.train, args.validation, args.summary))),
        Recipe(
            TASK,
            parse(TASK.training_settings, args.spec, "trainings"),
            parse(TrainSettings, args.settings, "train"),
        ),
        TrainOutputs(
            *map(Path, (args.model, args.history, args.record)),
            *map(Path, (args.checkpoints, args.tensorboard)),
        ),
    )


if __name__ == "__main__":
    run(main)
