"""Selections and their bosons; prompt leptons; association; repairs of single values."""

from __future__ import annotations

import numpy as np
import pytest

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.events.objects.pinned import pinned
from ptmiss.events.readers.batch import UNKNOWN, EventBatch, Vector
from ptmiss.events.skim import derive, repair
from ptmiss.events.skim.select import clean_leptons, select
from skims import settings_of

CUTS = settings_of().selections


def batch(muons: list[list[tuple]], gen_met: Vector | None = None, **drop) -> EventBatch:
    """muons: per event, of (pt, eta, phi, charge, isolation)."""
    flat = np.array([m for event in muons for m in event], dtype=np.float64).reshape(-1, 5)
    names = ("pt", "eta", "phi", "charge", "isolation")
    columns = {name: flat[:, k] for k, name in enumerate(names) if name not in drop}
    columns["mass"] = np.full(len(flat), 0.10566)
    n = len(muons)
    none = Ragged(offsets_of(np.zeros(n, int)), {k: np.zeros(0) for k in ("pt", "eta", "phi")})
    ones = np.ones(n, dtype=np.int64)
    return EventBatch(
        ones, ones, np.arange(n), None, ones, ones, None, gen_met, {},
        Ragged(offsets_of(np.array([len(m) for m in muons])), columns), none, none, None,
    )  # fmt: skip


GOOD = [(45.6, 0.0, 0.0, 1, 0.0), (45.6, 0.0, np.pi, -1, 0.0)]


def changed(k: int, value: float) -> list[tuple]:
    """GOOD with one value of the second muon changed."""
    second = list(GOOD[1])
    second[k] = value
    return [GOOD[0], tuple(second)]


def test_z_reasons_in_order_of_the_cuts():
    events = batch([
        GOOD, GOOD[:1], changed(0, 25.0), changed(1, 2.5), changed(4, 0.2), changed(3, 1),
        changed(0, 60.0), [],
    ])  # fmt: skip
    result = select(events, CUTS["zmumu"], "x")
    names = [result.reasons[k] if k >= 0 else "" for k in result.reason]
    assert names == [
        "", "too few muons", "muon pt or eta", "muon pt or eta", "muon isolation", "muon charges",
        "dimuon mass", "too few muons",
    ]  # fmt: skip
    assert result.boson.px[0] == pytest.approx(0, abs=1e-12)
    assert result.boson.px[6] == pytest.approx(45.6 - 60)


def test_the_two_hardest_muons_decide():
    soft = (5.0, 0.0, 1.0, 1, 0.9)
    result = select(batch([[soft, GOOD[1], soft, GOOD[0]]]), CUTS["zmumu"], "x")
    assert result.passed.all()
    assert result.leading.tolist() == [[1, 3]] or result.leading.tolist() == [[3, 1]]


def test_w_boson_is_muon_plus_true_invisible():
    events = batch([GOOD[:1]], Vector(np.array([10.0]), np.array([-3.0])))
    boson = select(events, CUTS["wmunu"], "x").boson
    assert (boson.px[0], boson.py[0]) == pytest.approx((55.6, -3.0))
    assert np.isnan(select(batch([GOOD[:1]]), CUTS["wmunu"], "x").boson.px[0])


def test_none_keeps_all_and_cleans_jets_of_isolated_leptons():
    events = batch([[GOOD[0], (45.6, 1.0, 1.0, 1, 0.5)], [(5.0, 0.0, 0.0, 1, 0.0)]])
    result = select(events, CUTS["none"], "x")
    assert result.passed.all()
    assert np.isnan(result.boson.px).all()
    assert clean_leptons(events, result, 10.0, 0.15).counts.tolist() == [1, 0]


def test_selection_without_isolation_is_refused():
    with pytest.raises(UserError, match="isolation"):
        select(batch([GOOD], isolation=True), CUTS["zmumu"], "file.root")


def test_pinned():
    pt = np.array([10.0, 10.1, 50.0, 50.0, 50.0], dtype=np.float32)
    got = pinned(pt, np.array([13, -13, 11, 211, 13]), np.array([3, 2, 3, 3, 1]), 10.0)
    assert got.tolist() == [False, True, True, False, False]


def cands(**columns) -> Ragged:
    n = len(next(iter(columns.values())))
    return Ragged(np.array([0, n]), {name: np.array(v) for name, v in columns.items()})


LIMITS = derive.Limits(tight=0.03, weighted=0.1, loose=0.3)
NAN = np.nan


@pytest.mark.parametrize(
    ("of", "quality", "expected"),
    [
        # of the primary vertex by dz: in its tight fit, in its loose fit, in none
        ({"dz": 0.02}, 7, 3), ({"dz": -0.02}, 6, 2), ({"dz": 0.02}, 1, 2),
        # of another vertex: in its fit, in none
        ({"dz": -0.04}, 7, 0), ({"dz": 5.0}, 6, 0), ({"dz": 0.04}, 5, 1), ({"dz": 5.0}, 0, 1),
        # electrons and muons are never below 2
        ({"dz": 5.0, "pdg_id": 13}, 7, 2), ({"dz": 5.0, "pdg_id": -11}, 1, 2),
        ({"dz": 0.0, "pdg_id": 11}, 7, 3),
        # neutral candidates count as in the fit
        ({"charge": 0, "pdg_id": 22, "dz": 0.0, "dz_error": -1.0}, 7, 3),
        # without track detail the standard PUPPI weight tells the vertex
        ({"dz_error": -1.0, "weight": 1.0}, 7, 3), ({"dz_error": -1.0, "weight": 1.0}, 1, 2),
        ({"dz_error": -1.0, "weight": 0.0}, 7, 0), ({"dz_error": -1.0, "weight": 0.0}, 1, 1),
        ({"dz": NAN, "weight": 1.0}, 7, 3),
        # nothing is known
        ({"dz_error": -1.0}, 7, 1), ({"dz": NAN}, 7, 1),
        # of a track in a fit the weight tells it too, but for tracks of the next vertices
        ({"dz": 0.02, "weight": 0.0}, 7, 0), ({"dz": 0.05, "weight": 1.0}, 7, 3),
        ({"dz": 0.15, "weight": 1.0}, 7, 0),
        # of one in no fit it does not: undecided tracks have 1 up to |dz| = 0.3 cm
        ({"dz": 0.02, "weight": 0.0}, 5, 2), ({"dz": 0.05, "weight": 1.0}, 5, 1),
    ],
)  # fmt: skip
def test_from_pv_follows_the_rule_of_miniaod(of, quality, expected):
    of = {"charge": 1, "pdg_id": 211, "dz": 0.0, "dz_error": 0.01, "weight": NAN} | of
    weight = of.pop("weight")
    columns = {name: [value] for name, value in of.items()} | {"quality": [quality]}
    found = derive.association(cands(**columns, puppi=[weight]), LIMITS, "standard")
    assert (found[0].tolist(), found[1]) == ([expected], int(of["charge"] != 0))
    other = derive.association(cands(**columns, puppi_standard=[weight]), LIMITS, "no_lepton")
    assert other[0].tolist() == [expected]
    if np.isnan(weight):
        assert derive.association(cands(**columns), LIMITS, "no_lepton")[0].tolist() == [expected]


def test_weight_without_leptons_tells_no_vertex_of_a_lepton():
    columns = cands(
        charge=[1, 1], pdg_id=[13, 211], dz=[5.0, 0.02], dz_error=[0.01, 0.01], quality=[7, 7],
        puppi=[1.0, 0.0],
    )  # fmt: skip
    assert derive.association(columns, LIMITS, "no_lepton")[0].tolist() == [2, 0]


def test_from_pv_without_quality():
    columns = cands(charge=[1] * 4, pdg_id=[211] * 4, dz=[0.02, 0.2, 0.4, NAN])
    assert derive.association(columns, LIMITS, "no_lepton")[0].tolist() == [3, 1, 0, 1]


def test_association_keeps_what_is_given():
    columns = cands(charge=[1, 1], pdg_id=[211, 211], dz=[0.0, 0.0], from_pv=[0, UNKNOWN])
    values, n = derive.association(columns, LIMITS, "no_lepton")
    assert (values.tolist(), n) == ([0, 3], 1)


def test_mend_counts_and_packing_is_no_repair():
    columns = cands(
        d0=[0.0, np.nan, 0.1], dz=[0.0, 1e7, 0.1], charge=[0, -3, 1], pdg_id=[7, 321, 211],
        from_pv=[3, 4, 2], puppi=[-0.002, 1.004, 2.0],
    )  # fmt: skip
    mended, counts = repair.mend(columns)
    assert mended["pdg_id"].tolist() == [130, -211, 211]
    assert mended["charge"].tolist() == [0, -1, 1]
    assert mended["from_pv"].tolist() == [3, 0, 2]
    assert mended["puppi"].tolist() == [0, 1, 1]
    assert counts == {
        "d0 not finite or beyond 1e6": 1, "dz not finite or beyond 1e6": 1,
        "charge not -1, 0 or 1": 1, "unknown pdgId": 2, "fromPV not 0..3": 1,
        "PUPPI weight not within 0..1": 1,
    }  # fmt: skip


def test_hardest_keeps_the_stored_order():
    columns = Ragged(np.array([0, 4, 5]), {"pt": np.array([1.0, 5.0, 3.0, 4.0, 9.0])})
    kept, dropped = repair.hardest(columns, 2)
    assert kept["pt"].tolist() == [5.0, 4.0, 9.0]
    assert sum(dropped.values()) == 2
