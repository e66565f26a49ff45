from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import performance_toys as toys
from ptmiss.core.stats.bootstrap import copies
from ptmiss.tasks.met.performance import roc
from ptmiss.tasks.met.performance.layouts import ROC
from ptmiss.tasks.met.performance.measure import measure
from ptmiss.tasks.met.performance.spectra import TRUTH, Spectrum, right_edge, spectra

SETTINGS = toys.settings(replicas=40)
NAMES = tuple(toys.ESTIMATORS)


def _spectra(columns, kind, names=NAMES, workers=1):
    chunk = toys.chunk(columns, kind=kind)
    parts = measure(lambda: [chunk], names, SETTINGS)
    keep = [names.index(name) for name in parts.estimators]
    return spectra(lambda: [chunk], parts, keep, SETTINGS, workers)


def _spectrum(contents, edges=None) -> Spectrum:
    """A histogram with nothing outside; contents (bins,) or (bins, r)."""
    contents = np.asarray(contents, dtype=float)
    contents = contents[:, None] if contents.ndim == 1 else contents
    hist = np.pad(contents, ((1, 1), (0, 0)))
    edges = np.arange(contents.shape[0] + 1.0) if edges is None else np.asarray(edges)
    return Spectrum(edges, hist, hist[:, 0].astype(np.int64), float(hist[:, 0].sum()))


def test_spectra_equal_histograms_of_each_replica():
    columns = toys.toy(2000, kind="w")
    columns["weight"] = np.random.default_rng(3).uniform(0.5, 2.0, 2000)
    found = _spectra(columns, "w", workers=2)
    boson = np.array([columns["boson_px"], columns["boson_py"]])
    true = np.array([columns["gen_met_px"], columns["gen_met_py"]])
    met = np.array([columns["pf_px"], columns["pf_py"]])
    muon = boson - true
    cosine = (muon * met).sum(axis=0) / np.hypot(*muon) / np.hypot(*met)
    expected = {
        ("met", "pf"): np.hypot(*met),
        ("gen_met", TRUTH): np.hypot(*true),
        ("mt", "pf"): np.sqrt(2.0 * np.hypot(*muon) * np.hypot(*met) * (1.0 - cosine)),
    }
    counts = copies(toys.chunk(columns).states, 40)
    for key, values in expected.items():
        edges = SETTINGS.mt_edges if key[0] == "mt" else SETTINGS.met_edges
        for r in (0, 1, 40):
            wanted, _ = np.histogram(
                values, bins=edges, weights=columns["weight"] * counts[:, r], density=True
            )
            np.testing.assert_allclose(found[key].density()[:, r], wanted, rtol=1e-5, atol=1e-12)
        assert found[key].n_events.sum() == 2000
        assert found[key].events()[0] == 2000
    total = columns["weight"].sum() ** 2 / (columns["weight"] ** 2).sum()
    assert found["met", "pf"].events()[1] == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("dilepton", {"met"}), ("none", {"met", "gen_met"}), ("w", {"met", "gen_met", "mt"})],
)
def test_spectra_follow_what_the_sample_has(kind, expected):
    found = _spectra(toys.toy(300, kind=kind), kind)
    assert {name for name, _ in found} == expected
    assert {name for shape, name in found if shape == "met"} == set(NAMES)


def test_estimates_that_are_not_finite_or_absent_are_left_out():
    columns = toys.toy(300)
    columns["pf_px"][:] = np.nan
    columns["puppi_py"][:10] = np.inf
    found = _spectra(columns, "dilepton")
    assert set(found) == {("met", "puppi"), ("met", "oracle")}
    assert found["met", "puppi"].n_events.sum() == 290


def test_bins_without_events_are_empty_and_not_zero():
    values = list(_spectrum([3.0, 0.0, 1.0]).values())
    assert [value.n_events for _, _, value in values] == [3, 0, 1]
    assert values[1][2].values is None
    assert values[0][2].values[0] == 0.75


def test_right_edge_by_hand():
    # peak of 8 in the middle 2.5, half of it between the middles 4.5 (6) and 5.5 (2)
    width, place = right_edge(_spectrum([1.0, 4.0, 8.0, 7.0, 6.0, 2.0, 0.0]))
    assert place[0] == 5.0
    assert width[0] == 2.5
    width, _ = right_edge(_spectrum([1.0, 2.0, 8.0]))
    assert np.isnan(width[0])
    width, _ = right_edge(_spectrum([0.0, 0.0]))
    assert np.isnan(width[0])


def test_the_jacobian_edge_of_a_toy_is_where_it_was_put():
    """A better estimator has a sharper edge; that of the truth lies at the mass of the W."""
    rng = np.random.default_rng(4)
    n = 20_000
    columns = toys.toy(n, kind="w", estimators={"pf": (1.0, 1.0), "oracle": (1.0, 1.0)})
    cosine, phi = rng.uniform(-1.0, 1.0, n), rng.uniform(-np.pi, np.pi, n)
    lepton = 40.2 * np.sqrt(1.0 - cosine**2) * np.array([np.cos(phi), np.sin(phi)])
    columns["gen_met_px"], columns["gen_met_py"] = -lepton
    columns["boson_px"], columns["boson_py"] = np.full(n, 1e-6), np.zeros(n)
    for name, sigma in (("pf", 20.0), ("oracle", 5.0)):
        columns[f"{name}_px"], columns[f"{name}_py"] = -lepton + rng.normal(0.0, sigma, (2, n))
    found = _spectra(columns, "w", ("pf", "oracle"))
    widths = {name: right_edge(found["mt", name])[0] for name in ("pf", "oracle", TRUTH)}
    assert widths["pf"][0] > widths["oracle"][0] > widths[TRUTH][0]
    _, place = right_edge(found["mt", TRUTH])
    assert abs(place[0] - 80.4) < 5.0  # a bin


def test_area_by_hand():
    # all of the signal above all of the background; equal ones; and half of the way
    low, high = _spectrum([4.0, 0.0]), _spectrum([0.0, 4.0])
    assert roc.area(high, low).values[0] == 1.0
    assert roc.area(low, high).values[0] == 0.0
    assert roc.area(low, low).values[0] == 0.5
    assert roc.area(_spectrum([2.0, 2.0]), low).values[0] == 0.75


def test_area_is_the_chance_that_the_signal_is_larger():
    rng = np.random.default_rng(5)
    edges = np.linspace(0.0, 200.0, 101)
    samples = [np.abs(rng.normal(size, 20.0, 3000)) for size in (20.0, 60.0)]
    background, signal = (_spectrum(np.histogram(x, edges)[0], edges) for x in samples)
    chance = (samples[1][:, None] > samples[0][None, :]).mean()
    assert roc.area(signal, background).values[0] == pytest.approx(chance, abs=0.002)


def test_area_is_that_of_scikit_learn():
    rng = np.random.default_rng(6)
    edges = np.linspace(0.0, 200.0, 21)
    met = [np.abs(rng.normal(size, 20.0, 500)) for size in (20.0, 60.0)]
    weights = [rng.uniform(0.5, 2.0, 500) for _ in met]
    background, signal = (
        _spectrum(np.histogram(x, edges, weights=w)[0], edges)
        for x, w in zip(met, weights, strict=True)
    )
    bins = np.digitize(np.concatenate(met), edges)  # events of one bin count as equal in both
    is_signal = np.repeat([False, True], 500)
    expected = roc_auc_score(is_signal, bins, sample_weight=np.concatenate(weights))
    assert roc.area(signal, background).values[0] == pytest.approx(expected, rel=1e-12)


def test_curves_are_of_signals_over_backgrounds():
    shape = {"pf": _spectrum(np.full((3, 9), 2.0))}
    tails = [
        roc.Tail("signal", "nominal", shape, signal=True, background=False),
        roc.Tail("zmumu", "nominal", {**shape, "puppi": shape["pf"]}, False, True),
        roc.Tail("qcd", "nominal", shape, False, False),
    ]
    rows = [dict(zip(ROC.names, row, strict=True)) for row in roc.rows(tails)]
    assert {(row["signal"], row["background"], row["estimator"]) for row in rows} == {
        ("signal", "zmumu", "pf")
    }
    assert [row["threshold"] for row in rows] == [0.0, 1.0, 2.0, 3.0]
    efficiencies = [row["signal_efficiency"] for row in rows]
    np.testing.assert_allclose(efficiencies, [1.0, 2 / 3, 1 / 3, 0.0])
