"""Vary: pTmiss of every estimator with the candidates moved by systematic uncertainties."""

from __future__ import annotations

from collections.abc import Sequence

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    """Return the command line of the stage."""
    p = parser("vary", "Move the candidates of a skim by each variation; run all estimators again.")
    p.reads("--skim", required=True, metavar="IN.parquet", help="skim of a part")
    p.add_argument("--training", required=True, metavar="NAME", help="recorded in the output")
    p.add_argument("--variations", required=True, nargs="+", metavar="NAME", help="e.g. jes_up")
    p.add_argument("--settings", required=True, metavar="JSON", help="config section vary")
    p.add_argument("--estimators", required=True, metavar="JSON", help="config section evaluate")
    p.add_argument("--folds", required=True, metavar="JSON", help="config section folds")
    out = "files to write, one for each variation"
    p.writes("--estimates", required=True, nargs="+", metavar="OUT.parquet", help=out)
    p.reads("--model", metavar="IN.onnx", help="the training's model: adds deepmet")
    more = "adds another model with DeepMET's interface; may be repeated"
    p.reads("--external", action="append", default=[], metavar="NAME=ONNX", help=more)
    p.add_argument("--threads", type=int, default=1, metavar="N", help="threads of a network")
    return p


def main(argv: Sequence[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.core.settings.base import parse
    from ptmiss.events.settings.folds import FoldSettings
    from ptmiss.tasks.met.estimators.evaluate import Models, external_models
    from ptmiss.tasks.met.settings.evaluate import EvaluateSettings
    from ptmiss.tasks.met.settings.vary import VarySettings
    from ptmiss.tasks.met.variations.names import paired
    from ptmiss.tasks.met.variations.run import vary

    estimators = parse(EvaluateSettings, args.estimators, "evaluate")
    vary(
        skim=args.skim,
        training=args.training,
        estimates=paired(args.variations, args.estimates),
        settings=parse(VarySettings, args.settings, "vary"),
        estimators=estimators,
        folds=parse(FoldSettings, args.folds, "folds"),
        models=Models(args.model, external_models(args.external, estimators), args.threads),
    )


if __name__ == "__main__":
    run(main)
