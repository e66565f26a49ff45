"""Render the page and the machine-readable summary from the tables of a run."""

from __future__ import annotations

from collections.abc import Sequence

from ptmiss.core.command import Parser, parser, run
from ptmiss.core.resources import RESOURCES

TEMPLATES = RESOURCES / "report"

OPTIONAL = {
    "parity": "parity of exported networks, JSON",
    "gains": "gains and ways to the limit in bins, CSV",
    "spectra": "distributions, CSV",
    "roc": "signal against background, CSV",
    "slices": "tables of subsets of events, CSV",
    "verdicts": "verdicts of the gate, JSON",
    "histories": "training curves, CSV",
    "records": "records of trainings, JSON",
    "weights": "mean weights of candidates, CSV",
    "importance": "importance of features, CSV",
    "displays": "single events, JSON",
    "uncertainties": "systematic uncertainties, CSV",
    "calibration": "tables of the calibration, CSV",
    "closures": "closure of the calibration, JSON",
}
"""Inputs that a run may not have."""


def build_parser() -> Parser:
    p = parser("report", __doc__)
    p.reads("--tables", nargs="+", required=True, help="performance tables, CSV")
    p.reads("--headlines", nargs="*", required=True, help="headline numbers, JSON")
    p.reads("--ledgers", nargs="*", required=True, help="event ledgers of the skim, JSON")
    p.reads("--benchmarks", nargs="*", required=True, help="Snakemake's benchmarks, TSV")
    for name, what in OPTIONAL.items():
        p.reads(f"--{name}", nargs="*", default=[], help=what)
    p.add_argument("--threads", type=int, default=1, help="processes that draw figures")
    p.add_argument("--config", required=True, help="the whole configuration as JSON")
    p.add_argument("--revision", default="", help="of the source, such as a git commit")
    p.writes("--report", required=True, help="the page to write, HTML")
    p.writes("--overview", required=True, help="the first figure to write alone, PNG")
    p.writes("--summary", required=True, help="the summary to write, JSON")
    return p


def main(argv: Sequence[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.core.settings.base import parse
    from ptmiss.tasks.met.report.build import Inputs, build
    from ptmiss.tasks.met.settings.config import Config

    given = {name: getattr(args, name) for name in OPTIONAL}
    inputs = Inputs(args.tables, args.headlines, args.ledgers, args.benchmarks, **given)
    config = parse(Config, args.config, "config")
    build(
        inputs, config, args.revision, TEMPLATES, args.report, args.summary, args.threads,
        args.overview,
    )  # fmt: skip


if __name__ == "__main__":
    run(main)
