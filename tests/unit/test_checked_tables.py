"""Tables in CSV that are not whole, histories and benchmarks of another kind."""

from __future__ import annotations

import pytest

from ptmiss.core.errors import UserError
from ptmiss.core.html import stages
from ptmiss.core.workflow import closing
from ptmiss.learn.training import history
from ptmiss.tasks.met.report import tables, verdicts
from refusals import refused

HISTORY = ",".join(history.HISTORY.names)
REST = ",0.1" * (len(history.HISTORY.names) - 1)
HEAD = ",".join(tables.PERFORMANCE.names)
ROW = "z,nominal,pf,qt,0,5,response,0.9,0.8,1.0,100"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{HEAD}\n{ROW}\n{ROW[:-9]}\n", "line 3: .* values, expected 11"),
        (f"{HEAD}\n{ROW},5\n", "line 2: 12 values, expected 11"),
        (f"{HEAD}\n{ROW}", "cut within a line"),
        (f"{HEAD}\n{ROW[:20]}", "cut within a line"),
        (f"{HEAD}\n{ROW.replace('0,5', ',5')}\n", "line 2, column bin_low: no number"),
        (f"{HEAD}\n{ROW.replace('0,5', '5,0')}\n", "bin_low is above bin_high"),
        (f"{HEAD}\n{ROW.replace('0.9', '0_9')}\n", "line 2, column value: found '0_9'"),
        (f"{HEAD},value\n{ROW},1\n", "a column is there twice"),
        (f'{HEAD}\n"{ROW}\n', "line"),
        (f"{HEAD}\n{ROW.replace('pf', chr(0))}\n", "line"),
    ],
)
def test_a_table_that_is_not_whole(tmp_path, text, says):
    from ptmiss.tasks.met.uncertainty.run import _intervals

    path = tmp_path / "t.csv"
    path.write_text(text)
    if "\0" in text:  # pandas and csv disagree on NUL; a sample of that name has no figure
        _either(lambda: tables.read([path]), path)
        return
    refused(path, lambda path: tables.read([path]), says)
    refused(path, _intervals, says)


def _either(read, path):
    try:
        read()
    except UserError as error:
        assert str(path) in str(error)  # noqa: PT017 - either outcome is right, a traceback is not


def test_a_value_that_no_figure_can_show_is_an_empty_one(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"{HEAD}\n{ROW.replace('0.9', '1e308')}\n")
    assert tables.read([path])["value"].isna().all()


def test_quoted_words_are_words(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"{HEAD}\n" + ROW.replace("z,", '"z, or w",', 1) + "\n")
    assert tables.read([path])["sample"].tolist() == ["z, or w"]
    assert [entry.line for entry in tables.PERFORMANCE.read(path)] == [2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "epoch,loss\n",
        *(f"{HISTORY}\n{row}\n" for row in ("nan" + REST, "1e9" + REST, "2,3" + REST)),
    ],
)
def test_a_history_without_epochs(tmp_path, text):
    path = tmp_path / "history.csv"
    path.write_text(text)
    refused(path, lambda path: verdicts.histories([path]), "stage train")


def test_a_benchmark_of_another_kind_is_short(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("[" * 100_000)
    refused(path, lambda path: stages.read([path]), "leave it out of --results")


@pytest.mark.parametrize(
    "text",
    ["[]", "[" * 100_000, "\xff", '{"generalisation": 3}', '{"gate": {"t": 1}}',
     '{"generalisation": {"t": {"mean_gain_over_puppi": "x"}}}'],
)  # fmt: skip
def test_the_last_words_do_not_fail_a_run_that_has_succeeded(tmp_path, text):
    (tmp_path / "report").mkdir()
    (tmp_path / "report/report.html").write_text("")
    (tmp_path / "summary.json").write_bytes(text.encode("latin-1"))
    assert len(closing.words(tmp_path)) in (0, 2)


# Parquet
