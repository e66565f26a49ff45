"""Closure: judge the corrections on the half of the events they were not derived from."""

from __future__ import annotations

from collections.abc import Sequence

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    """Return the command line of the stage."""
    p = parser("closure", "Judge the corrections of a training on the events they did not see.")
    p.reads(
        "--estimates", required=True, nargs="+", metavar="PARQUET", help="estimates of one training"
    )
    p.reads("--corrections", required=True, help="correctionlib document, JSON.gz")
    p.reads("--fits", required=True, help="fits and replicas of the stage calibrate, NPZ")
    p.add_argument("--folds", required=True, help="section folds, JSON; simulation: its test folds")
    p.add_argument("--settings", required=True, help="section calibration, JSON")
    p.writes("--verdict", required=True, help="tests with value and limit to write, JSON")
    return p


def main(argv: Sequence[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.core.settings.base import parse
    from ptmiss.events.settings.folds import FoldSettings
    from ptmiss.tasks.met.closure.run import closure
    from ptmiss.tasks.met.settings.calibration import CalibrationSettings

    closure(
        args.estimates,
        parse(FoldSettings, args.folds, "folds"),
        parse(CalibrationSettings, args.settings, "calibration"),
        args.corrections,
        args.fits,
        args.verdict,
    )


if __name__ == "__main__":
    run(main)
