"""Ledgers, benchmark files, headline numbers and provenance."""

from __future__ import annotations

import json
import math

import pytest

import report_toys
from ptmiss.core.errors import UserError
from ptmiss.core.html import provenance, stages
from ptmiss.tasks.met.report import headlines, ledgers, parity, tables


def written(path, value):
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_ledgers_add_up_over_parts(tmp_path):
    parts = [
        report_toys.ledger("z", "0000", 90, {"cut": 10}),
        report_toys.ledger("z", "0001", 50, {"cut": 1, "duplicate": 2}),
        report_toys.ledger("a", "0000", 5, {}),
    ]
    paths = [written(tmp_path / f"{i}.json", part) for i, part in enumerate(parts)]
    a, z = ledgers.read(paths)
    assert (a.sample, a.parts, a.n_in) == ("a", 1, 5)
    assert (z.parts, z.n_in, z.kept) == (2, 153, 140)
    assert z.rejected == {"cut": 11, "duplicate": 2}
    assert (z.weight_in, z.weight_kept) == (76.5, 70.0)
    assert z.dropped == {"negative pt": 20}
    assert z.inputs == {"0000.root": "0" * 64, "0001.root": "0" * 63 + "1"}
    assert z.balanced
    assert ledgers.read(paths[::-1]) == [a, z]


def test_a_lost_event_is_seen(tmp_path):
    value = report_toys.ledger("z", "0000", 90, {"cut": 10})
    value["events"]["in"] = 101
    assert not ledgers.read([written(tmp_path / "l.json", value)])[0].balanced


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"sample": "z"}', "null", '{"sample": "z", "part": "0", "events": 3}']
)
def test_a_bad_ledger_is_one_line(tmp_path, text):
    path = tmp_path / "l.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="run the stage skim again") as caught:
        ledgers.read([path])
    assert str(path) in str(caught.value)


def test_a_part_given_twice_is_refused(tmp_path):
    value = report_toys.ledger("z", "0000", 1, {})
    with pytest.raises(UserError, match="part 0000 of sample z is given twice"):
        ledgers.read([written(tmp_path / f"{i}.json", value) for i in range(2)])


def test_stages_add_their_jobs(tmp_path):
    paths = [
        report_toys.benchmark(tmp_path / "benchmarks/skim/zmumu/0000.tsv", 10.0, 300.5),
        report_toys.benchmark(tmp_path / "benchmarks/skim/zmumu/0001.tsv", 20.0, 200.0),
        report_toys.benchmark(tmp_path / "benchmarks/performance/classical.tsv", 0.5, "NA"),
        report_toys.benchmark(tmp_path / "elsewhere/own.tsv", 1.0, 1.0),
    ]
    skim, performance, own = stages.read(paths, ("skim", "performance"))
    assert skim == stages.Stage("skim", 2, 30.0, 20.0, 27.0, 300.5)
    assert (performance.stage, performance.peak_memory_mb) == ("performance", None)
    assert own.stage == "elsewhere"


def test_a_file_that_is_no_benchmark_is_refused(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("a\tb\n1\t2\n", encoding="utf-8")
    with pytest.raises(UserError, match="expected s and max_rss"):
        stages.read([path])


def test_headlines_must_be_those_of_the_tables(tmp_path):
    table, path = report_toys.write_run(tmp_path, {"zmumu": True, "hh": False})
    found = headlines.read([path])
    names = [f"{of}{form}" for of in ("sigma_par", "sigma_perp", "sigma_xy") for form in
             ("", "_bincorr")]  # fmt: skip
    numbers = headlines.index(tables.read([table]), names)
    headlines.compare(numbers, found)
    zmumu = found["classical"][1]
    assert list(headlines.quantities(zmumu)) == ["sigma_par", "sigma_perp"]
    zmumu["estimators"]["puppi"]["sigma_par"]["value"] += 1e-3
    with pytest.raises(UserError, match=r"sample zmumu, puppi: sigma_par .* different runs"):
        headlines.compare(numbers, found)


def test_way_to_the_oracle():
    def sample(**values):
        names = values.items()
        return {"estimators": {name: {"sigma_xy": {"value": value}} for name, value in names}}

    way = headlines.way_to_limit
    assert way(sample(puppi=20.0, deepmet=15.0, oracle=10.0), "deepmet", "sigma_xy") == 0.5
    assert way(sample(puppi=20.0, pf=25.0, oracle=10.0), "pf", "sigma_xy") == -0.5
    assert way(sample(puppi=20.0, deepmet=15.0), "deepmet", "sigma_xy") is None
    assert way(sample(puppi=8.0, deepmet=9.0, oracle=10.0), "deepmet", "sigma_xy") is None
    assert way(sample(puppi=None, deepmet=9.0, oracle=1.0), "deepmet", "sigma_xy") is None


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"training": "a", "samples": [{}]}'])
def test_bad_headline_numbers_are_one_line(tmp_path, text):
    path = tmp_path / "h.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="run the stage performance again") as caught:
        headlines.read([path])
    assert str(path) in str(caught.value)


def test_seeds_are_found_wherever_they_stand():
    config = {"a": {"seed": 3, "b": {"split_seed": 4, "other": 5}}, "c": [1], "seed": 7}
    assert provenance.seeds(config) == {"a.seed": 3, "a.b.split_seed": 4, "seed": 7}


def test_provenance_holds_names_not_folders(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert provenance.files([path]) == {"t.csv": known}
    assert provenance.versions()["jinja2"].count(".") >= 1


def test_config_text_is_json_again():
    config = {"b": [1, 2], "a": {"x": {"k": math.pi, "t": "\u03bc <"}, "e": {}}}
    assert json.loads(provenance.config_text(config)) == config


def test_parity_is_named_after_the_model(tmp_path):
    folder = tmp_path / "models/mixed/onnx"
    folder.mkdir(parents=True)
    value = {"events": 2000, "limit_gev": 1e-3, "largest_difference_gev": {"b": 2e-5, "a": 1e-5}}
    found = parity.read([written(folder / "parity.json", value)])
    assert found == {"mixed": value}
    with pytest.raises(UserError, match="run the stage export again"):
        parity.read([written(folder / "parity.json", {"events": 1})])
