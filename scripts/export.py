"""Export: a trained network as an ONNX file, with the files of a Triton server."""

from __future__ import annotations

from pathlib import Path

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    build = parser("export.py", "Write a network as ONNX, if it gives the same numbers there.")
    build.reads("--model", required=True, metavar="IN.keras", help="trained network")
    build.reads("--training", required=True, metavar="IN.json", help="record of training")
    build.reads("--dataset", required=True, metavar="IN.parquet", help="events for parity")
    build.add_argument("--settings", required=True, metavar="JSON", help="config section export")
    build.add_argument("--threads", required=True, type=int, metavar="N", help="threads to use")
    build.writes("--onnx", required=True, metavar="OUT.onnx", help="network to write")
    build.writes("--triton", required=True, metavar="OUT.pbtxt", help="server configuration")
    build.writes("--parity", required=True, metavar="OUT.json", help="differences in GeV")
    return build


def main(argv: list[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.learn.training.runtime import prepare

    prepare(args.threads)
    from ptmiss.core.settings.base import parse
    from ptmiss.learn.export import ExportInputs, ExportOutputs, export
    from ptmiss.learn.settings.export import ExportSettings
    from ptmiss.tasks.met.learning import TASK

    export(
        ExportInputs(Path(args.model), Path(args.training), Path(args.dataset)),
        TASK,
        parse(ExportSettings, args.settings, "export"),
        ExportOutputs(Path(args.onnx), Path(args.triton), Path(args.parity)),
        args.threads,
    )


if __name__ == "__main__":
    run(main)
