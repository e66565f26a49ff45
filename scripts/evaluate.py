"""Evaluate: pTmiss of every estimator for the events of a skim."""

from __future__ import annotations

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    build = parser("evaluate.py", "Compute pTmiss with every estimator for the events of a skim.")
    build.reads("--skim", required=True, metavar="IN.parquet", help="skim of a part")
    build.add_argument("--training", required=True, metavar="NAME", help="recorded in the output")
    build.add_argument("--variation", required=True, metavar="NAME", help="recorded in the output")
    build.add_argument("--settings", required=True, metavar="JSON", help="config section evaluate")
    build.writes("--estimates", required=True, metavar="OUT.parquet", help="file to write")
    build.reads("--model", metavar="IN.onnx", help="the training's model: adds deepmet")
    more = "adds another model with DeepMET's interface; may be repeated"
    build.reads("--external", action="append", default=[], metavar="NAME=ONNX", help=more)
    build.add_argument("--threads", type=int, default=1, metavar="N", help="threads of a network")
    build.writes("--weights", metavar="OUT.parquet", help="also write candidate weights")
    return build


def main(argv: list[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.core.settings.base import parse
    from ptmiss.tasks.met.estimators.evaluate import Models, evaluate, external_models
    from ptmiss.tasks.met.settings.evaluate import EvaluateSettings

    settings = parse(EvaluateSettings, args.settings, "evaluate")
    evaluate(
        skim=args.skim,
        training=args.training,
        variation=args.variation,
        settings=settings,
        estimates=args.estimates,
        models=Models(args.model, external_models(args.external, settings), args.threads),
        weights=args.weights,
    )


if __name__ == "__main__":
    run(main)
