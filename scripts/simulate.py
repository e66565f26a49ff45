"""Simulate a part of a sample: Pythia 8, pile-up, detector, ntuple."""

from __future__ import annotations

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    result = parser("simulate", __doc__)
    result.add_argument("--sample", required=True, help="name of the sample")
    result.add_argument("--part", required=True, type=int, help="which part to simulate, from 0")
    result.add_argument("--spec", required=True, help="the sample's entry of `samples` as JSON")
    result.add_argument("--settings", required=True, help="section `simulate` as JSON")
    result.reads("--process", required=True, help="process card (YAML)")
    result.reads("--library", required=True, nargs="+", help="pile-up library (Parquet)")
    result.writes("--ntuple", required=True, help="ROOT file to write")
    return result


def main(argv: list[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)

    from ptmiss.core.settings.base import parse
    from ptmiss.events.settings.samples import SimulatedSample
    from ptmiss.simulation.settings import SimulateSettings
    from ptmiss.simulation.simulate import Files, simulate

    simulate(
        arguments.sample,
        arguments.part,
        parse(SimulatedSample, arguments.spec, f"samples.{arguments.sample}"),
        parse(SimulateSettings, arguments.settings, "simulate"),
        Files(arguments.process, arguments.library, arguments.ntuple),
    )


if __name__ == "__main__":
    run(main)
