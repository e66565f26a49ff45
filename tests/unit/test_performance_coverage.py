"""Coverage, pulls and ranks of estimators with uncertainties, on toys of known covariance."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import performance_toys as toys
from ptmiss.core.errors import UserError
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.performance import coverage
from ptmiss.tasks.met.performance.coverage import rank_correlation
from ptmiss.tasks.met.performance.layouts import COVERAGE
from ptmiss.tasks.met.performance.run import Outputs, performance
from ptmiss.tasks.met.performance.stream import sources

FOLDS = FoldSettings(train=(0, 1, 2), validation=(3,), test=(4, 5, 6, 7, 8, 9))
WIDE = {
    "slices": {}, "qt_edges": [0, 1000], "n_pv_edges": [0, 20, 1000], "gen_ht_edges": [0, 5000],
    "gen_met_edges": [0, 5000], "min_events": 20,
}  # fmt: skip
SETTINGS = toys.settings(replicas=20, **WIDE)
N = 20_000
ONE = {"puppi": (1.0, 20.0), "deepmet": (1.0, 10.0)}
FILES = ("table", "gains", "spectra", "roc", "slices", "coverage", "headline")


def made(
    n: int = N, kind: str = "dilepton", wrong: float = 1.0, flat: bool = False
) -> dict[str, np.ndarray]:
    """Return events whose errors are Gaussian with the covariance that the file says, of which E is
    too small by the factor `wrong`; flat: of one size in all events.
    """
    columns = toys.toy(n, kind=kind, estimators=ONE)
    rng = np.random.default_rng(5)
    wide, narrow = (np.full(n, 9.0) if flat else rng.uniform(low, 3 * low, n) for low in (9, 5))
    turn = rng.uniform(-np.pi, np.pi, n)
    cos, sin = np.cos(turn), np.sin(turn)
    one, other = wide * rng.normal(size=n), narrow * rng.normal(size=n)
    columns["deepmet_px"] = columns["gen_met_px"] + cos * one - sin * other
    columns["deepmet_py"] = columns["gen_met_py"] + sin * one + cos * other
    error = (cos**2 * wide + sin**2 * narrow, cos * sin * (wide - narrow),
             sin**2 * wide + cos**2 * narrow)  # fmt: skip
    for axes, values in zip(("xx", "xy", "yy"), error, strict=True):
        columns[f"deepmet_error_{axes}"] = values / wrong
    columns["n_jets"] = rng.poisson(1.5, n).astype(np.uint8)
    return columns


def turned(columns: dict[str, np.ndarray], angle: np.ndarray) -> dict[str, np.ndarray]:
    """Return events that are turned, each by an angle of its own."""
    out, cos, sin = dict(columns), np.cos(angle), np.sin(angle)
    for name in ("boson", "gen_met", "puppi", "deepmet"):
        if f"{name}_px" in columns:
            x, y = columns[f"{name}_px"], columns[f"{name}_py"]
            out[f"{name}_px"], out[f"{name}_py"] = cos * x - sin * y, sin * x + cos * y
    xx, xy, yy = (columns[f"deepmet_error_{axes}"] for axes in ("xx", "xy", "yy"))
    out["deepmet_error_xx"] = cos**2 * xx - 2 * cos * sin * xy + sin**2 * yy
    out["deepmet_error_yy"] = sin**2 * xx + 2 * cos * sin * xy + cos**2 * yy
    out["deepmet_error_xy"] = cos * sin * (xx - yy) + (cos**2 - sin**2) * xy
    return out


def measured(folder: Path, *files: tuple[Path, ...], settings=SETTINGS) -> list:
    """Return the rows of the table, (key, numbers), of estimates files."""
    outputs = Outputs(*(folder / f"classical.{name}" for name in FILES))
    performance(files, FOLDS, settings, outputs)
    return [one.words | one.numbers for one in COVERAGE.read(outputs.coverage)]


def table_of(folder: Path, columns: dict[str, np.ndarray], settings=SETTINGS, **said: str) -> dict:
    """Return axis, lower edge and quantity -> row of the network, from one file."""
    path = toys.write(folder / "estimates.parquet", columns, **said)
    rows = measured(folder, path, settings=settings)
    assert {row["estimator"] for row in rows} == {"deepmet"}
    found = {(row["axis"], row["bin_low"], row["bin_high"], row["quantity"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def of_all(table: dict) -> dict[str, float]:
    return {key[3]: row["value"] for key, row in table.items() if key[0] == "all"}


@pytest.fixture(scope="module")
def right(tmp_path_factory) -> dict:
    settings = toys.settings(replicas=100, **WIDE)
    return table_of(tmp_path_factory.mktemp("right"), made(), settings)


def test_the_right_covariance_covers_what_it_should_in_every_bin(right):
    expected = {"covered_68": 0.6827, "covered_95": 0.95, "pull_par": 0.9945, "pull_perp": 0.9945}
    assert {key[0] for key in right} == set(coverage.AXES)
    for (axis, low, _, quantity), row in right.items():
        if quantity == "spearman":
            continue
        n = row["n_events"]
        assert n > 300, (axis, low)
        share = expected[quantity]
        # of a quantile at 16 %, sqrt(p (1 - p)) / density, of half the difference of two of them
        error = math.sqrt(share * (1 - share)) if "covered" in quantity else 1.07
        assert row["value"] == pytest.approx(share, abs=4.0 * error / math.sqrt(n)), row
        width = row["err_high"] - row["err_low"]
        assert 0.6 < width / (2.0 * error / math.sqrt(n)) < 1.5, row


def test_rows_are_those_of_the_axes_and_of_the_folds(right):
    edges = [(key[0], key[1], key[2]) for key in right if key[3] == "pull_par"]
    ranges = sorted((low, high) for low, high in SETTINGS.qt_ranges)
    assert edges == [
        ("all", -math.inf, math.inf), *(("qt", *one) for one in ranges),
        ("n_pv", 0.0, 20.0), ("n_pv", 20.0, 1000.0),
        ("n_jets", 0.0, 1.0), ("n_jets", 1.0, 2.0), ("n_jets", 2.0, 3.0),
        ("n_jets", 3.0, math.inf),
    ]  # fmt: skip
    assert [key[0] for key in right if key[3] == "spearman"] == ["all"]
    columns = made()
    tested = np.isin(columns["fold"], FOLDS.test)
    whole = right["all", -math.inf, math.inf, "covered_68"]["n_events"]
    assert whole == tested.sum()
    three = tested & (columns["n_jets"] >= 3)
    assert right["n_jets", 3.0, math.inf, "covered_68"]["n_events"] == three.sum()


@pytest.mark.parametrize("wrong", [2.0, 0.5])
def test_a_wrong_covariance_covers_what_follows_from_that(tmp_path, wrong):
    found = of_all(table_of(tmp_path, made(wrong=wrong)))
    n = N * 0.6
    for name, quantile in (("covered_68", 2.2957), ("covered_95", 5.9915)):
        share = 1.0 - math.exp(-quantile / (2.0 * wrong**2))
        assert found[name] == pytest.approx(share, abs=4.0 * math.sqrt(share * (1 - share) / n))
    for name in ("pull_par", "pull_perp"):
        assert found[name] == pytest.approx(0.9945 * wrong, rel=0.03)


@pytest.mark.parametrize(("kind", "selection"), [("dilepton", "zmumu"), ("none", "none")])
def test_turned_events_have_the_same_coverage(tmp_path, kind, selection):
    columns = made(4000, kind)
    angles = np.random.default_rng(3).uniform(-np.pi, np.pi, 4000)
    (tmp_path / "turned").mkdir()
    plain = table_of(tmp_path, columns, selection=selection)
    other = table_of(tmp_path / "turned", turned(columns, angles), selection=selection)
    assert plain.keys() == other.keys()
    assert ("qt" in {key[0] for key in plain}) == (kind == "dilepton")
    for key, row in plain.items():
        for name in ("value", "err_low", "err_high", "n_events"):
            assert other[key][name] == pytest.approx(row[name], abs=1e-3), key


def test_pulls_are_along_the_recoil_or_the_estimate(tmp_path):
    """An error that is too large along the axis alone widens the pull along it alone."""
    for kind, selection in (("dilepton", "zmumu"), ("none", "none")):
        columns = made(6000, kind, flat=True)
        rng, name = np.random.default_rng(8), "boson" if kind == "dilepton" else "gen_met"
        x, y = columns[f"{name}_px"], columns[f"{name}_py"]
        if kind == "none":  # so large that the estimate points as the truth does
            x, y = (1000.0 * one / np.hypot(x, y) for one in (x, y))
            columns["gen_met_px"], columns["gen_met_py"] = x, y
        ux, uy = x / np.hypot(x, y), y / np.hypot(x, y)
        along, across = 27.0 * rng.normal(size=6000), 9.0 * rng.normal(size=6000)
        columns["deepmet_px"] = columns["gen_met_px"] + ux * along - uy * across
        columns["deepmet_py"] = columns["gen_met_py"] + uy * along + ux * across
        (tmp_path / kind).mkdir()
        found = of_all(table_of(tmp_path / kind, columns, selection=selection))
        assert found["pull_par"] == pytest.approx(3.0 * 0.9945, rel=0.08)
        assert found["pull_perp"] == pytest.approx(0.9945, rel=0.08)


def test_ranks_agree_with_those_of_single_events(right, tmp_path):
    scipy_stats = pytest.importorskip("scipy.stats")
    columns = made()
    kept = {name: values[np.isin(columns["fold"], FOLDS.test)] for name, values in columns.items()}
    size = np.sqrt(sum(kept[f"deepmet_error_{axes}"] ** 2 for axes in ("xx", "xy", "xy", "yy")))
    error = np.hypot(*(kept[f"deepmet_p{axis}"] - kept[f"gen_met_p{axis}"] for axis in "xy"))
    row = right["all", -math.inf, math.inf, "spearman"]
    assert row["value"] == pytest.approx(scipy_stats.spearmanr(size, error).statistic, abs=0.002)
    assert 0.5 < (row["err_high"] - row["err_low"]) / (2.0 / math.sqrt(size.size)) < 1.5
    # who predicts the same for all events cannot rank them
    flat = table_of(tmp_path, made(2000, flat=True))["all", -math.inf, math.inf, "spearman"]
    assert math.isnan(flat["value"])
    assert flat["n_events"] > 1000


def test_a_rank_correlation_of_known_pairs():
    order = np.eye(4)[:, :, None]
    signed = np.array([[2.0, -1.0], [-1.0, 2.0]])[:, :, None]
    np.testing.assert_allclose(rank_correlation(order), 1.0)
    np.testing.assert_allclose(rank_correlation(order[::-1]), -1.0)
    np.testing.assert_allclose(rank_correlation(np.ones((4, 4, 1))), 0.0, atol=1e-15)
    # mid-ranks of both groups are -1/4 and 1/4: (4 / 2 + 2 / 2) / 2 of 1/16 over 1/16
    np.testing.assert_allclose(rank_correlation(signed), 3.0)
    assert np.isnan(rank_correlation(np.zeros((4, 4, 1)))).all()
    assert np.isnan(rank_correlation(np.ones((1, 4, 1)))).all()


def test_events_count_with_their_weights_and_negative_ones_take_away(tmp_path):
    """Events of another kind, each with one of the opposite weight, change nothing."""
    columns = made(3000)
    spoiled = {name: values.copy() for name, values in made(1000, wrong=3.0).items()}
    again = {name: values.copy() for name, values in spoiled.items()}
    again["weight"] *= -1.0
    for i, one in enumerate((spoiled, again), 1):
        one["event"] += np.uint64(i * 1_000_000)
    for one in (spoiled, again):  # in the test folds, whatever they are called
        one["fold"][:] = 9
    joined = {name: np.concatenate([one[name] for one in (columns, spoiled, again)])
              for name in columns}  # fmt: skip
    (tmp_path / "more").mkdir()
    plain, other = table_of(tmp_path, columns), table_of(tmp_path / "more", joined)
    for name in coverage.LEVELS:
        key = ("all", -math.inf, math.inf, name)
        assert other[key]["value"] == pytest.approx(plain[key]["value"], abs=1e-6)
        assert other[key]["n_events"] == plain[key]["n_events"] + 2000


def test_the_order_of_files_and_their_cuts_change_no_byte(tmp_path):
    columns = made(3000)
    columns["weight"] = np.random.default_rng(2).normal(1.0, 0.5, 3000)
    whole = toys.write(tmp_path / "w.parquet", columns)
    halves = [
        toys.write(tmp_path / f"{part}.parquet", toys.select(columns, which), part=str(part))
        for part, which in enumerate((slice(1100, 3000), slice(0, 1100)))
    ]
    measured(tmp_path, whole)
    first = (tmp_path / "classical.coverage").read_bytes()
    measured(tmp_path, *halves)
    assert (tmp_path / "classical.coverage").read_bytes() == first


def test_without_uncertainties_or_truth_the_table_is_a_header(tmp_path):
    plain = toys.write(tmp_path / "a.parquet", toys.toy(500, estimators=ONE))
    assert measured(tmp_path, plain) == []
    assert (tmp_path / "classical.coverage").read_text() == COVERAGE.header()
    assert '"coverage"' not in (tmp_path / "classical.headline").read_text()
    unknown = {n: v for n, v in made(500).items() if not n.startswith("gen_")}
    data = toys.write(tmp_path / "b.parquet", unknown, is_data="true")
    assert measured(tmp_path, data) == []


def test_what_is_not_finite_is_left_out_and_said(tmp_path, caplog):
    columns = made(2000)
    tested = np.flatnonzero(np.isin(columns["fold"], FOLDS.test))
    columns["deepmet_error_xy"][tested[:7]] = np.nan
    columns["deepmet_px"][tested[7:10]] = np.nan
    columns["deepmet_error_yy"][tested[10:12]] = np.inf
    with caplog.at_level("WARNING"):
        found = table_of(tmp_path, columns)
    assert "the uncertainty of deepmet is not finite in 9 events" in caplog.text
    for name in (*coverage.LEVELS, *coverage.PULLS, coverage.SPEARMAN):
        row = found["all", -math.inf, math.inf, name]
        assert row["n_events"] == tested.size - 12, name


def test_who_claims_certainty_is_never_right(tmp_path):
    columns = made(1000)
    for axes in ("xx", "xy", "yy"):
        columns[f"deepmet_error_{axes}"][:] = 0.0
    found = of_all(table_of(tmp_path, columns))
    assert found["covered_68"] == found["covered_95"] == 0.0
    assert found["pull_par"] > 20.0


def test_too_few_events_are_listed_without_numbers(tmp_path):
    columns = made(60)
    columns["n_jets"][:] = 0
    table = table_of(tmp_path, columns)
    row = table["n_jets", 1.0, 2.0, "covered_68"]
    assert math.isnan(row["value"])
    assert row["n_events"] == 0
    assert table["n_jets", 0.0, 1.0, "covered_68"]["value"] > 0.3


def test_parts_of_a_sample_agree_on_who_has_uncertainties(tmp_path):
    columns = made(200)
    without = {name: values for name, values in columns.items() if "_error_" not in name}
    paths = [toys.write(tmp_path / "a.parquet", columns),
             toys.write(tmp_path / "b.parquet", without, part="1")]  # fmt: skip
    with pytest.raises(UserError, match=r"b\.parquet: estimators with uncertainties is \(\)"):
        sources(paths, ())
    assert sources(paths[:1], ())[0].uncertain == ("deepmet",)
