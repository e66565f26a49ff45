"""Gate: is a training's network an estimator of missing momentum, or did it learn to shrink?"""

from __future__ import annotations

from ptmiss.command import Parser, parser, run


def build_parser() -> Parser:
    p = parser("gate", __doc__)
    p.reads("--headline", required=True, help="headline numbers of the training, JSON")
    p.add_argument("--settings", required=True, help="config section gate, JSON")
    p.writes("--verdict", required=True, help="verdict to write, JSON")
    return p


def main(argv: list[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.gate import verdict
    from ptmiss.io import json
    from ptmiss.io.atomic import write_json
    from ptmiss.records import Headline
    from ptmiss.settings.base import parse
    from ptmiss.settings.gate import GateSettings

    settings = parse(GateSettings, args.settings, "gate")
    write_json(args.verdict, verdict(json.read(args.headline, Headline, "performance"), settings))


if __name__ == "__main__":
    run(main)
