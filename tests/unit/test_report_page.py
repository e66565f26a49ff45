"""The page: safe whatever its strings are, complete, reproducible, equal to the summary."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
import urllib.parse
from pathlib import Path

import pytest

import report_toys
from ptmiss.core.errors import UserError
from ptmiss.core.html import page
from ptmiss.tasks.met.report import build
from ptmiss.tasks.met.settings.config import Config

HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>",
    "</script></style><!--\u202egnp.exe \x1b[31m",
    "javascript:alert(3)//{{ 7*7 }}{% raw %}",
)
PLAIN = 22
"""Figures of the page of the fixture `plain`: 13 of a boson's sample, 6 of a signal, 3 of both."""


class Elements(html.parser.HTMLParser):
    """All start tags with their attributes, and the text of some elements."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.texts = {"script": [], "style": [], "td": [], "p": []}
        self._open = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = tag if tag in self.texts else self._open
        if tag in self.texts:
            self.texts[tag].append("")

    def handle_data(self, data):
        if self._open:
            self.texts[self._open][-1] += data

    def handle_endtag(self, tag):
        self._open = None if tag == self._open else self._open

    def every(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    def make(samples, labels=None, estimators=report_toys.CLASSICAL, axes=(), revision="", **given):
        folder = tmp_path_factory.mktemp("run")
        table, headline = report_toys.write_run(folder, samples, estimators=estimators, axes=axes)
        files = {"tables": [table], "headlines": [headline], "ledgers": [], "benchmarks": []}
        for name, value in given.items():
            files[name] = value(folder) if callable(value) else value
        config = Config.load(
            report_toys.config(labels or dict.fromkeys(samples, "a label"), dpi=50)
        )
        out = folder / "report.html", folder / "summary.json"
        build.build(build.Inputs(**files), config, build.Outputs(*out), revision, threads=2)
        return out[0].read_text(encoding="utf-8"), json.loads(out[1].read_text(encoding="utf-8"))

    return make


def some_ledgers(folder):
    value = report_toys.ledger("zmumu", "0000", 90, {HOSTILE[0]: 10})
    path = folder / "zmumu.ledger.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return [path]


def some_benchmarks(folder):
    return [report_toys.benchmark(folder / "benchmarks/skim/a.tsv", 75.0, 300.0)]


@pytest.fixture(scope="module")
def plain(make):
    return make(
        {"zmumu": True, "hh": False},
        {"zmumu": "Z to mumu", "hh": "HH"},
        (*report_toys.CLASSICAL, "deepmet"),
        ledgers=some_ledgers,
        benchmarks=some_benchmarks,
    )


@pytest.fixture(scope="module")
def hostile(make):
    return make(
        {HOSTILE[0]: True, HOSTILE[1]: False, "zmumu": True},
        # of what a label may hold: settings refuse the rest
        {"zmumu": "".join(one for one in HOSTILE[1] if one.isprintable())},
        ("pf", "puppi", HOSTILE[2]),
        axes=("gen_met", "n_pv"),
        revision=HOSTILE[0],
    )


def test_policy_allows_only_what_the_page_holds(plain):
    elements = Elements(plain[0])
    policy = next(a["content"] for a in elements.every("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy
    styles = elements.texts["style"]
    scripts = [
        text
        for text, tag in zip(elements.texts["script"], elements.every("script"), strict=True)
        if tag.get("type") != "application/json"
    ]
    assert len(styles) == len(scripts) == 1
    for text, kind in ((styles[0], "style-src"), (scripts[0], "script-src")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy


def test_nothing_is_fetched_from_outside(plain):
    elements = Elements(plain[0])
    for _, attributes in elements.tags:
        for name in ("src", "href", "action", "poster", "data", "srcset"):
            if name in attributes:
                assert attributes[name].startswith(("#", "data:"))
        assert "style" not in attributes  # the policy would block it
    assert "@import" not in plain[0]
    assert "url(" not in elements.texts["style"][0]


def test_hostile_strings_stay_text(hostile):
    text, _ = hostile
    elements = Elements(text)
    assert len(elements.every("script")) == 2
    assert not any(name.startswith("on") for _, a in elements.tags for name in a)
    assert "49" not in "".join(elements.texts["p"])  # no template inside a name was run
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f]", text)
    for attributes in elements.every("a"):
        assert not attributes["href"].lower().startswith("javascript")
    for attributes in elements.every("img"):
        assert attributes["src"].startswith("data:")


def test_ids_are_unique_and_links_lead_somewhere(hostile):
    elements = Elements(hostile[0])
    ids = [a["id"] for _, a in elements.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for attributes in elements.every("a"):
        if attributes["href"].startswith("#"):
            assert attributes["href"][1:] in ids


def test_every_picture_has_words_and_a_size(plain):
    pictures = [a for a in Elements(plain[0]).every("img") if a["src"] != "data:,"]
    assert len(pictures) == PLAIN
    for attributes in pictures:
        assert "Parametric simulation" in attributes["alt"]
        assert int(attributes["width"]) > 0
        assert int(attributes["height"]) > 0
    assert len({attributes["alt"] for attributes in pictures}) == len(pictures)


def test_two_hundred_figures_stay_below_25_megabytes(plain):
    assert len(plain[0]) / PLAIN * 200 < 25e6


def test_tables_of_figures_hold_the_numbers(plain):
    links = [
        a["href"] for a in Elements(plain[0]).every("a") if str(a.get("download")).endswith(".csv")
    ]
    assert len(links) == PLAIN
    text = urllib.parse.unquote(links[0].split(",", 1)[1])
    assert text.splitlines()[0] == ",".join(report_toys.HEADER)
    assert {line.split(",")[6] for line in text.splitlines()[1:]} == {"response"}


def test_summary_is_inside_the_page_too(plain):
    text, summary = plain
    elements = Elements(text)
    inside = next(t for t in elements.texts["script"] if t.startswith("{"))
    assert json.loads(inside) == summary


def test_summary_equals_the_tables(plain):
    text, summary = plain
    table = [*report_toys.rows("zmumu", True, (*report_toys.CLASSICAL, "deepmet"), seed=1)]
    wanted = {
        (row[2], row[6]): row[7]
        for row in table
        if row[3:6] == ("qt", 0.0, 150.0) and row[6].startswith("sigma")
    }
    entry = next(one for one in summary["trainings"]["classical"] if one["sample"] == "zmumu")
    for name, estimator in entry["estimators"].items():
        for quantity, values in estimator["resolution"].items():
            assert values["value"] == wanted[name, quantity]
            assert values["rms"] == wanted[name, f"{quantity}_rms"]
    own = entry["estimators"]["deepmet"]["resolution"]["sigma_perp"]
    pf, puppi, oracle = (wanted[name, "sigma_perp"] for name in ("pf", "puppi", "oracle"))
    assert own["gain_over"]["pf"]["value"] == pytest.approx(1 - own["value"] / pf)
    assert own["gain_over"]["puppi"]["value"] == pytest.approx(1 - own["value"] / puppi)
    assert own["way_to_oracle"] == pytest.approx((puppi - own["value"]) / (puppi - oracle))
    assert f"{own['value']:#.3g}" in Elements(text).texts["td"]


def test_the_form_of_own_bins_leads_and_the_plateau_stands_beside(plain):
    text, summary = plain
    samples = {one["sample"]: one for one in summary["trainings"]["classical"]}
    forms = samples["zmumu"]["forms"]["sigma_perp"]
    ranges = {form: (one["bin_low"], one["bin_high"]) for form, one in forms.items()}
    assert ranges == {
        "own_response": (0.0, 150.0), "own_response_high": (50.0, 150.0), "plateau": (0.0, 150.0)
    }  # fmt: skip
    assert set(samples["hh"]["forms"]["sigma_xy"]) == {"own_response", "plateau"}
    shown = _rows(text, "gains-classical", "zmumu")[1]
    gains = [forms[form]["estimators"]["deepmet"]["gain_over"]["puppi"] for form in ranges]
    told = [f"{100 * gain['value']:.1f}" for gain in gains]
    assert [cell.split()[0] for cell in shown[6:9]] == told
    width = forms["own_response"]["estimators"]["deepmet"]["value"]
    assert shown[4] == f"{width:#.3g}"
    # the mean of the first screen is that of the first form, and the old one is as it was
    own = [
        one["own_response"]["estimators"]["deepmet"]["gain_over"]["puppi"]["value"]
        for sample in samples.values()
        for one in sample["forms"].values()
    ]
    general = summary["generalisation"]["classical"]
    assert general["mean_gain_over_puppi_own_response"] == pytest.approx(sum(own) / len(own))
    assert general["final_states_own_response"] == len(own) == 3
    assert general["final_states_own_response_high"] == 2
    plateau = [
        one["estimators"]["deepmet"]["resolution"][quantity]["gain_over"]["puppi"]["value"]
        for one in samples.values()
        for quantity in one["measured_in"]
    ]
    assert general["mean_gain_over_puppi"] == pytest.approx(sum(plateau) / len(plateau))


def _rows(text, table, sample=""):
    """Return the cells of the rows of a table, those of a sample, as text without tags."""
    inside = text.partition(f'<table id="{table}"')[2].partition("</table>")[0]
    rows = [
        one for one in inside.split("<tr")[2:] if not sample or f'data-sample="{sample}"' in one
    ]
    return [
        [" ".join(re.sub("<[^>]*>", " ", f"<td{cell}").split())
         for cell in re.split("<t[hd]", row)[1:]]
        for row in rows
    ]  # fmt: skip


def test_responses_at_low_recoil_are_on_the_page(plain):
    text, summary = plain
    (sample,) = [one for one in summary["trainings"]["classical"] if one["response_qt"]]
    assert [one["bin_high"] for one in sample["response_qt"]] == [10.0, 20.0, 30.0, 50.0, 80.0]
    rows = _rows(text, "low-recoil-zmumu")
    assert [cells[0] for cells in rows] == [
        "PF", "CHS", "PUPPI", "network", "oracle (limit)"
    ]  # fmt: skip
    shown = rows[3]
    for cell, one in zip(shown[1:6], sample["response_qt"], strict=True):
        bounds = one["estimators"]["deepmet"]
        value, low, high = (f"{bounds[key]:.2f}" for key in ("value", "low", "high"))
        assert cell == f"{value} [{low}, {high}]"
    assert len(shown) == 1 + 5 + 6


def test_how_often_a_network_is_right_about_its_error_is_on_the_page(plain, make):
    text, summary = plain
    (cells,) = _rows(text, "covered", "zmumu")
    assert cells[1:] == [
        "network", "67.0 [65.8, 68.2]", "94.0 [92.8, 95.2]", "1.03 [1.02, 1.04]",
        "0.98 [0.97, 0.99]", "0.31 [0.30, 0.32]",
    ]  # fmt: skip
    assert "no free discriminant" in text
    said = {one["sample"]: one["coverage"] for one in summary["trainings"]["classical"]}
    bounds = {"value": 0.67, "low": 0.658, "high": 0.682}
    assert said["zmumu"]["deepmet"]["covered_68"] == pytest.approx(bounds)
    assert len(_rows(text, "covered")) == len(said)
    without, summary = make({"zmumu": True}, axes=("qt",))
    assert 'id="covered"' not in without
    assert summary["trainings"]["classical"][0]["coverage"] == {}


def test_a_rescaled_network_is_in_tables_and_in_no_figure(make):
    estimators = ("pf", "puppi", "deepmet", "deepmet_rescaled")
    text, summary = make({"zmumu": True}, estimators=estimators, axes=("qt",))
    elements = Elements(text)
    assert "network rescaled" in text
    assert not any("rescaled" in one["alt"] for one in elements.every("img"))
    assert any(cell == "network rescaled" for cell in elements.texts["td"])
    (sample,) = summary["trainings"]["classical"]
    assert "deepmet_rescaled" in sample["forms"]["sigma_par"]["own_response"]["estimators"]


def test_forms_of_another_run_are_refused(tmp_path):
    table, headline = report_toys.write_run(tmp_path, {"zmumu": True}, axes=("qt",))
    value = json.loads(headline.read_text(encoding="utf-8"))
    value["samples"][0]["forms"][0]["estimators"]["puppi"]["value"] *= 1.01
    headline.write_text(json.dumps(value), encoding="utf-8")
    out = build.Outputs(tmp_path / "r.html", tmp_path / "s.json")
    config = Config.load(report_toys.config({"zmumu": "Z"}))
    with pytest.raises(UserError, match=r"puppi: sigma_par_bincorr is .* of different runs"):
        build.build(build.Inputs([table], [headline]), config, out)


def test_summary_holds_ledger_stages_seeds_and_versions(plain):
    summary = plain[1]
    assert summary["ledger"]["zmumu"]["in"] == 100
    assert summary["ledger"]["zmumu"]["balanced"] is True
    assert summary["stages"]["skim"]["wall_s"] == 75.0
    assert summary["stages"]["skim"]["peak_memory_mb"] == 300.0
    assert summary["seeds"]["performance.seed"] >= 0
    assert set(summary["versions"]) >= {"python", "matplotlib"}
    assert set(summary["files"]) == {"classical.csv", "classical.headline.json"}


def test_reasons_of_the_ledger_are_shown_escaped(plain):
    cells = Elements(plain[0]).texts["td"]
    assert any(cell.startswith("<script>alert(1)</script>") for cell in cells)
    assert any("holds" in cell for cell in cells)
    assert "1 min 15 s" in cells


def test_absent_inputs_are_said_plainly(make):
    text, summary = make({"hh": False}, axes=("gen_met",), headlines=[], ledgers=[], benchmarks=[])
    said = " ".join(Elements(text).texts["p"])
    for words in ("No headline numbers for classical", "No event ledgers", "No benchmark files"):
        assert words in said
    assert summary["trainings"] == summary["ledger"] == summary["stages"] == {}


def test_a_sample_from_files_is_not_called_simulation(tmp_path):
    config = report_toys.config({"z": "Z"})
    config["samples"]["z"] = {
        "source": "pfnano", "label": "Run 2016", "files": ["x.root"], "files_per_part": 1,
        "is_data": True, "cross_section": 1.0, "sum_of_weights": 1.0,
        "selection": next(iter(config["skim"]["selections"])),
    }  # fmt: skip
    table, headline = report_toys.write_run(tmp_path, {"z": False}, axes=("gen_met",))
    inputs = build.Inputs([table], [headline], [], [])
    build.build(
        inputs, Config.load(config), build.Outputs(tmp_path / "r.html", tmp_path / "s.json")
    )
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Parametric simulation" not in text
    assert "Recorded collisions" in text


def test_equal_inputs_give_equal_bytes_and_no_place_or_time(make, plain):
    first, again = (
        make({"hh": False}, axes=("gen_met",), ledgers=some_ledgers, benchmarks=some_benchmarks)
        for _ in range(2)
    )
    assert again == first
    assert "/tmp" not in plain[0]
    assert str(Path(__file__).parents[2]) not in plain[0]


def test_trainings_are_compared_in_one_figure_and_one_table(tmp_path):
    estimators = ("pf", "puppi", "deepmet")
    written = []
    for i, name in enumerate(("one", "two")):
        table = [
            (*row[:7], row[7] * (1 + i / 9) if row[2] == "deepmet" and row[7] else row[7], *row[8:])
            for row in report_toys.rows("hh", False, estimators)
            if row[3] in ("all", "gen_met")
        ]
        path = tmp_path / f"{name}.headline.json"
        path.write_text(json.dumps(report_toys.headline(name, table)), encoding="utf-8")
        written.append((report_toys.write_csv(tmp_path / f"{name}.csv", table), path))
    inputs = build.Inputs(*zip(*written, strict=True))
    out = tmp_path / "r.html", tmp_path / "s.json"
    build.build(inputs, Config.load(report_toys.config({"hh": "HH"}, dpi=50)), build.Outputs(*out))
    elements = Elements(out[0].read_text(encoding="utf-8"))
    assert any(
        "for PF, PUPPI, network one, network two." in a["alt"] for a in elements.every("img")
    )
    ids = {a["id"] for a in elements.every("table") if "id" in a}
    assert {"gains-one", "gains-two", "gains-puppi", "gains-pf", "responses", "comparison"} <= ids
    summary = json.loads(out[1].read_text(encoding="utf-8"))
    general = summary["generalisation"]
    assert (general["one"]["best_over_puppi"], general["two"]["best_over_puppi"]) == (1, 0)
    for name in ("one", "two"):
        gain = summary["trainings"][name][0]["estimators"]["deepmet"]["resolution"]["sigma_xy"]
        wanted = f"{100 * gain['gain_over']['puppi']['value']:.1f}".replace("-", "\u2212")
        assert any(cell.strip().startswith(wanted) for cell in elements.texts["td"])


@pytest.mark.parametrize("trainings", [("one",), ("one", "two")])
def test_gains_over_a_model_of_others_are_on_the_page(tmp_path, trainings):
    estimators = ("pf", "puppi", "deepmet", "published")
    written = []
    for name in trainings:
        table = [
            row for row in report_toys.rows("hh", False, estimators) if row[3] in ("all", "gen_met")
        ]
        path = tmp_path / f"{name}.headline.json"
        values = report_toys.headline(name, table, over=("pf", "puppi", "published"))
        path.write_text(json.dumps(values), encoding="utf-8")
        written.append((report_toys.write_csv(tmp_path / f"{name}.csv", table), path))
    inputs = build.Inputs(*zip(*written, strict=True))
    out = tmp_path / "r.html", tmp_path / "s.json"
    build.build(inputs, Config.load(report_toys.config({"hh": "HH"}, dpi=50)), build.Outputs(*out))
    summary = json.loads(out[1].read_text(encoding="utf-8"))
    own = summary["trainings"]["one"][0]["estimators"]["deepmet"]["resolution"]["sigma_xy"]
    gain = own["gain_over"]["published"]
    assert set(gain) == {"value", "low", "high"}
    assert summary["generalisation"]["one"]["mean_gain_over_published"] == gain["value"]
    text = out[0].read_text(encoding="utf-8")
    elements = Elements(text)
    shown = f"{100 * gain['value']:.1f}".replace("-", "\u2212")
    assert text.count("Gain over published [%]</th>") == 1
    assert ("<summary>Gain over published [%]</summary>" in text) == (len(trainings) > 1)
    assert any(cell.strip().startswith(shown) for cell in elements.texts["td"])
    assert any(
        "Gain over published in every final state" in a["alt"] for a in elements.every("img")
    )


def test_nothing_is_written_when_an_input_is_bad(tmp_path):
    table, headline = report_toys.write_run(tmp_path, {"hh": False})
    bad = tmp_path / "bad.json"
    bad.write_text("{", encoding="utf-8")
    out = tmp_path / "r.html", tmp_path / "s.json"
    with pytest.raises(UserError):
        config = Config.load(report_toys.config({}))
        build.build(build.Inputs([table], [headline], [bad], []), config, build.Outputs(*out))
    assert not any(path.exists() for path in out)


def test_data_addresses():
    assert page.data_address("image/png", b"abc") == "data:image/png;base64,YWJj"
    address = page.data_address("text/csv", 'a,"<b>\n#%')
    assert address == "data:text/csv;charset=utf-8,a,%22%3Cb%3E%0A%23%25"
