"""Uncertainty: shifts of response, resolution and mean pTmiss under systematic variations."""

from __future__ import annotations

from collections.abc import Sequence

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    """Return the command line of the stage."""
    p = parser("uncertainty", "Compare varied with nominal estimates; sum sources in quadrature.")
    p.reads(
        "--estimates", required=True, nargs="+", metavar="PARQUET",
        help="nominal and varied estimates of one training",
    )  # fmt: skip
    table = "table of the stage performance: statistical intervals"
    p.reads("--performance", required=True, metavar="IN.csv", help=table)
    p.add_argument("--folds", required=True, metavar="JSON", help="section folds")
    p.add_argument("--binning", required=True, metavar="JSON", help="section performance")
    p.add_argument("--settings", required=True, metavar="JSON", help="section uncertainty")
    p.writes("--table", required=True, metavar="OUT.csv", help="table to write, GeV")
    return p


def main(argv: Sequence[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.core.settings.base import parse
    from ptmiss.events.settings.folds import FoldSettings
    from ptmiss.tasks.met.settings.performance import PerformanceSettings
    from ptmiss.tasks.met.settings.uncertainty import UncertaintySettings
    from ptmiss.tasks.met.uncertainty.run import uncertainty

    uncertainty(
        args.estimates,
        args.performance,
        parse(FoldSettings, args.folds, "folds"),
        parse(PerformanceSettings, args.binning, "performance"),
        parse(UncertaintySettings, args.settings, "uncertainty"),
        args.table,
    )


if __name__ == "__main__":
    run(main)
