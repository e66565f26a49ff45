"""Records in JSON with a value that does not belong there, and texts and files that are none."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import report_toys
from ptmiss.core.io import npz, parquet
from ptmiss.core.io.records import read_values
from ptmiss.tasks.met import records
from ptmiss.tasks.met.calibration import apply
from ptmiss.tasks.met.report import headlines, ledgers, parity, tables, verdicts
from refusals import refused


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> dict[str, Path]:
    """One training's JSON and CSV, each kind once."""
    folder = tmp_path_factory.mktemp("everything")
    found = report_toys.everything(folder, ["t"], {"zmumu": True, "hh": False}, axes=("qt",))
    found["ledgers"] = [folder / "l.json"]
    found["ledgers"][0].write_text(json.dumps(report_toys.ledger("z", "0", 9, {"cut": 1})))
    return {kind: paths[0] for kind, paths in found.items()}


READERS = {
    "headlines": headlines.read,
    "ledgers": ledgers.read,
    "parity": parity.read,
    "verdicts": verdicts.gates,
    "closures": verdicts.closures,
    "records": verdicts.records,
    "displays": verdicts.displays,
}


def changed(good, tmp_path, kind, *keys, value):
    content = json.loads(good[kind].read_text())
    holder = content
    for key in keys[:-1]:
        holder = holder[key]
    if value is KeyError:
        del holder[keys[-1]]
    else:
        holder[keys[-1]] = value
    path = tmp_path / "onnx" / good[kind].name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("kind", "keys", "value"),
    [
        ("headlines", ("samples", 0, "n_events"), "many"),
        ("headlines", ("samples", 0, "n_events"), -1),
        ("headlines", ("samples", 0, "estimators"), []),
        ("headlines", ("samples", 0, "estimators", "pf"), None),
        ("headlines", ("samples", 0, "estimators", "pf", "response"), "1"),
        ("headlines", ("samples", 0, "estimators", "pf", "response", "value"), float("nan")),
        ("headlines", ("samples", 0, "estimators", "pf", "sigma_par"), {"value": 1.0}),
        ("headlines", ("samples", 0, "gains", 0, "value"), "0.1"),
        ("headlines", ("samples", 0, "gains", 0, "bin_low"), [0]),
        ("headlines", ("samples", 0, "limit"), 3),
        ("headlines", ("samples", 0, "sample"), None),
        ("headlines", ("samples",), {"zmumu": {}}),
        ("headlines", ("training",), 7),
        ("ledgers", ("events", "in"), 1e400),
        ("ledgers", ("events", "rejected"), {"cut": "1"}),
        ("ledgers", ("weights", "in"), 1e308),
        ("ledgers", ("inputs", 0, "sha256"), 5),
        ("ledgers", ("candidates", "dropped"), None),
        ("parity", ("largest_difference_gev",), {}),
        ("parity", ("largest_difference_gev", "batch"), "small"),
        ("parity", ("limit_gev",), None),
        ("parity", ("events",), 10**400),
        ("verdicts", ("passed",), "false"),
        ("verdicts", ("tests",), 5),
        ("verdicts", ("tests", 0, "value"), "0.9"),
        ("verdicts", ("tests", 0, "low"), "x"),
        ("verdicts", ("judged",), KeyError),
        ("closures", ("tests", 0), "all good"),
        ("closures", ("tests", 0, "limit"), None),
        ("closures", ("passed",), 1),
        ("closures", ("undecided",), 3),
        ("records", ("best_epoch",), "two"),
        ("records", ("events",), [1]),
        ("displays", ("displays", 0, "true"), [1.0]),
        ("displays", ("displays", 0, "true"), [None, 1.0]),
        ("displays", ("displays", 0, "pt"), "many"),
        ("displays", ("displays", 0, "eta"), [0.1]),
        ("displays", ("displays", 0, "event"), "../../x"),
        ("displays", ("displays", 0, "estimates", "pf"), [1.0, 2.0, 3.0]),
        ("displays", ("displays", 0, "left_out"), 3),
        ("displays", ("displays",), None),
    ],
)
def test_a_record_with_one_value_that_does_not_belong_there(good, tmp_path, kind, keys, value):
    READERS[kind]([good[kind]])
    path = changed(good, tmp_path, kind, *keys, value=value)
    refused(path, lambda path: READERS[kind]([path]))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"training": "a", "training": "b", "samples": []}', "the key 'training' is there twice"),
        ('{"training": "\\ud800", "samples": []}', "not JSON"),
        ('{"training": "a", "samples": [], "x": NaN}', "NaN is no number"),
        ('{"training": "a", "samples": [], "x": ' + "9" * 5000 + "}", "not JSON"),
        ("\udcff", "not text in UTF-8"),
        ("[]", "the whole is"),
        ('{"samples": []}', "training is missing"),
    ],
)
def test_text_that_is_no_record(tmp_path, text, says):
    path = tmp_path / "h.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    refused(path, lambda path: read_values(records.Headline, path, "performance"), says)


@pytest.mark.parametrize("kind", ["folder", "pipe", "missing", "device"])
def test_what_is_no_file_is_not_waited_for(good, tmp_path, kind):
    path = tmp_path / "t.json"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    for read in (
        lambda path: headlines.read([path]),
        lambda path: tables.read([path]),
        lambda path: verdicts.histories([path]),
        lambda path: npz.read(path, "calibrate"),
        apply.read,
        parquet.column_names,
    ):
        refused(path, read)


def test_a_file_larger_than_any_of_ours_is_not_read(tmp_path):
    path = tmp_path / "h.json"
    with open(path, "wb") as file:
        file.truncate(1 << 40)
    refused(path, lambda path: read_values(records.Headline, path, "performance"), "at most")
