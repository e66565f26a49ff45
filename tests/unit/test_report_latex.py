"""LaTeX of users: set in figures where it can be, as letters on the page, no end of a run."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ptmiss.core.figures.chart import Chart
from ptmiss.core.figures.formulas import settable
from ptmiss.core.figures.latex import in_figure, readable
from ptmiss.core.figures.paint import Painter


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        (r"$t\bar{t}$", "tt\u0304"),
        (r"$p_T^{miss}$: performance", "p_T^miss: performance"),
        (r"$Z\to\mu^{+}\mu^{-}$", "Z\u2192\u03bc^+\u03bc^-"),
        (r"$\sqrt{s} = 13\,\mathrm{TeV}$", "\u221as = 13 TeV"),
        (r"$\nope$", r"$\nope$"),
        ("$$", "$$"),
        ("5 $ and {sample}", "5 $ and {sample}"),
        ("Z to mumu", "Z to mumu"),
    ],
)
def test_the_page_shows_letters(text, letters):
    assert readable(text) == letters


def test_a_figure_shows_whole_formulas_or_letters():
    assert in_figure(r"$t\bar{t}$", 10) == r"$t\bar{t}$"
    assert in_figure(r"$H\to\tau\tau$ of a long name", 12) == "H\u2192\u03c4\u03c4 of a l\u2026"
    assert in_figure("5 $ a piece", 20) == r"5 \$ a piece"


def drawn(text):
    settable.cache_clear()  # or it warns of a formula once
    picture = Painter(50).paint(Chart([], "", "", text))
    return picture.png, picture.pdf


@pytest.mark.parametrize(
    "text", [r"$\nope$", r"$p_T^$", "$$", "${{{$", r"$\frac{1}{$", "$" * 80, r"$\left($"]
)
def test_what_is_no_formula_is_drawn_as_it_stands(text, caplog):
    png, pdf = drawn(text)
    assert png == drawn(text.replace("$", r"\$"))[0]
    assert pdf.startswith(b"%PDF")
    assert "this formula cannot be set" in caplog.text


def test_a_good_formula_beside_a_bad_one_is_set():
    mixed = drawn(r"$\nope$ $\sigma$")
    assert mixed == drawn(r"\$\nope\$ $\sigma$")
    assert mixed != drawn(r"\$\nope\$ \$\sigma\$")


def test_numbers_beside_a_formula_keep_their_blank(caplog):
    assert drawn("$t$, 82\u202f030 events") == drawn("$t$, 82 030 events")
    assert not caplog.text


def test_a_good_formula_is_drawn_as_one():
    widths = []
    for text in (r"$t\bar{t}$", r"\$t\bar{t}\$"):
        image = Image.open(io.BytesIO(drawn(text)[0])).convert("L")
        above_the_frame = np.asarray(image)[:16, 150:]
        widths.append((above_the_frame < 128).any(axis=0).sum())
    assert 0 < widths[0] < widths[1]
