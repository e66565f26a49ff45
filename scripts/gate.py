"""Gate: is a training's network an estimator of missing momentum, or did it learn to shrink?"""

from __future__ import annotations

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    p = parser("gate", __doc__)
    p.reads("--headline", required=True, help="headline numbers of the training, JSON")
    p.add_argument("--settings", required=True, help="config section gate, JSON")
    p.writes("--verdict", required=True, help="verdict to write, JSON")
    return p


def main(argv: list[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.core.io.atomic import write_json
    from ptmiss.core.io.records import read, to_values
    from ptmiss.core.settings.base import parse
    from ptmiss.tasks.met.gate import Headline, verdict
    from ptmiss.tasks.met.settings.gate import GateSettings

    settings = parse(GateSettings, args.settings, "gate")
    found = verdict(read(Headline, args.headline, "performance"), settings)
    write_json(args.verdict, to_values(found))


if __name__ == "__main__":
    run(main)
