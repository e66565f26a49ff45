"""Keep the events and columns that later stages read; account for everything else."""

from __future__ import annotations

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    p = parser("skim", "Turn ntuples of any supported format into one Parquet file and its ledger.")
    p.reads("--ntuples", nargs="+", required=True, help="files of this part, or addresses")
    p.add_argument("--sample", required=True, help="name of the sample")
    p.add_argument("--part", required=True, help="name of this part of the sample")
    p.add_argument("--spec", required=True, help="the sample's entry of `samples` as JSON")
    p.add_argument("--settings", required=True, help="the section `skim` as JSON (GeV, cm)")
    p.writes("--events", required=True, help="Parquet file to write, one row per event")
    p.writes("--ledger", required=True, help="JSON file to write: what became of each event")
    return p


def main(argv: list[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.core.settings.base import parse
    from ptmiss.events.settings.samples import AnySample
    from ptmiss.events.settings.skim import SkimSettings
    from ptmiss.events.skim.stream import Skim

    spec = parse(AnySample, args.spec, f"samples.{args.sample}").root
    settings = parse(SkimSettings, args.settings, "skim")
    Skim(args.sample, args.part, spec, settings).run(args.ntuples, args.events, args.ledger)


if __name__ == "__main__":
    run(main)
