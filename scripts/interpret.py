"""Interpret: what a network does with the candidates, in tables and single events."""

from __future__ import annotations

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    p = parser("interpret.py", "Show a network's weights, importance of features and events.")
    p.reads("--skims", required=True, nargs="+", metavar="IN.parquet", help="of samples")
    p.reads("--model", required=True, metavar="IN.onnx", help="the training's network")
    p.add_argument("--folds", required=True, metavar="JSON", help="section folds; test is used")
    bootstrap = "section performance: its bootstrap and limits are used"
    p.add_argument("--performance", required=True, metavar="JSON", help=bootstrap)
    p.add_argument("--settings", required=True, metavar="JSON", help="section interpret")
    p.add_argument("--threads", required=True, type=int, metavar="N", help="threads of the network")
    p.writes("--weights", required=True, metavar="OUT.csv", help="mean weights in bins")
    p.writes("--importance", required=True, metavar="OUT.csv", help="relative loss of each")
    p.writes("--displays", required=True, metavar="OUT.json", help="single events, GeV")
    return p


def main(argv: list[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.core.settings.base import parse
    from ptmiss.events.settings.folds import FoldSettings
    from ptmiss.learn.onnx import file as onnx_file
    from ptmiss.tasks.met.interpretation.run import Outputs, Settings, interpret
    from ptmiss.tasks.met.settings.interpret import InterpretSettings
    from ptmiss.tasks.met.settings.performance import PerformanceSettings

    settings = Settings(
        folds=parse(FoldSettings, args.folds, "folds"),
        performance=parse(PerformanceSettings, args.performance, "performance"),
        interpret=parse(InterpretSettings, args.settings, "interpret"),
    )
    outputs = Outputs(args.weights, args.importance, args.displays)
    interpret(args.skims, onnx_file.read(args.model), settings, args.threads, outputs)


if __name__ == "__main__":
    run(main)
