"""From nominal and varied estimates to uncertainties."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from performance_toys import chunk, settings, toy, write
from ptmiss.core.errors import UserError
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.performance.run import Outputs, performance
from ptmiss.tasks.met.settings.uncertainty import UncertaintySettings
from ptmiss.tasks.met.uncertainty.combine import envelope, in_quadrature, shifts_of
from ptmiss.tasks.met.uncertainty.layouts import UNCERTAINTIES
from ptmiss.tasks.met.uncertainty.numbers import numbers
from ptmiss.tasks.met.uncertainty.pileup import profile, tilted
from ptmiss.tasks.met.uncertainty.run import uncertainty
from ptmiss.tasks.met.variations.names import VARIATIONS

FOLDS = FoldSettings(train=(0, 1, 2, 3, 4), validation=(5,), test=(6, 7, 8, 9))
WIDE = {"qt_edges": [0, 50, 400], "n_pv_edges": [4.5, 20.5, 40.5], "gen_ht_edges": [0, 1000],
        "gen_met_edges": [0, 500], "replicas": 30, "min_events": 10}  # fmt: skip
QUANTITIES = ("response", "sigma_par", "sigma_perp", "mean_met")
ONE = {"pf": (0.9, 25.0)}


def wanted(**changes) -> UncertaintySettings:
    values = {"pileup": 0.05, "axes": ("all", "qt"), "quantities": QUANTITIES, **changes}
    return UncertaintySettings(**values)


def test_each_direction_is_summed_in_quadrature_on_its_side() -> None:
    assert in_quadrature([(3.0, -1.0), (4.0, -2.0)]) == (5.0, -math.hypot(1.0, 2.0))
    assert in_quadrature([(-3.0, 12.0), (5.0, -4.0)]) == (13.0, -5.0)
    up, down = in_quadrature([])
    assert (up, down) == (0.0, 0.0)
    assert math.copysign(1.0, down) == 1.0


def test_of_shifts_to_the_same_side_the_larger_counts() -> None:
    assert envelope(0.3, 0.4) == (0.4, 0.0)
    assert envelope(-0.3, -0.1) == (0.0, -0.3)
    assert envelope(-0.3, 0.2) == (0.2, -0.3)
    assert in_quadrature([(3.0, 1.0), (4.0, 2.0)]) == (5.0, 0.0)


def test_a_source_needs_both_directions() -> None:
    varied = {"jes_up": 11.0, "jes_down": 9.5, "jer_up": 1.0, "jer_down": None}
    assert shifts_of(10.0, varied) == {"jes": (1.0, -0.5)}


@examples(max_examples=25)
@given(
    counts=st.lists(st.floats(0.1, 50.0), min_size=5, max_size=60),
    shift=st.floats(-0.1, 0.1),
)
def test_another_profile_has_another_mean_and_the_same_sum(counts, shift) -> None:
    observed = np.array([0.0, 0.0, 0.0, *counts])
    factor = tilted(observed, shift)
    number = np.arange(len(observed))
    target = np.average(number, weights=observed) * (1.0 + shift)
    if factor is None:
        assert not 3 < target < len(observed) - 1
        return
    assert np.sum(observed * factor) == pytest.approx(np.sum(observed), rel=1e-9)
    assert np.average(number, weights=observed * factor) == pytest.approx(target, rel=1e-6)
    assert np.all(np.diff(factor[3:]) * shift >= 0.0)


def test_a_poisson_profile_becomes_another_poisson_profile() -> None:
    number = np.arange(120)
    logs = np.array([math.lgamma(n + 1.0) for n in number])

    def poisson(mean):
        return np.exp(number * np.log(mean) - mean - logs)

    factor = tilted(poisson(20.0), 0.05)
    np.testing.assert_allclose(poisson(20.0) * factor, poisson(21.0), atol=1e-9)


def test_profiles_that_cannot_move() -> None:
    assert tilted(np.zeros(4), 0.05) is None
    assert tilted(np.array([0.0, 0.0, 7.0]), 0.05) is None
    assert tilted(np.array([0.0, 1.0, 1.0, -1.0]), 2.0) is None
    assert tilted(np.array([0.0, 1.0, 7.0]), 0.0).tolist() == [1.0, 1.0, 1.0]


def test_the_profile_is_of_weights() -> None:
    chunks = [(np.array([2.0, 2.0]), np.array([1.0, 0.5])), (np.array([4.0]), np.array([2.0])),
              (np.array([0.0]), np.array([3.0]))]  # fmt: skip
    assert profile(iter(chunks)).tolist() == [3.0, 0.0, 1.5, 0.0, 2.0]


def test_mean_of_ptmiss_3_4_5() -> None:
    columns = toy(40, estimators=ONE)
    columns["pf_px"], columns["pf_py"] = np.tile([3.0, 6.0], 20), np.tile([4.0, 8.0], 20)
    columns["weight"] = np.tile([1.0, 3.0], 20)
    asked = wanted(axes=("all",), quantities=("mean_met",))
    made = numbers(lambda: [chunk(columns)], ("pf",), settings(**WIDE), asked)
    found, bounds, n = made.values, made.bounds, made.n_events
    key = ("pf", "all", -math.inf, math.inf, "mean_met")
    assert n == 40
    assert set(found) == {key}
    assert found[key] == pytest.approx(8.75)  # (5 + 3 x 10) / 4
    error = math.sqrt(20 * (3.75**2 + 9 * 1.25**2)) / 80
    assert bounds[key] == pytest.approx((8.75 - error, 8.75 + error))


def rotated(columns, angle=0.0, factor=1.0):
    """The same events with another pf."""
    c, s = factor * math.cos(angle), factor * math.sin(angle)
    px, py = columns["pf_px"], columns["pf_py"]
    return {**columns, "pf_px": c * px - s * py, "pf_py": s * px + c * py}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Path]:
    """Nominal and varied estimates, where pTmiss changes by known factors, and the table."""
    folder = tmp_path_factory.mktemp("estimates")
    columns = toy(1500, estimators=ONE)
    paths = [write(folder / "nominal.parquet", columns)]
    tested = np.isin(columns["fold"], FOLDS.test)
    kept = {name: values[tested] for name, values in columns.items()}
    scale = {"jes_up": 1.03, "jes_down": 0.97, "jer_up": 1.01, "jer_down": 1.04,
             "unclustered_photon_up": 0.96, "unclustered_photon_down": 0.98}  # fmt: skip
    for name in VARIATIONS:
        varied = rotated(kept, factor=scale.get(name, 1.0))
        paths.append(write(folder / f"{name}.parquet", varied, variation=name))
    names = ("p.csv", "gains.csv", "spectra.csv", "roc.csv", "slices.csv", "c.csv", "h.json")
    outputs = Outputs(*(folder / name for name in names))
    performance(paths[:1], FOLDS, settings(**WIDE, slices={}), outputs)
    return paths, folder / "p.csv"


def made(files, folder: Path, **changes) -> list[dict[str, str]]:
    paths, table = files
    out = folder / "u.csv"
    uncertainty(paths, table, FOLDS, settings(**WIDE), wanted(**changes), out)
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


def test_shifts_are_those_that_were_put_in(files, tmp_path: Path) -> None:
    rows = made(files, tmp_path)
    assert tuple(rows[0]) == UNCERTAINTIES.names
    found = {
        row["source"]: row for row in rows if (row["axis"], row["quantity"]) == ("all", "mean_met")
    }
    assert list(found) == [
        "jes", "jer", "unclustered_charged", "unclustered_photon", "unclustered_neutral",
        "unclustered_forward", "lepton_scale", "pileup", "systematic", "total",
    ]  # fmt: skip
    mean = float(found["jes"]["nominal"])

    def shifts(source: str) -> tuple[float, float]:
        return float(found[source]["up"]), float(found[source]["down"])

    assert shifts("jes") == pytest.approx((0.03 * mean, -0.03 * mean), rel=1e-9)
    assert shifts("jer") == pytest.approx((0.01 * mean, 0.04 * mean), rel=1e-9)
    assert shifts("unclustered_photon") == pytest.approx((-0.04 * mean, -0.02 * mean), rel=1e-9)
    assert shifts("lepton_scale") == (0.0, 0.0)
    pileup = shifts("pileup")
    assert pileup[0] * pileup[1] < 0.0
    up, down = max(*pileup, 0.0), min(*pileup, 0.0)
    both = math.hypot(0.05 * mean, up), -math.hypot(0.05 * mean, down)
    assert shifts("systematic") == pytest.approx(both, rel=1e-9)
    low, high = (float(found["total"][name]) for name in ("stat_low", "stat_high"))
    assert low < mean < high
    total = math.hypot(both[0], high - mean), -math.hypot(both[1], mean - low)
    assert shifts("total") == pytest.approx(total, rel=1e-9)


def test_nominal_numbers_and_intervals_are_those_of_the_performance_table(
    files, tmp_path: Path
) -> None:
    with files[1].open(newline="") as file:
        names = ("axis", "bin_low", "bin_high", "quantity")
        table = {tuple(row[name] for name in names): row for row in csv.DictReader(file)}
    rows = [row for row in made(files, tmp_path) if row["quantity"] != "mean_met"]
    assert {row["axis"] for row in rows} == {"all", "qt"}
    assert {row["quantity"] for row in rows} == {"response", "sigma_par", "sigma_perp"}
    for row in rows:
        other = table[tuple(row[name] for name in names)]
        assert row["nominal"] == other["value"]
        assert (row["stat_low"], row["stat_high"]) == (other["err_low"], other["err_high"])


def test_a_scale_of_the_recoil_moves_the_response(files, tmp_path: Path) -> None:
    rows = made(files, tmp_path)
    jes = next(row for row in rows if (row["quantity"], row["source"]) == ("response", "jes"))
    # pTmiss = -(boson + u): 1.03 pTmiss moves <u_par> by 0.03 (<u_par> - <q_t>)
    assert float(jes["up"]) == pytest.approx(0.03 * (float(jes["nominal"]) - 1.0), rel=1e-6)


def test_no_pileup_shift_is_exactly_nothing(files, tmp_path: Path) -> None:
    rows = [row for row in made(files, tmp_path, pileup=0.0) if row["source"] == "pileup"]
    assert {(row["up"], row["down"]) for row in rows} == {("0.0", "0.0")}


def test_without_a_statistical_interval_there_is_no_total(files, tmp_path: Path) -> None:
    lines = files[1].read_text().splitlines()
    (tmp_path / "p.csv").write_text(lines[0] + "\n")
    rows = made((files[0], tmp_path / "p.csv"), tmp_path)
    chosen = [row for row in rows if row["quantity"] == "response"]
    assert {row["stat_low"] for row in chosen} == {""}
    assert {row["up"] for row in chosen if row["source"] == "total"} == {""}
    assert "" not in {row["up"] for row in chosen if row["source"] == "systematic"}


def test_what_does_not_belong_together_is_refused(files, tmp_path: Path) -> None:
    paths, table = files
    with pytest.raises(
        UserError, match="lacks the variation jes_down; make it with the stage vary"
    ):
        made(([path for path in paths if path.stem != "jes_down"], table), tmp_path)
    with pytest.raises(UserError, match=r"lacks the variation nominal; .* stage evaluate"):
        made((paths[1:], table), tmp_path)
    columns = toy(300, estimators=ONE)
    replaced = [path for path in paths if path.stem != "jes_up"]
    fewer = write(tmp_path / "fewer.parquet", columns, variation="jes_up")
    with pytest.raises(UserError, match=r"jes_up of zmumu has \d+ events"):
        made(([*replaced, fewer], table), tmp_path)
    columns = toy(300, estimators={"puppi": (0.9, 20.0)})
    other = write(tmp_path / "other.parquet", columns, variation="jes_up")
    with pytest.raises(UserError, match="has the estimators puppi, the nominal one pf"):
        made(([*replaced, other], table), tmp_path)
    with pytest.raises(UserError, match=r"none\.csv: no such file; run the stage performance"):
        made((paths, tmp_path / "none.csv"), tmp_path)
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"bad\.csv: found the columns a, b; missing sample"):
        made((paths, tmp_path / "bad.csv"), tmp_path)
    assert not (tmp_path / "u.csv").exists()


def test_data_have_no_uncertainties(tmp_path: Path) -> None:
    columns = toy(60, estimators=ONE)
    paths = [
        write(tmp_path / f"{name}.parquet", columns, variation=name, is_data="true")
        for name in ("nominal", *VARIATIONS)
    ]
    (tmp_path / "p.csv").write_text("variation\n")
    with pytest.raises(UserError, match="sample zmumu is data"):
        made((paths, tmp_path / "p.csv"), tmp_path)
