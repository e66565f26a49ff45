"""Measure response and resolution of every estimator: estimates to a tidy table."""

from __future__ import annotations

from collections.abc import Sequence

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    """Return the command line of the stage."""
    p = parser("performance", "Measure response and resolution, in GeV, with bootstrap intervals.")
    p.reads(
        "--estimates", required=True, nargs="+", metavar="PARQUET", help="estimates of one training"
    )
    p.add_argument("--folds", required=True, help="section folds, JSON; its test folds are used")
    p.add_argument("--settings", required=True, help="section performance, JSON")
    p.writes("--table", required=True, help="tidy table to write, CSV")
    p.writes("--gains", required=True, help="gains and shares of the limit to write, CSV")
    p.writes("--spectra", required=True, help="pTmiss and transverse mass to write, CSV")
    p.writes("--roc", required=True, help="efficiencies of |pTmiss| > threshold, CSV")
    p.writes("--slices", required=True, help="tidy table of the slices to write, CSV")
    p.writes("--headline", required=True, help="gains with 95%% intervals to write, JSON")
    return p


def main(argv: Sequence[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.core.settings.base import parse
    from ptmiss.events.settings.folds import FoldSettings
    from ptmiss.tasks.met.performance.run import Outputs, performance
    from ptmiss.tasks.met.settings.performance import PerformanceSettings

    folds = parse(FoldSettings, args.folds, "folds")
    settings = parse(PerformanceSettings, args.settings, "performance")
    outputs = Outputs(args.table, args.gains, args.spectra, args.roc, args.slices, args.headline)
    performance(args.estimates, folds, settings, outputs)


if __name__ == "__main__":
    run(main)
