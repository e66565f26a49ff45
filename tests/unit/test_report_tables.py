from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

import report_toys
from ptmiss.core.errors import UserError
from ptmiss.tasks.met.report import notes, samples, tables, verdict_rows
from ptmiss.tasks.met.report.plots import resolution, shared
from ptmiss.tasks.met.report.style import looks

ROW = ("zmumu", "nominal", "pf", "qt", 0.0, 5.0, "sigma_par", 20.0, 19.0, 21.0, 100)


def one(path, *table):
    return report_toys.write_csv(path, table)


def changed(**values):
    return tuple(values.get(name, old) for name, old in zip(report_toys.HEADER, ROW, strict=True))


def planned(frame):
    kinds = samples.kinds({}, ["zmumu", "hh"])
    return list(resolution.figures(frame, shared.Context(kinds, 50.0, frozenset(["zmumu"]))))


def test_read_names_the_training_after_the_file(tmp_path):
    paths = [one(tmp_path / f"{name}.csv", ROW) for name in ("b", "a")]
    frame = tables.read(paths)
    assert frame["training"].tolist() == ["a", "b"]
    assert frame["value"].tolist() == [20.0, 20.0]


def test_numbers_survive_the_way_to_the_page_exactly(tmp_path):
    value = 0.1 + 0.2
    frame = tables.read([one(tmp_path / "t.csv", changed(value=value))])
    again = pd.read_csv(io.StringIO(tables.as_csv(frame)))
    assert again["value"][0] == value
    assert list(again.columns) == list(tables.PERFORMANCE.names)


def test_empty_and_infinite_numbers_are_no_values_but_bins_may_be_open(tmp_path):
    rows = [changed(value="", err_low="", err_high=""), changed(bin_low="-inf", value="inf")]
    frame = tables.read([one(tmp_path / "t.csv", *rows)])
    assert frame["value"].isna().all()
    assert frame["bin_low"].tolist() == [0.0, -np.inf]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not a readable table"),
        ("a,b\n1,2\n", "missing sample"),
        ("<html>\n<p>no, table</p>\n", "not a readable table|missing"),
        (",".join(report_toys.HEADER) + "\nz,n,e,qt,0,5,response,three,1,1,1\n", "line 2.*'three'"),
        ("\x00\xff", "not text in UTF-8"),
    ],
)
def test_a_bad_table_is_one_line(tmp_path, text, complaint):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=complaint) as caught:
        tables.read([path])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_number_given_twice_is_refused(tmp_path):
    with pytest.raises(UserError, match="line 3: the second row"):
        tables.read([one(tmp_path / "t.csv", ROW, changed(value=21.0))])


def test_two_tables_of_one_training_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"two tables are named t\.csv"):
        tables.read([one(tmp_path / x / "t.csv", ROW) for x in "ab"])


def test_a_missing_table_says_which_stage_makes_it(tmp_path):
    with pytest.raises(UserError, match="stage performance"):
        tables.read([tmp_path / "none.csv"])


def test_plan_leaves_out_wide_bins_and_empty_quantities(tmp_path):
    rows = [
        changed(),
        changed(bin_low=5.0, bin_high=10.0),
        changed(bin_high=10.0),
        changed(quantity="sigma_perp", value=""),
    ]
    found = planned(tables.read([one(tmp_path / "t.csv", *rows)]))
    assert [figure.parts for figure in found] == [("t", "zmumu", "nominal", "sigma_par", "qt")]
    assert found[0].chart.series[0].edges() == [(0, 5), (5, 10)]


def test_plan_draws_every_figure_of_a_boson_and_of_a_signal(tmp_path):
    table, _ = report_toys.write_run(tmp_path, {"zmumu": True, "hh": False})
    found = planned(tables.read([table]))
    names = {"-".join(figure.parts[1:]) for figure in found}
    assert len(names) == len(found)
    assert {f"zmumu-nominal-sigma_perp-{a}" for a in ("qt", "n_pv", "n_pv_low_qt")} <= names
    assert {"hh-nominal-sigma_met-gen_ht", "hh-nominal-sigma_met-gen_ht-rms"} <= names
    assert {figure.section for figure in found} == {"performance", "final-states"}
    assert not any(name.startswith("hh") and "sigma_p" in name for name in names)
    assert "q_T \u2265 50 GeV" in next(f.axis[1] for f in found if f.axis[0] == "n_pv_high_qt")


def test_only_nominal_is_drawn_where_it_exists(tmp_path):
    frame = tables.read([one(tmp_path / "t.csv", ROW, changed(variation="jes_up"))])
    assert shared.drawn_variations(frame) == ["nominal"]
    assert shared.drawn_variations(frame[frame["variation"] == "jes_up"]) == ["jes_up"]


def test_known_estimators_look_the_same_in_every_company():
    alone, together = looks(["puppi"]), looks(["puppi", "pf", "stored_puppi", "mine"])
    assert alone["puppi"] == together["puppi"]
    assert list(together) == ["pf", "puppi", "mine", "stored_puppi"]
    pairs = {(look.colour, look.marker) for look in together.values()}
    assert len(pairs) == 4


def test_trainings_share_what_none_of_them_changes(tmp_path):
    mine = [changed(estimator="deepmet", value=value) for value in (14.0, 15.0)]
    paths = [one(tmp_path / f"t{i}.csv", ROW, row) for i, row in enumerate(mine)]
    joined = tables.together(tables.read(paths))
    assert dict(zip(joined["estimator"], joined["value"], strict=True)) == {
        "pf": 20.0,
        "deepmet:t0": 14.0,
        "deepmet:t1": 15.0,
    }
    labels = [look.label for look in looks(joined["estimator"]).values()]
    assert labels == ["PF", "network t0", "network t1"]


def test_too_many_trainings_stay_apart(tmp_path):
    frame = tables.read([one(tmp_path / f"t{i}.csv", ROW) for i in range(5)])
    assert tables.together(frame) is frame


def test_what_is_good_is_said_once_and_what_is_bad_of_each():
    good = {"passed": True, "judged": True, "tests": [{"passed": True}] * 3, "undecided": [1]}
    bad = {**good, "passed": False, "tests": [{"passed": True}, {"passed": False}]}
    summary = {
        "gate": {"a": good, "b": bad, "c": good, "silent": {**good, "judged": False}},
        "closure": {"a": good, "b": good, "c": bad},
        "parity": {
            name: {"largest_difference_gev": {"px": worst}, "limit_gev": 1e-3}
            for name, worst in {"a": 2e-4, "b": 3e-4, "c": 0.5}.items()
        },
        "ledger": {"z": {"balanced": True, "in": 1200}},
    }
    found = [(one["state"], one["text"]) for one in verdict_rows.verdicts(summary)]
    assert found == [
        ("good", "gate a, c: accepted"),
        ("bad", "gate b: refused"),
        ("good", "closure a, b: 6 of 6 tests hold, 2 undecided for lack of events"),
        ("bad", "closure c: 1 of 2 tests hold, 1 undecided for lack of events"),
        ("good", "ONNX a, b: within 0.0003 GeV"),
        ("bad", "ONNX c: within 0.5 GeV"),
        ("good", "ledger of 1\u202f200 events adds up"),
    ]


def test_masked_events_are_said_by_estimator():
    one = {"estimator": "mine", "sample": "z", "events": 130, "of": 250}
    found = notes.masked({"a": {"masked": [one, {**one, "sample": "data"}]}, "b": {}})
    assert found == [
        "Calibration of a: not finite and left out are mine in 130 of 250 events of z, mine in 130"
        " of 250 events of data."
    ]
