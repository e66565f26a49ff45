"""Accept: end the run with an error if a gate has refused a network; the report exists by then."""

from __future__ import annotations

import logging

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    p = parser("accept", __doc__)
    p.reads("--verdicts", nargs="+", required=True, help="verdicts of the gates, JSON")
    p.add_argument("--settings", required=True, help="config section gate, JSON")
    p.writes("--accepted", required=True, help="all verdicts, written if accepted, JSON")
    return p


def main(argv: list[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.core.io.atomic import write_json
    from ptmiss.core.io.records import read_each, to_values
    from ptmiss.core.settings.base import parse
    from ptmiss.tasks.met.gate import Verdict, accept
    from ptmiss.tasks.met.settings.gate import GateSettings

    settings = parse(GateSettings, args.settings, "gate")
    verdicts = read_each(Verdict, args.verdicts, "gate")
    for problem in accept(verdicts, settings.require):
        logging.warning(problem)
    write_json(args.accepted, [to_values(one) for one in verdicts])


if __name__ == "__main__":
    run(main)
