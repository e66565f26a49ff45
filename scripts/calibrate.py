"""Calibrate every estimator in Z to mumu events: estimates to corrections, tables, HEPData."""

from __future__ import annotations

from collections.abc import Sequence

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    """Return the command line of the stage."""
    p = parser("calibrate", "Derive xy, response and quantile corrections of pTmiss, in GeV.")
    p.reads(
        "--estimates", required=True, nargs="+", metavar="PARQUET", help="estimates of one training"
    )
    p.add_argument("--folds", required=True, help="section folds, JSON; simulation: its test folds")
    p.add_argument("--settings", required=True, help="section calibration, JSON")
    p.writes("--corrections", required=True, help="correctionlib document, JSON.gz")
    p.writes("--fits", required=True, help="fits and replicas for the stage closure, NPZ")
    p.writes("--table", required=True, help="all numbers of the figures, CSV")
    p.writes("--hepdata", required=True, help="the same as a HEPData submission, TAR.GZ")
    p.writes("--histograms", help="the same as histograms, ROOT; left out: none")
    return p


def main(argv: Sequence[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.core.settings.base import parse
    from ptmiss.events.settings.folds import FoldSettings
    from ptmiss.tasks.met.calibration.run import calibrate
    from ptmiss.tasks.met.settings.calibration import CalibrationSettings

    calibrate(
        args.estimates,
        parse(FoldSettings, args.folds, "folds"),
        parse(CalibrationSettings, args.settings, "calibration"),
        args.corrections,
        args.fits,
        args.table,
        args.hepdata,
        args.histograms,
    )


if __name__ == "__main__":
    run(main)
