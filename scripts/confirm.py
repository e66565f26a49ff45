"""Confirm: end the run with an error if a closure failed; the report exists by then."""

from __future__ import annotations

import logging

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    p = parser("confirm", __doc__)
    p.reads("--verdicts", nargs="+", required=True, help="verdicts of closure, JSON")
    p.add_argument("--settings", required=True, help="config section calibration, JSON")
    p.writes("--confirmed", required=True, help="all verdicts, written if confirmed, JSON")
    return p


def main(argv: list[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.core.io.atomic import write_json
    from ptmiss.core.io.records import read_each, to_values
    from ptmiss.core.settings.base import parse
    from ptmiss.tasks.met.calibration.verdict import Verdict, confirm
    from ptmiss.tasks.met.settings.calibration import CalibrationSettings

    settings = parse(CalibrationSettings, args.settings, "calibration")
    verdicts = read_each(Verdict, args.verdicts, "closure")
    for problem in confirm(verdicts, settings.require_closure):
        logging.warning(problem)
    write_json(args.confirmed, [to_values(one) for one in verdicts])


if __name__ == "__main__":
    run(main)
