"""Render the page and the machine-readable summary from the tables of a run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ptmiss.command import parser, run

TEMPLATES = Path(__file__).resolve().parents[1] / "resources" / "report"


def build_parser() -> argparse.ArgumentParser:
    p = parser("report", __doc__)
    p.add_argument("--tables", nargs="+", required=True, help="performance tables, CSV")
    p.add_argument("--headlines", nargs="*", required=True, help="headline numbers, JSON")
    p.add_argument("--ledgers", nargs="*", required=True, help="event ledgers of the skim, JSON")
    p.add_argument("--benchmarks", nargs="*", required=True, help="Snakemake's benchmarks, TSV")
    p.add_argument("--parity", nargs="*", default=[], help="parity of exported networks, JSON")
    p.add_argument("--config", required=True, help="the whole configuration as JSON")
    p.add_argument("--revision", default="", help="of the source, such as a git commit")
    p.add_argument("--report", required=True, help="the page to write, HTML")
    p.add_argument("--summary", required=True, help="the summary to write, JSON")
    return p


def main(argv: Sequence[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.report.build import Inputs, build
    from ptmiss.settings.base import parse
    from ptmiss.settings.config import Config

    inputs = Inputs(args.tables, args.headlines, args.ledgers, args.benchmarks, args.parity)
    config = parse(Config, args.config, "config")
    build(inputs, config, args.revision, TEMPLATES, args.report, args.summary)


if __name__ == "__main__":
    run(main)
