from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import report_toys
from ptmiss.report import figures, plan, tables


@pytest.fixture(scope="module")
def specs(tmp_path_factory):
    table, _ = report_toys.write_run(tmp_path_factory.mktemp("t"), {"zmumu": True})
    found = plan.plan(tables.read([table]), 50.0)
    return {(spec.quantity, spec.axis, spec.form): spec for spec in found}


@pytest.fixture(scope="module")
def painter():
    return figures.Painter(90)


def picture(drawn):
    return np.asarray(Image.open(io.BytesIO(drawn.png)).convert("RGB")).astype(int)


def near(image, colour):
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return (np.abs(image - wanted).max(axis=-1) < 24).sum()


def test_the_same_figure_gives_the_same_bytes_whatever_came_before(specs, painter):
    spec = specs["sigma_par", "qt", "width"]
    first = figures.Painter(90).draw(spec, "Parametric simulation", "Z")
    painter.draw(specs["response", "qt", "plain"], "Recorded collisions", "other")
    painter.draw(specs["sigma_perp", "n_pv_low_qt", "rms"], "Recorded collisions", "other")
    again = painter.draw(spec, "Parametric simulation", "Z")
    assert again.png == first.png
    other = painter.draw(spec, "Parametric simulation", "W")
    assert other.png != first.png


def test_a_figure_is_small_and_holds_no_metadata(specs, painter):
    drawn = painter.draw(specs["sigma_par", "qt", "width"], "Parametric simulation", "Z")
    assert len(drawn.png) < 60_000
    image = Image.open(io.BytesIO(drawn.png))
    assert image.size == (drawn.width, drawn.height) == (540, 468)
    assert not image.info


def test_every_estimator_is_seen_in_its_colour(specs, painter):
    image = picture(painter.draw(specs["sigma_par", "n_pv", "width"], "Parametric simulation", "Z"))
    for colour in ("#0072B2", "#56B4E9", "#E69F00", "#000000"):
        assert near(image, colour) > 50, colour
    assert near(image, "#D55E00") == 0  # DeepMET is not among them


def test_empty_bins_stay_empty_and_are_told(specs, painter):
    spec = specs["sigma_par", "qt", "width"]
    drawn = painter.draw(spec, "Parametric simulation", "Z")
    assert drawn.empty_bins == ((230.0, 260.0), (260.0, 290.0), (290.0, 350.0))
    assert (drawn.low, drawn.high) == (0.0, 350.0)
    image = picture(drawn)
    # the right end of the upper panel, below the legend, shows nothing at all
    inside = image[140:300, int(drawn.width * (0.13 + 0.845 * 0.72)) : int(drawn.width * 0.96)]
    assert (inside > 240).all()


def test_the_number_of_events_is_that_of_the_drawn_bins(specs, painter):
    spec = specs["sigma_par", "n_pv", "width"]
    drawn = painter.draw(spec, "Parametric simulation", "Z")
    pf = spec.rows[spec.rows["estimator"] == "pf"]
    assert drawn.n_events == pf["n_events"].sum()


def test_labels_are_drawn_as_they_stand(specs, painter):
    for label in ("$\\frac{", "a_b^c $x$", "\u4e2d\u6587", "<script>", "%s {0}", "x" * 300):
        drawn = painter.draw(specs["response", "qt", "plain"], "Origin $ unknown", label)
        assert drawn.png


def test_values_beyond_the_drawn_range_are_counted(specs, painter):
    spec = specs["response", "qt", "plain"]
    rows = spec.rows.copy()
    rows.loc[rows.index[:2], ["value", "err_low", "err_high"]] = 40.0
    strange = plan.Spec(*spec.name.split("-")[:3], "response", "qt", "plain", rows, 50.0)
    assert painter.draw(strange, "Parametric simulation", "Z").outside == 2


def test_a_single_estimator_or_no_reference_needs_no_ratio(specs, painter):
    spec = specs["sigma_par", "qt", "width"]
    for names in (["pf"], ["puppi"], ["pf", "chs"]):
        rows = spec.rows[spec.rows["estimator"].isin(names)]
        few = plan.Spec("t", "s", "nominal", "sigma_par", "qt", "width", rows, 50.0)
        assert painter.draw(few, "Parametric simulation", "Z").png


def test_description_names_quantity_axis_and_estimators(specs, painter):
    spec = specs["sigma_perp", "n_pv_low_qt", "rms"]
    drawn = painter.draw(spec, "Parametric simulation", "Z")
    assert figures.describe(spec, drawn) == (
        "resolution across the boson (root mean square) against number of reconstructed vertices, "
        "q_T < 50 GeV, for PF, CHS, PUPPI, oracle (limit)"
    )
