"""What files say of themselves is read in one place, and a damaged value is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import performance_toys
from ptmiss.core.errors import UserError
from ptmiss.core.io import parquet
from ptmiss.events.skim import info
from ptmiss.learn.data.preprocess import Recipe, preprocess
from ptmiss.tasks.met.estimators.evaluate import NO_MODELS
from ptmiss.tasks.met.interpretation import chosen as events
from ptmiss.tasks.met.learning import TASK
from ptmiss.tasks.met.performance.stream import sources
from ptmiss.tasks.met.variations.run import Sections, vary
from toys import toy_skim

SAID = {"sample": "zmumu", "part": "0000", "is_data": "false", "selection": "zmumu"}


def schema(**changes: str) -> pa.Schema:
    return pa.schema([], metadata={**SAID, **changes})


def test_all_is_read():
    found = info.read(schema(label="Z", sqrt_s="13.6", is_data="true"), "a", "")
    assert (found.sample, found.part, found.label, found.sqrt_s) == ("zmumu", "0000", "Z", "13.6")
    assert found.is_data
    assert not found.boson_has_neutrino


def test_what_may_be_absent():
    found = info.read(pa.schema([], metadata={k: SAID[k] for k in list(SAID)[:3]}), "a", "")
    assert (found.label, found.selection, found.sqrt_s, found.training) == ("zmumu", "none", "", "")


@pytest.mark.parametrize("value", ["1", "True", "TRUE", "yes", "0"])
def test_is_data_is_true_or_false(value):
    with pytest.raises(UserError, match=r"is_data is .* expected true or false; again"):
        info.read(schema(is_data=value), "a", "again")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"sample": ""}, "does not say its sample"),
        ({"is_data": ""}, "does not say its is_data"),
        ({"selection": "ztautau"}, "selection is 'ztautau'"),
        ({"sqrt_s": "-13"}, "sqrt_s is '-13'"),
        ({"sqrt_s": "13 TeV"}, "sqrt_s is '13 TeV'"),
    ],
)
def test_damaged_values_are_named(changes, text):
    with pytest.raises(UserError, match=text):
        info.read(schema(**changes), "a", "again")


def test_estimates_name_their_training():
    assert info.read(schema(training="t", variation="nominal"), "a", "", True).training == "t"
    with pytest.raises(UserError, match="does not say its training"):
        info.read(schema(), "a", "", estimates=True)


def test_bytes_that_are_no_text():
    with pytest.raises(UserError, match="not text"):
        info.read(pa.schema([], metadata={b"sample": b"\xff\xfe"}), "a", "again")


def test_every_stage_refuses_what_it_does_not_understand(tmp_path):
    """Four stages read is_data: "1" was recorded for one of them and simulation for the others."""
    path = tmp_path / "skim.parquet"
    toy_skim(path, 5, pileup=1.0)
    table = pq.read_table(path)
    parquet.write(path, table.replace_schema_metadata({**table.schema.metadata, b"is_data": b"1"}))
    estimates = performance_toys.write(tmp_path / "e.parquet", performance_toys.toy(5), is_data="1")
    for call in (
        lambda: events.samples([path]),
        lambda: sources([estimates], ()),
        lambda: vary(path, "t", {}, Sections(None, None, None), NO_MODELS),
        lambda: preprocess(
            [path], Recipe(TASK, "t", SimpleNamespace(samples=["toy"]), None, None), None
        ),
    ):
        with pytest.raises(UserError, match="is_data is '1'"):
            call()
