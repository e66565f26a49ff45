"""From skims to the training and validation datasets of one network."""

from __future__ import annotations

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    args = parser("preprocess.py", __doc__)
    args.reads("--skims", nargs="+", required=True, help="all parts of all samples of the training")
    args.add_argument("--training", required=True, help="name of the training")
    args.add_argument("--spec", required=True, help="the training's entry of `trainings`, JSON")
    args.add_argument("--folds", required=True, help="section `folds`, JSON")
    args.add_argument("--settings", required=True, help="section `preprocess`, JSON")
    args.writes("--train", required=True, help="training dataset to write (Parquet)")
    args.writes("--validation", required=True, help="validation dataset to write (Parquet)")
    args.writes("--summary", required=True, help="counts, weights and hashes to write, JSON")
    return args


def main(argv: list[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.core.settings.base import parse
    from ptmiss.events.settings.folds import FoldSettings
    from ptmiss.learn.data.preprocess import Recipe, preprocess
    from ptmiss.tasks.met.learning import TASK

    preprocess(
        args.skims,
        Recipe(
            TASK,
            args.training,
            parse(TASK.training_settings, args.spec, f"trainings.{args.training}"),
            parse(FoldSettings, args.folds, "folds"),
            parse(TASK.preprocess_settings, args.settings, "preprocess"),
        ),
        {"train": args.train, "validation": args.validation},
        args.summary,
    )


if __name__ == "__main__":
    run(main)
