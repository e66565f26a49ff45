"""The figures of the how-to are drawn as they stand there."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from texts import ROOT, blocks

import report_toys
from ptmiss.core.figures.paint import Painter
from ptmiss.tasks.met.report import samples, tables
from ptmiss.tasks.met.report.plots import shared


def example(word):
    """Return the example that holds a word."""
    text = (ROOT / "docs/how-to/extending.md").read_text(encoding="utf-8")
    [found] = [
        block.text for block in blocks(text) if block.kind == "python" and word in block.text
    ]
    return found


def written(folder, name, text):
    """Return a module of that text."""
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_plot_in_twenty_lines(tmp_path):
    chart = example("shared.series_of")
    module = written(tmp_path, "tails", chart)
    assert len(chart[chart.index("def ") :].strip().splitlines()) <= 20
    table, _ = report_toys.write_run(tmp_path, {"zmumu": True})
    frame = tables.read([table])
    # the toys have no tails: another quantity takes their place
    frame["quantity"] = frame["quantity"].replace("sigma_par", "tail_3sigma")
    label = {"zmumu": {"source": "simulated", "label": "Z"}}
    context = shared.Context(samples.kinds(label, ["zmumu"]), 50.0, frozenset(["zmumu"]))
    [figure] = module.figures(frame, context)
    assert [series.label for series in figure.chart.series] == [
        "PF",
        "CHS",
        "PUPPI",
        "oracle (limit)",
    ]
    assert len(pd.read_csv(io.StringIO(figure.table))) == 52
    assert Painter(60).paint(figure.chart).png.startswith(b"\x89PNG")


def test_a_figure_of_its_own_artists(tmp_path):
    drawing = example("draw_on")
    plane = written(tmp_path, "plane", drawing).Plane(np.arange(3.0), np.ones(3), np.arange(3.0))
    first, again = Painter(60).paint(plane), Painter(60).paint(plane)
    assert first == again
    assert first.outside == 0
