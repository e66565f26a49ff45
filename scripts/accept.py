"""Accept: end the run with an error if a gate has refused a network; the report exists by then."""

from __future__ import annotations

import argparse
import logging

from ptmiss.command import parser, run


def build_parser() -> argparse.ArgumentParser:
    p = parser("accept", __doc__)
    p.add_argument("--verdicts", nargs="+", required=True, help="verdicts of the gates, JSON")
    p.add_argument("--settings", required=True, help="config section gate, JSON")
    p.add_argument("--accepted", required=True, help="all verdicts, written if accepted, JSON")
    return p


def main(argv: list[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.gate import accept
    from ptmiss.io.atomic import read_json, write_json
    from ptmiss.settings.base import parse
    from ptmiss.settings.gate import GateSettings

    settings = parse(GateSettings, args.settings, "gate")
    verdicts = [read_json(path) for path in args.verdicts]
    for problem in accept(verdicts, settings.require):
        logging.warning(problem)
    write_json(args.accepted, verdicts)


if __name__ == "__main__":
    run(main)
