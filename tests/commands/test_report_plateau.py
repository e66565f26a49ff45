"""Few events on the response plateau: the first screen says so and shows what it can."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import performance_toys as toys
import report_toys
from ptmiss.core.html.text import number
from ptmiss.core.settings.base import from_mapping
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.performance.run import Outputs, performance
from ptmiss.tasks.met.report import build
from ptmiss.tasks.met.settings.config import Config

FOLDS = {"train": [0, 1, 2, 3, 4], "validation": [5], "test": [6, 7, 8, 9]}
LABELS = {"z": "Z, soft", "hh": "HH, soft", "few": "hardly any", "good": "Z, all"}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Page and summary of toys without boson above 140 GeV, or true pTmiss above 50 GeV."""
    folder = tmp_path_factory.mktemp("plateau")
    columns = {
        "z": toys.toy(4000, 1), "hh": toys.toy(4000, 2, "none"), "few": toys.toy(60, 3),
        "good": toys.toy(4000, 4),
    }  # fmt: skip
    files = []
    for name, its in columns.items():
        most = {"z": 140.0, "hh": 50.0, "few": 60.0}.get(name, np.inf)
        true = "gen_met" if name == "hh" else "boson"
        soft = np.hypot(its[f"{true}_px"], its[f"{true}_py"]) < most
        files.append(
            toys.write(folder / f"{name}.parquet", toys.select(its, soft), sample=name,
                       label=LABELS[name], selection="none" if name == "hh" else "zmumu")
        )  # fmt: skip
    names = ("table", "gains", "spectra", "roc", "slices", "coverage", "headline")
    outputs = Outputs(*(folder / f"classical.{name}" for name in names))
    outputs = Outputs(folder / "classical.csv", outputs.gains, outputs.spectra, outputs.roc,
                      outputs.slices, outputs.coverage,
                      folder / "classical.headline.json")  # fmt: skip
    chosen = toys.settings(replicas=60, slices={})
    performance(files, from_mapping(FoldSettings, FOLDS, "folds"), chosen, outputs)
    inputs = build.Inputs(
        tables=[outputs.table], headlines=[outputs.headline], ledgers=[], benchmarks=[]
    )
    config = Config.load(report_toys.config(LABELS, dpi=50), {})
    out = folder / "report.html", folder / "summary.json"
    build.build(inputs, config, build.Outputs(*out), threads=2)
    page, summary = out[0].read_text(encoding="utf-8"), json.loads(out[1].read_text())
    samples = {one["sample"]: one for one in summary["trainings"]["classical"]}
    places = outputs.table, outputs.headline
    return page, samples, json.loads(Path(outputs.headline).read_text()), places


def screen(page, sample):
    """Return the rows of a sample on the first screen, as text without tags."""
    table = page.partition('<table id="gains-classical"')[2].partition("</table>")[0]
    found = [one for one in table.split("<tr ")[1:] if f'data-sample="{sample}"' in one]
    return [" ".join(re.sub("<[^>]*>", " ", row).split()) for row in found]


@pytest.mark.parametrize(("sample", "n_rows"), [("z", 2), ("hh", 1)])
def test_the_form_of_own_bins_needs_no_plateau(shown, sample, n_rows):
    page, samples, *_ = shown
    rows = screen(page, sample)
    assert len(rows) == n_rows
    for row, (quantity, said) in zip(rows, samples[sample]["without_plateau"].items(), strict=True):
        assert "no event on the response plateau: not in the plateau form" in row
        assert said == {"events_on_plateau": 0, "instead": f"{quantity}_bincorr"}
        values = {
            name: one["resolution"][quantity] for name, one in samples[sample]["estimators"].items()
        }
        for name in ("pf", "puppi", "oracle"):
            assert 1.0 < values[name]["value"] < 60.0
            assert values[name]["rms"] > 1.0
            assert f"{number(values[name]['value'])} " in f"{row} "
        gain = values["puppi"]["gain_over"]["pf"]
        ratio = values["puppi"]["value"] / values["pf"]["value"]
        assert gain["value"] == pytest.approx(1.0 - ratio)
        assert gain["low"] < gain["value"] < gain["high"]
        assert f"{100 * gain['value']:.1f} [" in row


def test_of_headlines_without_forms_another_correction_stands_in_and_is_marked(first_row):
    row = first_row("z")
    assert "† no event on the response plateau: corrected by the response of the events" in row
    assert re.search(r"\d†", row)


@pytest.fixture
def first_row(shown, tmp_path):
    """Return the first row of a sample on the page of the same headlines without their forms."""
    table, headline = shown[3]

    def row(sample):
        value = json.loads(Path(headline).read_text())
        for one in value["samples"]:
            del one["forms"]
        changed = tmp_path / Path(headline).name
        changed.write_text(json.dumps(value))
        out = tmp_path / "r.html", tmp_path / "s.json"
        inputs = build.Inputs(tables=[table], headlines=[changed])
        build.build(inputs, Config.load(report_toys.config(LABELS, dpi=50), {}),
                    build.Outputs(*out))  # fmt: skip
        return screen(out[0].read_text(encoding="utf-8"), sample)[0]

    return row


def test_where_nothing_can_stand_in_the_row_says_why(shown):
    page, samples, *_ = shown
    said = "no event on the response plateau, too few in other bins too: no corrected resolution"
    rows = screen(page, "few")
    assert len(rows) == 2
    assert all(said in row and "†" not in row for row in rows)
    assert {one["instead"] for one in samples["few"]["without_plateau"].values()} == {None}


def test_a_sample_with_a_plateau_is_as_it_was(shown):
    page, samples, headline, _ = shown
    assert all("plateau" not in row and "†" not in row for row in screen(page, "good"))
    assert "without_plateau" not in samples["good"]
    found = {one["sample"]: one for one in headline["samples"]}
    assert "sigma_xy_bincorr" in found["hh"]["estimators"]["pf"]
    assert {one["quantity"] for one in found["good"]["gains_bincorr"]} == {
        "sigma_par_bincorr", "sigma_perp_bincorr",
    }  # fmt: skip
