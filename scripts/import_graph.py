"""Import: a frozen TensorFlow graph, such as CMSSW's DeepMET, as an ONNX file to compare with."""

from __future__ import annotations

import logging
from pathlib import Path

from ptmiss.core.command import Parser, parser, run


def build_parser() -> Parser:
    build = parser("import_graph.py", "Convert a frozen TensorFlow graph of a DeepMET to ONNX.")
    build.reads("--graph", required=True, metavar="IN.pb", help="frozen graph (GraphDef)")
    build.writes("--onnx", required=True, metavar="OUT.onnx", help="file to write")
    help_slots = "candidate slots the graph was made for"
    build.add_argument("--slots", type=int, default=4500, metavar="N", help=help_slots)
    build.add_argument("--output", metavar="NAME", help="output node, where it is not clear")
    return build


def main(argv: list[str] | None = None) -> None:
    args = build_parser().parse_args(argv)
    from ptmiss.core.errors import UserError
    from ptmiss.learn.training.runtime import prepare

    if not 1 <= args.slots <= 100_000:
        raise UserError(f"--slots: found {args.slots}, allowed 1 to 100000")
    prepare(threads=1)
    from ptmiss.tasks.met.estimators.import_graph import import_file

    found = import_file(args.graph, args.slots, args.output, Path(args.onnx))
    log = logging.getLogger(__name__)
    log.info("%s: within %.2g GeV of the graph", args.onnx, found.difference)
    if found.slots is None:
        log.info("each pad contributes (%.4g, %.4g) GeV; missing pads are added", *found.pad)
    else:
        log.warning("%s: needs all its %d slots, so it runs slowly", args.onnx, found.slots)


if __name__ == "__main__":
    run(main)
