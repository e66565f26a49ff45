"""Each layout has one reader, and whatever is damaged there is one line: file, what, remedy."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import calibration_toys as toys
import performance_toys
import report_toys
from ptmiss import records
from ptmiss.calibration import apply, document, store
from ptmiss.calibration.derive import make_bins
from ptmiss.errors import UserError
from ptmiss.estimators.table import event_columns
from ptmiss.interpretation import events
from ptmiss.io import csv, npz, parquet
from ptmiss.io.records import read_values
from ptmiss.model import dataset
from ptmiss.performance.stream import sources
from ptmiss.report import closing, headlines, ledgers, parity, stages, tables, verdicts
from toys import toy_skim

SMALL = {"pileup": 1.0, "per_collision": 5.0, "per_hard": 5.0}


def refused(path: Path, read, says: str | None = None) -> str:
    with pytest.raises(UserError, match=says) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 700 + len(str(path))
    assert re.search(r"run the |again|leave it out|give another path", message)
    return message


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


HEAD = ",".join(tables.COLUMNS)
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
    from ptmiss.uncertainty.run import _intervals

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
    assert [line for line, _ in csv.read(path, tables.PERFORMANCE)] == [2]


@pytest.mark.parametrize(
    "text", ["", "epoch,loss\n", "loss\n1\n", "epoch\nnan\n", "epoch\n1e9\n", "epoch\n1\n2,3\n"]
)
def test_a_history_without_epochs(tmp_path, text):
    path = tmp_path / "history.csv"
    path.write_text(text)
    if text == "epoch,loss\n":
        assert verdicts.histories([path]) == {}
        return
    refused(path, lambda path: verdicts.histories([path]), "stage train")


def test_a_benchmark_of_another_kind_is_short(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("[" * 100_000)
    refused(path, lambda path: stages.read([path]), "leave it out of --benchmarks")


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


def estimates(path):
    (source,) = sources([path], [])
    return list(source.chunks((6, 7, 8, 9), 1))


@pytest.fixture
def table(tmp_path) -> pa.Table:
    performance_toys.write(tmp_path / "good.parquet", performance_toys.toy(50))
    return pq.read_table(tmp_path / "good.parquet")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.replace_schema_metadata(None), "does not say its sample"),
        (lambda t: t.replace_schema_metadata({b"\xff": b"x"}), "not a readable Parquet file"),
        (lambda t: t.replace_schema_metadata({**t.schema.metadata, b"label": b"\xff"}), "readable"),
        (lambda t: t.rename_columns(["run", "run", *t.column_names[2:]]), "the same name"),
        (lambda t: _set(t, "pf_px", pa.array(["x"] * 50)), "column pf_px has type string"),
        (lambda t: _set(t, "pf_px", pa.nulls(50, pa.float64())), "pf_px has .* empty values"),
        (lambda t: _set(t, "fold", pa.nulls(50)), "column fold has type null"),
        (lambda t: _set(t, "n_pv", pa.array([1 << 40] * 50)), "n_pv reaches from"),
        (lambda t: _set(t, "event", pa.array([1.5] * 50)), "column event has type double"),
    ],
)
def test_estimates_with_other_columns_or_descriptions(tmp_path, table, change, says):
    path = tmp_path / "bad.parquet"
    pq.write_table(change(table), path)
    refused(path, estimates, says)


def _set(table: pa.Table, name: str, values) -> pa.Table:
    at = table.column_names.index(name)
    values = values.slice(0, len(table))
    return table.set_column(at, pa.field(name, values.type), values)


def test_skims_whose_lists_differ(tmp_path):
    toy_skim(tmp_path / "good.parquet", 10, **SMALL)
    table = pq.read_table(tmp_path / "good.parquet")
    lists = table.column("cand_eta").to_pylist()
    lists[0] = lists[0][:-1]
    path = tmp_path / "bad.parquet"
    kind = table.schema.field("cand_eta").type
    pq.write_table(_set(table, "cand_eta", pa.array(lists, kind)), path)

    def read(path):
        (sample,) = events.samples([path])
        return list(events.read(events.choose(sample, range(10), 5), True))

    assert len(read(tmp_path / "good.parquet")) == 1
    refused(path, read, "other numbers of candidates")
    lists[0] = [*lists[0], None]
    pq.write_table(_set(table, "cand_eta", pa.array(lists, pa.list_(pa.float32()))), path)
    refused(path, read, "column cand_eta has type")


def test_a_skim_with_a_column_of_another_type(tmp_path):
    toy_skim(tmp_path / "good.parquet", 5, **SMALL)
    table = pq.read_table(tmp_path / "good.parquet")
    path = tmp_path / "bad.parquet"
    pq.write_table(_set(table, "n_jets", pa.array(["x"] * 5)), path)

    def read(path):
        with parquet.reading(path) as file:
            return event_columns(file.schema_arrow, path)

    refused(path, read, "column n_jets has type string, expected uint8")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("continuous", b"x" * 31, "not 32 bytes for each candidate"),
        ("categories", b"\xff" * 6, "no such code"),
        ("n_candidates", -2, "not 32 bytes"),
        ("weight", None, "empty values"),
    ],
)
def test_a_dataset_whose_rows_do_not_fit(tmp_path, name, value, says):
    row = {
        "key": 1, "sample": 0, "weight": 1.0, "truth_px": 0.0, "truth_py": 0.0, "pinned_px": 0.0,
        "pinned_py": 0.0, "n_candidates": 2, "continuous": b"\0" * 64, "categories": b"\0" * 6,
    }  # fmt: skip
    path = tmp_path / "d.parquet"
    pq.write_table(pa.Table.from_pylist([row], schema=dataset.SCHEMA), path)
    assert [group.n_events for group in dataset.groups(path)] == [1]
    schema = pa.schema([field.with_nullable(True) for field in dataset.SCHEMA])
    pq.write_table(pa.Table.from_pylist([row | {name: value}], schema=schema), path)
    refused(path, lambda path: list(dataset.groups(path)), says)


# Corrections


@pytest.fixture(scope="module")
def fits(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fits")
    chosen = toys.settings(replicas=20, min_events=30)
    data, simulation = toys.toy(600, 1, 20), toys.toy(600, 2, 20)
    made = toys.derived(data, simulation, chosen)
    document.write(folder / "c.json.gz", document.document([made], "toy"))
    store.write(folder / "f.npz", [made], make_bins(data, simulation, chosen))
    store.read(folder / "f.npz")
    return folder


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("pf/u_par/knots", lambda a: a[::-1], "not a list of rising numbers"),
        ("pf/u_par/nodes/0", lambda a: a[:0], "not a list of rising numbers"),
        ("pf/u_par/shifts/0", lambda a: a[:, :-1], "expected numbers of shape"),
        ("pf/u_par/shifts/0", lambda a: a * np.nan, "not finite"),
        ("pf/u_perp/replicas/0", lambda a: a[0], "expected numbers of shape"),
        ("pf/u_perp/replicas/0", lambda a: a.astype("U4"), "expected numbers of shape"),
        ("pf/xy/data/x/low", lambda a: np.array([1.0, 2.0]), "expected numbers of shape"),
        ("pf/xy/data/x/coefficients", lambda a: np.zeros(9), "expected 1 to 3"),
        ("pf/xy/data/y/covariance", lambda a: a[0], "expected numbers of shape"),
        ("estimators", lambda a: np.array([1.0]), "expected a list of words"),
        ("bins/ranges/0", lambda a: a[:, :1], "expected numbers of shape"),
        ("estimators", lambda a: np.array([None]), "as many numbers as it says"),
        ("pf/xy/data/x/ndf", None, "no array pf/xy/data/x/ndf"),
    ],
)
def test_fits_of_another_shape_do_not_reach_the_kernels(fits, tmp_path, name, change, says):
    with np.load(fits / "f.npz") as file:
        arrays = {key: file[key] for key in file.files}
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays[name])
    path = tmp_path / "f.npz"
    np.savez(path, **arrays)
    refused(path, store.read, says)


def test_arrays_that_claim_more_than_there_is_take_no_memory(fits, tmp_path):
    path = tmp_path / "f.npz"
    for length in (0, 1, 100, 5000):
        path.write_bytes((fits / "f.npz").read_bytes()[:length])
        refused(path, store.read, "not a readable file of arrays")
    huge = b"\x93NUMPY\x01\x00" + b"\x76\x00"
    huge += b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000,), }".ljust(117)
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("estimators.npy", huge + b"\n")
    refused(path, store.read, "not as many numbers as it says")
    np.savez_compressed(path, estimators=np.zeros(10))
    refused(path, store.read, "compressed")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (gzip.compress(b"{}", mtime=0), "not a correctionlib document"),
        (gzip.compress(b"[" * 100_000, mtime=0), "nested too deeply|not JSON"),
        (gzip.compress(b"\xff", mtime=0), "not text in UTF-8"),
        (gzip.compress(b'{"schema_version": 2', mtime=0)[:-4], "not a correctionlib document"),
    ],
)
def test_a_document_that_is_none(tmp_path, content, says):
    path = tmp_path / "c.json.gz"
    path.write_bytes(content)
    refused(path, apply.read, says)


def test_a_correction_that_is_missing_or_gives_no_number(fits, tmp_path):
    content = json.loads(gzip.decompress((fits / "c.json.gz").read_bytes()))
    path = tmp_path / "c.json.gz"
    events = toys.events(toys.columns(20, 1))

    def met(path):
        return apply.Applied(apply.read(path), "pf", 0).met(events, "data")

    assert met(fits / "c.json.gz").shape == (2, 20)
    for change, says in (
        (lambda one: one.update(name="other"), "no correction pf_xy_x"),
        (lambda one: one["data"]["content"][0].update(key="neither"), "pf_xy_x: "),
        (lambda one: one.update(data=1e300), "a correction is not a number in GeV"),
        (lambda one: one["inputs"].pop(), "not a correctionlib document|pf_xy_x: "),
    ):
        spoiled = json.loads(json.dumps(content))
        change(next(one for one in spoiled["corrections"] if one["name"] == "pf_xy_x"))
        path.write_bytes(gzip.compress(json.dumps(spoiled).encode(), mtime=0))
        refused(path, met, says)
