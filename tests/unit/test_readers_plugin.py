from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ptmiss.core.errors import UserError
from ptmiss.core.settings.base import to_json
from ptmiss.events.readers.formats import reader_of
from ptmiss.events.readers.names import READERS
from skims import sample_of, settings_of, skim

FOLDER = Path(__file__).parents[1] / "plugins" / "reader_csv"
TEXT = """event,pt,eta,phi,charge,pdg_id
0,30.0,0.5,0.0,1,211
0,20.0,0.1,0.0,0,130
1,5.0,0.3,1.5,-1,-211
"""


@pytest.fixture
def installed(monkeypatch):
    """The plug-in as after its installation: a folder with its module and its entry points."""
    monkeypatch.syspath_prepend(FOLDER)
    yield
    sys.modules.pop("toy_reader_csv", None)


@pytest.fixture
def events(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(TEXT)
    return path


def check(table):
    assert table["event"].to_pylist() == [0, 1]
    assert table["cand_pt"].to_pylist() == [[30.0, 20.0], [5.0]]
    assert table["cand_pdg_id"].to_pylist() == [[211, 130], [-211]]
    assert table.schema.metadata[b"source"] == b"csv"


def test_an_installed_reader_brings_its_format_through_the_skim(installed, events, tmp_path):
    table, ledger = skim(events, tmp_path, source="csv", is_data=True)
    check(table)
    assert ledger.candidates_in == ledger.candidates_kept == 3


def test_the_command_finds_it_through_the_environment(repository, events, tmp_path):
    sample = to_json(sample_of(source="pfnano", is_data=True)).replace('"pfnano"', '"csv"')
    command = [
        sys.executable, "scripts/skim.py", "--ntuples", events, "--sample", "toy", "--part", "0000",
        "--spec", sample, "--settings", to_json(settings_of()),
        "--events", tmp_path / "out.parquet", "--ledger", tmp_path / "out.json",
    ]  # fmt: skip
    run = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert run.returncode == 1
    assert (
        "samples.toy.source: found 'csv'; allowed 'simulated', 'pfnano', 'nanoaod', 'delphes'"
        in run.stderr
    )
    environment = {**os.environ, "PYTHONPATH": str(FOLDER)}
    subprocess.run(command, cwd=repository, env=environment, check=True, capture_output=True)
    check(pq.read_table(tmp_path / "out.parquet"))


def test_a_name_that_nobody_brings_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"^setting samples.test.source: found 'csv'; allowed 's"):
        sample_of(source="csv")
    with pytest.raises(
        UserError, match=r"no reader 'csv' is installed, known: pfnano, nanoaod, delphes;"
    ):
        READERS.load("csv")
    with pytest.raises(UserError, match=r"^setting samples.test.label: found ''"):
        sample_of(label="")


def test_settings_know_a_reader_without_importing_it(installed):
    assert sample_of(source="csv").source == "csv"
    assert READERS.names() == ("pfnano", "nanoaod", "delphes", "broken", "csv", "other")
    assert "toy_reader_csv" not in sys.modules


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("broken", "cannot be imported .No module named 'toy_reader_csv_missing'.; correct or"),
        ("other", "is no subclass of Reader; correct or"),
    ],
)
def test_a_plugin_that_is_none_is_refused(installed, name, says):
    with pytest.raises(UserError, match=says) as caught:
        reader_of(name)
    assert "\n" not in str(caught.value)


def test_two_readers_of_one_name_are_refused(installed, tmp_path, monkeypatch):
    folder = tmp_path / "second-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: second\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[ptmiss.readers]\ncsv = second:Reader\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="second:Reader and toy_reader_csv:CsvReader both have"):
        reader_of("csv")
