"""The page of sections, which a task needs no template for."""

from __future__ import annotations

import numpy as np
import pytest

from ptmiss.core.errors import UserError
from ptmiss.core.figures.chart import Chart, Figure, Picture, Series
from ptmiss.core.report.sections import Content, Origin, Table, Verdict, build
from ptmiss.core.resources import RESOURCES

TEMPLATES = RESOURCES / "report"


def figure(section: str, name: str) -> tuple[Figure, Picture]:
    edges = np.array([0.0, 1.0])
    series = Series("a", "#000000", edges[:1], edges[1:], edges[:1], edges[:1], edges[:1])
    chart = Chart([series], "x", "y", "what")
    made = Figure(section, "g", (name,), f"Heading of {name}", "Caption.", "Alt", chart, "a\n1\n")
    return made, Picture(b"png", b"pdf", 10, 20, 2)


@pytest.fixture
def origin(tmp_path):
    table = tmp_path / "performance/net.csv"
    table.parent.mkdir()
    table.write_text("a\n1\n")
    times = tmp_path / "benchmarks/train/net.tsv"
    times.parent.mkdir(parents=True)
    times.write_text("s\tmax_rss\tcpu_time\n90.0\t120.0\t80.0\n")
    return Origin({"seed": 7, "report": {"title": "t"}}, [table], [times], "v1-dirty")


def test_everything_stands_on_the_page_and_nothing_is_taken_for_markup(origin):
    content = Content(
        "Energy <of> showers",
        "Toy.",
        verdicts=[Verdict("net holds", True), Verdict("net <b> fails", False)],
        missing=["No sample of pions."],
        tables=[Table("Bias & co", ("Sample", "Value"), [("beam", "0.1")], "A note.")],
        figures=[figure("second", "b"), figure("first", "a")],
        sections={"first": "First", "second": "Second", "third": "Third"},
    )
    page = build(TEMPLATES, content, origin, {"task": "x</script>"})
    for words in (
        "<title>Energy &lt;of&gt; showers</title>", "net &lt;b&gt; fails", 'class="good"',
        'class="bad"', "No sample of pions.", "Bias &amp; co", "A note.", ">beam</th>", "0.1</td>",
        "Heading of a", "2 points lie outside", "1 min 30 s", "120 MB", "v1-dirty", "net.csv",
        "&#34;seed&#34;: 7",
    ):  # fmt: skip
        assert words in page
    assert page.index("Heading of a") < page.index("Heading of b")  # in the order of `sections`
    assert 'id="h-section-first"' in page
    assert "Third" not in page  # nothing in it
    assert page.count("</script>") == 2
    assert "Input files" not in page
    assert build(TEMPLATES, content, origin, {"task": "x</script>"}) == page


def test_a_missing_file_is_one_line(origin, tmp_path):
    gone = Origin({}, [tmp_path / "gone.csv"])
    with pytest.raises(UserError, match=r"gone\.csv: cannot be read|gone\.csv: no such file"):
        build(TEMPLATES, Content("t", "n"), gone, {})
