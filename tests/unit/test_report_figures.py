"""Drawing: the same chart gives the same bytes, everything in it is seen."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import mplhep_data
import numpy as np
import pytest
from matplotlib import font_manager, pyplot
from PIL import Image

import report_toys
from ptmiss.core.figures import frame, paint, style
from ptmiss.core.figures.chart import Chart, Series, covered, empty_bins
from ptmiss.tasks.met.report import samples, tables
from ptmiss.tasks.met.report.event_display import Display
from ptmiss.tasks.met.report.plots import resolution, shared
from ptmiss.tasks.met.report.plots.interpretation import GROUPS
from ptmiss.tasks.met.report.style import looks


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    table, _ = report_toys.write_run(tmp_path_factory.mktemp("t"), {"zmumu": True})
    kinds = samples.kinds({"zmumu": {"source": "simulated", "label": "Z"}}, ["zmumu"])
    context = shared.Context(kinds, 50.0, frozenset(["zmumu"]))
    found = resolution.figures(tables.read([table]), context)
    return {(f.quantity[0], f.axis[0], f.form): f for f in found}


@pytest.fixture(scope="module")
def painter():
    return paint.Painter(60)


def picture(drawn):
    return np.asarray(Image.open(io.BytesIO(drawn.png)).convert("RGB")).astype(int)


def rgb(colour):
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])


def near(image, wanted, most=0):
    return (np.abs(image - wanted).max(axis=-1) <= most).sum()


def series(label="a", **changed):
    edges = np.arange(4.0)
    value = np.array([1.0, 2.0, 3.0])
    one = Series(label, "#0072B2", edges[:-1], edges[1:], value, value - 0.1, value + 0.1)
    return replace(one, **changed)


def test_the_same_chart_gives_the_same_bytes_whatever_came_before(figures, painter):
    chart = figures["sigma_par", "qt", "width"].chart
    first = paint.Painter(60).paint(chart)
    for other in (
        figures["response", "qt", "plain"].chart,
        figures["sigma_perp", "n_pv_low_qt", "width"].chart,
        Chart([series()], "x", "y", "w", x_log=True, x_range=(0.1, 3.0), y_log=True, ratio=0),
    ):
        painter.paint(other)
    again = painter.paint(chart)
    assert again.png == first.png
    assert again.pdf == first.pdf
    assert painter.paint(replace(chart, what="W")).png != first.png


PROGRAM = """
import hashlib
import numpy as np
from ptmiss.core.figures.chart import Chart, Series
from ptmiss.core.figures.paint import Painter
x = np.arange(4.0)
several = [Series(name, "#0072B2", x[:-1], x[1:], x[1:], x[:-1], x[1:], style=name)
           for name in ("points", "steps", "line")]
picture = Painter(60).paint(Chart(several, "$q_T$", "y", "w", ratio=0))
print(hashlib.sha256(picture.png + picture.pdf).hexdigest())
"""


def test_another_interpreter_gives_the_same_bytes():
    sums = set()
    for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        own = {"PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": "scripts", "LC_ALL": "C"}
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=os.environ | own, capture_output=True, check=True
        )
        sums.add(run.stdout)
    assert len(sums) == 1


def test_processes_draw_what_one_process_draws(figures):
    charts = [figure.chart for figure in figures.values()][:2] * 6
    assert list(paint.draw_all(charts, 50, 2)) == list(paint.draw_all(charts, 50, 1))


def test_a_figure_is_small_and_holds_no_metadata(figures, painter):
    drawn = painter.paint(figures["sigma_par", "qt", "width"].chart)
    assert len(drawn.png) < 60_000
    image = Image.open(io.BytesIO(drawn.png))
    assert image.size == (drawn.width, drawn.height) == (360, 312)
    assert not image.info
    assert drawn.pdf.startswith(b"%PDF-")
    assert b"CreationDate" not in drawn.pdf
    assert len(drawn.pdf) < 60_000


def test_every_estimator_is_seen_in_its_colour(figures, painter):
    image = picture(painter.paint(figures["sigma_par", "n_pv", "width"].chart))
    for colour in ("#0072B2", "#56B4E9", "#E69F00", "#000000"):
        assert near(image, rgb(colour)) > 20, colour
    assert near(image, rgb("#D55E00"), 24) == 0  # DeepMET is not among them


def test_empty_bins_stay_empty_and_are_told(figures, painter):
    figure = figures["sigma_par", "qt", "width"]
    assert figure.empty_bins == ((230.0, 260.0), (260.0, 290.0), (290.0, 350.0))
    assert "3 bins without a value for lack of events" in figure.caption
    drawn = painter.paint(figure.chart)
    image = picture(drawn)
    # the right end of the upper panel, below the legend, shows nothing at all
    left, right = (int(drawn.width * x) for x in (0.13 + 0.845 * 0.72, 0.95))
    assert (image[95:195, left:right] > 240).all()


def test_the_number_of_events_is_that_of_the_drawn_bins(figures):
    figure = figures["sigma_par", "n_pv", "width"]
    said = "".join(c for c in figure.chart.what if c.isdigit())
    rows = [
        r for r in report_toys.rows("zmumu", True, ("pf",)) if (r[3], r[6]) == ("n_pv", "bias_x")
    ]
    assert int(said) == sum(row[-1] for row in rows)


def test_labels_are_drawn_as_they_stand(painter):
    for label in ("$\\frac{", "a_b^c $x$", "\u4e2d\u6587", "<script>", "%s {0}", "x" * 300):
        assert painter.paint(Chart([series(label)], "x", "y", label)).png


def test_values_beyond_the_drawn_range_are_counted(painter):
    strange = series(value=np.array([1.0, 40.0, 50.0]))
    assert painter.paint(Chart([strange], "x", "y", "w", y_range="response")).outside == 2


@pytest.mark.parametrize(
    "chart",
    [
        Chart([], "x", "y", "nothing"),
        Chart([series(value=np.full(3, np.nan))], "x", "y", "no value", ratio=0),
        Chart(
            [series(style="steps"), series(style="line", dashed=True)], "x", "y", "w", y_log=True
        ),
        Chart([series(left=np.arange(3.0))], "x", "", "w", rows=("a", "b", "c"), guide=0.0),
        Chart([series()], "", "y", "w", ticks=((0.5, "one"), (1.5, "two"))),
        Chart([series()], "x", "y", "w", y_range=(0.0, 1.0), diagonal=True),
    ],
    ids=["nothing", "empty", "lines", "rows", "ticks", "diagonal"],
)
def test_every_kind_of_chart_is_drawn(painter, chart):
    assert len(picture(painter.paint(chart)))


def test_empty_bins_are_those_without_a_value_for_some_series():
    other = series(value=np.array([1.0, np.nan, 1.0]))
    assert empty_bins([series(), other]) == ((1.0, 2.0),)


def test_a_ratio_is_taken_bin_by_bin():
    other = series(left=np.array([1.0]), right=np.array([2.0]), value=np.array([4.0]),
                   low=np.array([3.0]), high=np.array([5.0]))  # fmt: skip
    ratio = other.over(series())
    assert (ratio.value, ratio.low, ratio.high) == (2.0, 1.5, 2.5)
    assert np.isnan(series().over(other).value).tolist() == [True, False, True]


def test_an_axis_ends_where_values_end_if_most_of_it_is_empty():
    few = series(value=np.array([1.0, np.nan, np.nan]))
    assert covered([few]) == (0.0, 1.0)
    assert covered([few, series()]) is None
    assert covered([series(value=np.full(3, np.nan))]) is None


def test_numbers_of_marks_are_short():
    assert frame.labels(np.array([-0.5, 0.0, 0.5]), False) == (["\u22120.5", "0.0", "0.5"], "")
    assert frame.labels(np.array([0.0, 2e-5]), False) == (["0", "2"], r"$\times 10^{-5}$")
    assert frame.labels(np.array([0.1, 1.0, 10.0]), True)[0] == ["0.1", "1", "10"]
    assert frame.labels(np.array([1e-4, 1e-3]), True)[0] == ["$10^{-4}$", "$10^{-3}$"]


def test_letters_come_from_fonts_that_are_installed_with_the_packages():
    with style.context():
        families = matplotlib.rcParams["font.sans-serif"]
        files = [font_manager.findfont(name, fallback_to_default=False) for name in families]
    assert len(files) == 2
    for file, package in zip(files, (mplhep_data, matplotlib), strict=True):
        assert Path(package.__file__).parent.resolve() in Path(file).resolve().parents


def test_nothing_global_is_changed(figures):
    before = dict(matplotlib.rcParams)
    paint.Painter(60).paint(figures["sigma_par", "qt", "width"].chart)
    assert dict(matplotlib.rcParams) == before
    assert not pyplot.get_fignums()


class Pie:
    """A drawing of a test: matplotlib's own axes, with marks and legend."""

    def draw_on(self, figure):
        axes = figure.add_subplot()
        axes.plot([0.0, 1.0], [1.0, 3.0], label="$x^2$")
        axes.set_xlabel("x")
        axes.legend()
        figure.text(0.5, 0.97, "above")
        return 3


def test_a_drawing_uses_all_of_matplotlib_and_leaves_nothing_behind(painter):
    chart = Chart([series()], "x", "y", "w")
    before = painter.paint(chart)
    first, again = painter.paint(Pie()), painter.paint(Pie())
    assert first == again
    assert first.outside == 3
    assert painter.paint(chart) == before
    assert painter.paint(chart).png != first.png


def test_a_palette_keeps_colours():
    chart = Chart([series(left=np.arange(3.0))], "x", "", "w", rows=("a", "b", "c"))
    image = picture(paint.Painter(60).paint(chart))
    assert near(image, 255) > 30_000
    assert near(image, 244) > 10_000  # the grey behind every second row


def test_every_colour_of_the_style_is_read_back_from_a_picture():
    names = ["pf", "chs", "puppi", "oracle", *(f"deepmet:{n}" for n in "abcd"), "x", "y"]
    many = [
        series(look.label, colour=look.colour, value=np.full(3, 1.0 + k), style="line")
        for k, look in enumerate(looks(names).values())
    ]
    for chart in (Chart(many, "x", "y", "w"), Chart(many, "x", "y", "w", rows=("a", "b", "c"))):
        image = picture(paint.Painter(150).paint(chart))
        assert all(near(image, rgb(one.colour)) > 20 for one in many)


def test_groups_of_candidates_keep_colours_of_their_own():
    values = np.linspace(-2.0, 2.0, 20 * len(GROUPS))
    display = Display(
        "w", np.full_like(values, 5.0), values, values[::-1], np.ones_like(values),
        np.tile(list(GROUPS), 20), GROUPS,
    )  # fmt: skip
    image = picture(paint.Painter(150).paint(display))
    for _, colour in GROUPS.values():
        seen_through = 255 - 0.7 * (255 - rgb(colour))
        assert near(image, seen_through, 1.0) > 20, colour
