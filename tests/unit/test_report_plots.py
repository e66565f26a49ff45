"""Which figures all kinds of tables give, without drawing them."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest

import report_toys
from ptmiss.core.errors import UserError
from ptmiss.core.workflow import closing
from ptmiss.tasks.met.report import build, headlines, tables, verdicts
from ptmiss.tasks.met.report import summary as summaries
from ptmiss.tasks.met.report.event_display import Display
from ptmiss.tasks.met.report.plots import calibration, interpretation, shared, uncertainties
from ptmiss.tasks.met.report.samples import Named, kinds

LABELS = {
    "hh": {"source": "simulated", "label": "HH"},
    "zmumu": {"source": "simulated", "label": "Z to mumu"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Files of two trainings, and the summary that belongs to them."""
    folder = tmp_path_factory.mktemp("run")
    files = report_toys.everything(folder, ("mixed", "zmumu"), {"zmumu": True, "hh": False})
    inputs = build.Inputs(**files)
    heads, frame = headlines.read(inputs.headlines), tables.read(inputs.tables)
    nothing = {"revision": "", "versions": {}, "seeds": {}, "files": {}}
    found = {"training": verdicts.records(inputs.records), "gate": verdicts.gates(inputs.verdicts)}
    summary = summaries.build(heads, headlines.index(frame, ()), [], [], nothing, found)
    return inputs, frame, summary


@pytest.fixture(scope="module")
def figures(run):
    inputs, frame, summary = run
    return list(
        build.PageFigures(inputs, frame, summary, Named(LABELS, ["hh", "zmumu"])).figures(50.0)
    )


def some(figures, **wanted):
    return [f for f in figures if all(getattr(f, key) == value for key, value in wanted.items())]


def test_every_section_has_figures_with_names_of_their_own(figures):
    assert {figure.section for figure in figures} == {
        "training", "performance", "final-states", "slices", "interpretation", "calibration",
        "uncertainties",
    }  # fmt: skip
    sections = {
        (f.group, f.section) for f in figures if f.section in ("performance", "final-states")
    }
    assert len({group for group, _ in sections}) == len(sections)  # a group has one place
    assert len({figure.parts for figure in figures}) == len(figures)
    assert len({figure.alt for figure in figures}) == len(figures)
    assert all("Parametric simulation" in figure.alt for figure in figures)
    assert all(len(figure.table.splitlines()) > 1 for figure in figures)


def test_samples_stand_in_the_order_of_the_configuration():
    assert list(kinds(LABELS, ["zmumu", "other", "hh"])) == ["hh", "zmumu", "other"]


def test_gains_of_all_final_states_are_those_of_the_summary(run, figures):
    figure = next(f for f in figures if f.parts == ("all", "gain", "puppi"))
    table = pd.read_csv(io.StringIO(figure.table))
    for row in table.itertuples():
        sample = next(s for s in run[2]["trainings"][row.training] if s["sample"] == row.sample)
        leading = sample["forms"][row.quantity]["own_response"]
        gain = leading["estimators"]["deepmet"]["gain_over"]["puppi"]
        assert [row.value, row.low, row.high] == pytest.approx(list(gain.values()))
    assert [one.label for one in figure.chart.series] == ["mixed", "zmumu"]
    assert figure.chart.rows[0].startswith("HH")


def test_the_way_to_the_oracle_is_a_share_of_the_distance(run, figures):
    figure = next(f for f in figures if f.parts == ("all", "way", "oracle"))
    sample = next(s for s in run[2]["trainings"]["mixed"] if s["sample"] == "hh")
    leading = sample["forms"]["sigma_xy"]["own_response"]
    wanted = leading["estimators"]["deepmet"]["way_to_oracle"]
    assert figure.chart.series[0].value[0] == pytest.approx(100 * wanted)


def test_trainings_share_a_figure_and_keep_their_colour(figures):
    (figure,) = some(figures, quantity=("gain", "gains"), sample="zmumu", heading=(
        "Gain over PUPPI, resolution along the boson, against q_T of the boson"))  # fmt: skip
    colours = {one.label: one.colour for one in figure.chart.series}
    curve = next(f for f in figures if f.parts == ("all", "training", "val_error"))
    assert colours["network mixed"] == curve.chart.series[0].colour
    assert colours["network zmumu"] == curve.chart.series[1].colour


def test_fake_momentum_is_called_so_and_truth_is_dashed(figures):
    found = some(figures, quantity=("spectrum", "distributions"), sample="zmumu")
    assert [figure.axis[1] for figure in found] == ["pTmiss", "transverse mass"]
    true = found[0].chart.series[-1]
    assert (true.label, true.dashed, true.style) == ("true", True, "steps")
    assert found[0].chart.y_log
    assert not some(figures, quantity=("spectrum", "distributions"), sample="hh")


def test_a_cut_is_drawn_from_loose_to_tight(figures):
    (figure,) = some(figures, sample="hh", quantity=("roc", "signal against background"))
    for one in figure.chart.series:
        assert one.left.tolist() == [1.0, 1 / 2, 1 / 3]
        assert (np.diff(one.value) < 0).all()


def test_event_displays_say_what_is_left_out(figures):
    (figure, _) = some(figures, quantity=("display", "event displays"))
    assert isinstance(figure.chart, Display)
    assert "3 softest candidates are not drawn" in figure.caption
    assert figure.chart.groups["strange"][0] == "strange"
    assert list(figure.chart.arrows) == ["true", "PF", "PUPPI", "network"]


def test_each_event_of_the_first_two_samples_is_displayed():
    events = [
        {**report_toys._event({sample: False}), "sample": sample, "event": event}
        for event in ("1:2:3", "1:2:4")
        for sample in ("hh", "zmumu", "ttbar")
    ]
    context = shared.Context(kinds(LABELS, ["hh", "zmumu", "ttbar"]), 50.0)
    displayed = [
        (figure.sample, figure.parts[-1])
        for figure in interpretation.displays({"mixed": events}, context)
    ]
    assert displayed == [
        (sample, event) for event in ("1_2_3", "1_2_4") for sample in ("hh", "zmumu")
    ]


def test_weights_start_a_logarithmic_axis_above_zero(figures):
    figure = some(figures, quantity=("weight", "mean weight"), axis=("pt", "p_T of the candidate"))
    assert figure[0].chart.x_log
    assert all((one.left > 0).all() for one in figure[0].chart.series)
    assert [one.label for one in figure[0].chart.series] == ["charged, hard vertex", "photons"]


def test_importance_is_sorted_and_in_percent(figures):
    figure = some(figures, quantity=("importance", "importance of features"))[0]
    assert figure.chart.rows == ("momentum", "PUPPI weight", "dz")
    assert figure.chart.series[0].value.tolist() == pytest.approx([20.0, 10.0, 0.0])


def test_uncertainties_are_bands_around_the_nominal(figures):
    figure = some(figures, quantity=("uncertainty_total", "uncertainty, total"))[0]
    one = figure.chart.series[0]
    assert (one.value[0], one.low[0], one.high[0]) == (20.0, 17.0, 23.0)
    sources = some(figures, quantity=("uncertainty_sources", "uncertainty, sources"))[0]
    found = {one.label: one.value[0] for one in sources.chart.series}
    assert found == pytest.approx({"jet scale": 5.0, "unclustered, all": 10.0, "all sources": 11.0})
    assert uncertainties.TOTAL not in found


def test_before_and_after_the_calibration_share_a_figure(figures):
    found = some(figures, section="calibration", training="mixed")
    both = next(f for f in found if f.quantity[0] == f"calibration_{calibration.BOTH}")
    labels = [one.label for one in both.chart.series]
    assert labels == ["pseudo-data", "simulation", "simulation, corrected"]
    assert both.chart.ratio == 0
    assert "q_T 0\u201350 GeV" in both.heading
    nodes = next(f for f in found if f.quantity[0] == "calibration_map")
    assert len(nodes.chart.series) == calibration.MOST_NODES


@pytest.mark.parametrize(
    ("read", "name", "text"),
    [
        (verdicts.gates, "t.gate.json", "[]"),
        (verdicts.gates, "t.gate.json", '{"passed": true}'),
        (verdicts.closures, "closure.json", '{"tests": []}'),
        (verdicts.records, "training.json", "{"),
        (verdicts.displays, "t.displays.json", '{"displays": [{"sample": "z"}]}'),
        (verdicts.histories, "history.csv", "a,b\n1,2\n"),
        (verdicts.histories, "history.csv", ""),
    ],
)
def test_a_bad_file_is_one_line(tmp_path, read, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="again") as caught:
        read([path])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_run_ends_with_where_to_look(tmp_path, run):
    assert closing.words(tmp_path) == []
    (tmp_path / "report").mkdir()
    (tmp_path / "report/report.html").write_text("x" * 2_000_000, encoding="utf-8")
    (tmp_path / "summary.json").write_text(json.dumps(run[2]), encoding="utf-8")
    said = closing.words(tmp_path)
    assert "report.html  the page: open it in a browser (2.0 MB)" in said[0]
    assert any("models/mixed/onnx/model.onnx  mean gain over PUPPI" in line for line in said)
    assert "gate refused zmumu" in said[-1]
