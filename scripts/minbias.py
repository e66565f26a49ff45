"""Generate a part of the library of minimum-bias collisions that serve as pile-up."""

from __future__ import annotations

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    result = parser("minbias", __doc__)
    result.add_argument("--part", required=True, type=int, help="which part to generate, from 0")
    result.add_argument("--parts", required=True, type=int, help="number of parts of the library")
    result.add_argument("--settings", required=True, help="section `simulate` as JSON")
    result.writes("--library", required=True, help="Parquet file to write")
    return result


def main(argv: list[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)

    from ptmiss.core.io.parquet import write
    from ptmiss.core.settings.base import parse
    from ptmiss.simulation.minbias import generate_minbias
    from ptmiss.simulation.settings import SimulateSettings

    settings = parse(SimulateSettings, arguments.settings, "simulate")
    table = generate_minbias(
        settings.seed, arguments.part, arguments.parts, settings.minbias.events
    )
    write(arguments.library, table)


if __name__ == "__main__":
    run(main)
