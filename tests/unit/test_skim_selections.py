"""Selections of NanoAOD as analyses make them: Z to ee, pairs, triggers, filters, golden JSON."""

from __future__ import annotations

import json

import awkward as ak
import numpy as np
import pytest

from nanoaod_toys import write_nanoaod
from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.core.settings.base import from_mapping
from ptmiss.events.settings.skim import SkimSettings
from ptmiss.events.skim import golden
from ptmiss.events.skim.select import closest_pair
from skims import sample_of, settings_of, skim

DEFAULT = settings_of().model_dump(mode="json")["selections"]


def selected(tmp_path, kind, edit=None, file=None, sample=None, **cuts):
    """Skim a toy file with one selection; file, sample: options of the toy and of the sample."""
    write_nanoaod(tmp_path / "a.root", 40, edit=edit, **(file or {}))
    settings = {"selections": {"own": {**DEFAULT[kind], **cuts}}}
    given = {"source": "nanoaod", "selection": "own", **(sample or {})}
    return skim(tmp_path / "a.root", tmp_path, settings, **given)


def first(made, collection, field, value, n=5):
    """Set a field of the first lepton of the first n events."""
    flat = ak.to_numpy(ak.flatten(made[collection][field])).copy()
    counts = ak.to_numpy(ak.num(made[collection][field]))
    starts = np.cumsum(counts) - counts
    flat[starts[:n]] = value
    made[collection] = ak.with_field(made[collection], ak.unflatten(flat, counts), field)


ELECTRONS = {"lepton": "Electron"}
WIDE = {"mass_low": 60.0, "mass_high": 120.0, "electron_pt": 1.0}


@pytest.mark.parametrize("version", ["v9", "v15"])
@pytest.mark.parametrize("point", [("cutBased", 4), ("mvaIso_WP80", 1)])
def test_electrons_make_a_z(tmp_path, version, point):
    cuts = {"electron_id": {"name": point[0], "least": point[1]}, **WIDE}
    found = selected(tmp_path, "zee", file={"version": version, **ELECTRONS}, **cuts)
    assert found.table.num_rows == 40
    assert found.table.schema.metadata[b"selection"] == b"zee"
    boson = np.hypot(found.table["boson_px"].to_numpy(), found.table["boson_py"].to_numpy())
    assert (boson > 0.5).all()


@pytest.mark.parametrize(
    ("field", "value", "reason", "cuts"),
    [
        ("cutBased", 3, "too few electrons", {}),
        ("pt", 0.5, "electron pt or eta", {}),
        ("deltaEtaSC", 1.5, "electron gap", {}),
        ("pfRelIso03_all", 0.5, "electron isolation", {"electron_isolation": 0.1}),
        ("charge", -1, "electron charges", {}),
        ("mass", 200.0, "dielectron mass", {}),
    ],
)
def test_each_refusal_has_its_reason(tmp_path, field, value, reason, cuts):
    def edit(made):
        first(made, "Electron", field, value)

    found = selected(tmp_path, "zee", edit, ELECTRONS, **{**WIDE, **cuts})
    assert found.ledger.rejected == {reason: 5}
    assert found.table.num_rows == 35


def test_the_gap_is_of_the_supercluster_and_none_is_none(tmp_path):
    def edit(made):
        first(made, "Electron", "eta", 1.5)
        first(made, "Electron", "deltaEtaSC", -0.2)

    wide = {**WIDE, "mass_high": 10_000.0}
    assert selected(tmp_path, "zee", edit, ELECTRONS, **wide).table.num_rows == 40

    def inside(made):
        first(made, "Electron", "eta", 1.5)

    assert selected(tmp_path, "zee", inside, ELECTRONS, **wide).table.num_rows == 35
    wide["electron_gap"] = None
    assert selected(tmp_path, "zee", inside, ELECTRONS, **wide).table.num_rows == 40


MUONS = {"mass_low": 60.0, "mass_high": 120.0, "muon_pt": 1.0}


@pytest.mark.parametrize(
    ("field", "value", "reason", "cuts"),
    [
        ("tightId", False, "too few muons", {"muon_id": {"name": "tightId", "least": 1}}),
        ("pfIsoId", 3, "muon isolation", {"muon_isolation": {"name": "pfIsoId", "least": 4}}),
        ("looseId", False, "too few muons", {}),
    ],
)
def test_working_points_of_muons(tmp_path, field, value, reason, cuts):
    def edit(made):
        first(made, "Muon", field, value)

    assert selected(tmp_path, "zmumu", edit, **{**MUONS, **cuts}).ledger.rejected == {reason: 5}


def test_w_keeps_its_lepton_and_data_have_no_boson(tmp_path):
    file = {"lepton": "Electron", "w": True}
    cuts = {"electron_pt": 0.0}
    table, _ = selected(tmp_path, "wenu", file=file, **cuts)
    for axis in "xy":
        own = table[f"lepton_p{axis}"].to_numpy() + table[f"gen_met_p{axis}"].to_numpy()
        np.testing.assert_allclose(table[f"boson_p{axis}"].to_numpy(), own, atol=1e-3)
    data = {"file": {**file, "is_data": True}, "sample": {"is_data": True}}
    recorded, _ = selected(tmp_path, "wenu", **data, **cuts)
    assert recorded["boson_px"].null_count == recorded.num_rows == 40
    assert recorded["lepton_px"].null_count == 0
    muons, _ = selected(tmp_path, "zmumu")
    assert "lepton_px" not in muons.column_names


def leptons(*events):
    """Events of leptons (pt, phi, charge) at eta 0."""
    flat = np.array([one for event in events for one in event], dtype=float).reshape(-1, 3)
    columns = {"pt": flat[:, 0], "phi": flat[:, 1], "charge": flat[:, 2]}
    columns |= {"eta": np.zeros(len(flat)), "mass": np.zeros(len(flat))}
    return Ragged(offsets_of(np.array([len(event) for event in events])), columns)


def test_the_closest_pair_is_of_opposite_charge_and_nearest_to_the_z():
    made = leptons(
        [(60, 0, 1), (45, np.pi, 1), (45.6, 0.5, 1), (45.6, 0.5 + np.pi, -1)],
        [(60, 0, 1), (50, np.pi, -1), (45, np.pi, -1)],
        [(60, 0, 1), (50, np.pi, 1)],
        [(60, 0, 1)],
    )
    good = np.ones(len(made["pt"]), dtype=bool)
    assert closest_pair(made, good).tolist() == [[2, 3], [4, 6], [7, 8], [9, -1]]
    good[3] = False  # the good ones of the first event have one charge
    assert closest_pair(made, good)[0].tolist() == [0, 2]


def test_leading_or_closest_pair(tmp_path):
    def edit(made):
        muon = made["Muon"]
        third = ak.with_field(muon[:, :1], muon[:, :1].pt + 200.0, "pt")
        made["Muon"] = ak.concatenate([third, muon], axis=1)

    cuts = {**MUONS, "mass_low": 90.0, "mass_high": 92.0}
    leading = selected(tmp_path, "zmumu", edit, **cuts).ledger
    closest = selected(tmp_path, "zmumu", edit, pair="closest", **cuts)
    assert leading.events_kept < 5
    assert closest.table.num_rows > 35


def flags(*names):
    """A function that sets flags: (name, value) for the first 5 events."""

    def edit(made):
        for name, value in names:
            made.setdefault(name, np.zeros(40, dtype=bool))
            made[name][:5] = value

    return edit


def test_one_trigger_must_have_fired(tmp_path):
    edit = flags(("HLT_IsoMu24", False), ("HLT_Ele32_WPTight_Gsf", False))
    sample = {"triggers": ["HLT_IsoMu24", "HLT_Ele32_WPTight_Gsf"]}
    found = selected(tmp_path, "none", edit, sample=sample)
    assert found.ledger.rejected == {"no trigger fired": 5}
    sample = {"triggers": ["HLT_IsoMu24"]}
    assert selected(tmp_path, "none", flags(("HLT_Mu50", True)), sample=sample).table.num_rows == 40
    either = {"triggers": ["HLT_Mu50", "HLT_IsoMu24"]}
    edit = flags(("HLT_Mu50", True), ("HLT_IsoMu24", False))
    assert selected(tmp_path, "none", edit, sample=either).table.num_rows == 40


def test_all_filters_must_pass_and_each_is_a_reason(tmp_path):
    def edit(made):
        made["Flag_goodVertices"][:3] = False
        made["Flag_BadPFMuonFilter"][2:6] = False

    sample = {"filters": ["Flag_goodVertices", "Flag_BadPFMuonFilter"]}
    found = selected(tmp_path, "none", edit, sample=sample)
    # an event that fails both counts once, for the first
    assert found.ledger.rejected == {
        "filter Flag_goodVertices": 3, "filter Flag_BadPFMuonFilter": 3,
    }  # fmt: skip
    assert found.table.num_rows == 34


@pytest.mark.parametrize("key", ["triggers", "filters"])
def test_a_missing_branch_is_an_error_with_near_names(tmp_path, key):
    with pytest.raises(UserError, match=r"no branch HLT_IsoMu2, which triggers and filters") as e:
        selected(tmp_path, "none", sample={key: ["HLT_IsoMu2"]})
    assert "near names: HLT_IsoMu24" in str(e.value)
    assert "\n" not in str(e.value)
    assert not (tmp_path / "events.parquet").exists()


def test_a_branch_that_may_be_missing(tmp_path):
    sample = {"triggers": ["HLT_IsoTkMu24?"]}
    found = selected(tmp_path, "none", sample=sample)
    assert found.ledger.rejected == {"no trigger fired": 40}
    sample = {"triggers": ["HLT_IsoTkMu24?", "HLT_IsoMu24"], "filters": ["Flag_BadDz?"]}
    assert selected(tmp_path, "none", sample=sample).table.num_rows == 40


def test_an_identification_that_is_not_there_is_an_error_with_near_names(tmp_path):
    cuts = {"muon_id": {"name": "tigthId", "least": 1}}
    with pytest.raises(UserError, match=r"no branch Muon_tigthId, which the selection") as caught:
        selected(tmp_path, "zmumu", **cuts)
    assert "near names: Muon_tightId" in str(caught.value)


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("mass", "no electrons with mass, which the selection of kind 'zee' needs"),
        ("charge", "no electrons with charge"),
        ("deltaEtaSC", "no electrons with eta of the supercluster"),
    ],
)
def test_z_to_ee_needs(tmp_path, field, says):
    def edit(made):
        fields = [name for name in made["Electron"].fields if name != field]
        made["Electron"] = made["Electron"][fields]

    with pytest.raises(UserError, match=says) as caught:
        selected(tmp_path, "zee", edit, ELECTRONS, **WIDE)
    assert "\n" not in str(caught.value)


def certified(tmp_path, content) -> str:
    path = tmp_path / "golden.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_golden_json_keeps_certified_blocks(tmp_path):
    def edit(made):
        made["luminosityBlock"][:] = 1 + np.arange(40)
        made["run"][30:] = 999

    path = certified(tmp_path, {"362000": [[1, 10], [21, 25]], "362001": [[1, 40]]})
    sample = {"is_data": True, "golden_json": path}
    found = selected(tmp_path, "none", edit, {"is_data": True}, sample)
    assert found.table["lumi"].to_pylist() == [*range(1, 11), *range(21, 26)]
    assert found.ledger.rejected == {"not in the golden JSON": 25}


@pytest.mark.parametrize(
    ("ranges", "blocks", "good"),
    [
        ([[3, 5], [1, 2]], [0, 1, 2, 3, 5, 6], [0, 1, 1, 1, 1, 0]),
        ([[1, 10], [2, 3]], [2, 5, 10, 11], [1, 1, 1, 0]),
        ([[4, 4]], [3, 4, 5], [0, 1, 0]),
    ],
)
def test_ranges_in_any_order(tmp_path, ranges, blocks, good):
    read = golden.read(certified(tmp_path, {"7": ranges}))
    lumi = np.array(blocks, dtype=np.uint32)
    assert read.good(np.full(len(lumi), 7, np.uint32), lumi).tolist() == [bool(one) for one in good]
    assert not read.good(np.full(len(lumi), 8, np.uint32), lumi).any()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "no JSON"),
        ("[1, 2]", "its value is not an object with runs"),
        ({}, "its value is not an object with runs"),
        ({"a": [[1, 2]]}, "'a' is no run number"),
        ({"1": [1, 2]}, "run 1 has 1"),
        ({"1": [[1, 2, 3]]}, "run 1 has .1, 2, 3."),
        ({"1": [[1.5, 2]]}, "run 1 has .1.5, 2."),
        ({"1": [[True, 2]]}, "run 1 has .True, 2."),
        ({"1": []}, "run 1 has None"),
        ({"1": {"2": 3}}, "run 1 has None"),
        ({"1": [[5, 2]]}, "ends before it begins"),
        ('{"1": [[1, 2]], "1": [[3, 4]]}', "a run stands twice"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_golden_json_of_another_format_is_one_line(tmp_path, content, says):
    path = certified(tmp_path, content)
    with pytest.raises(UserError, match=says) as caught:
        selected(tmp_path, "none", file={"is_data": True}, sample={
            "is_data": True, "golden_json": path,
        })  # fmt: skip
    assert "golden.json: no golden JSON" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_settings_refuse():
    with pytest.raises(UserError, match="golden_json is of recorded collisions"):
        sample_of(source="nanoaod", golden_json="a.json")
    with pytest.raises(UserError, match="stands there twice"):
        sample_of(source="nanoaod", triggers=["HLT_A", "HLT_A"])
    with pytest.raises(UserError, match="triggers"):
        sample_of(source="nanoaod", triggers=["HLT A"])
    for change, says in (
        ({"electron_gap": [1.5, 1.4]}, "must rise"),
        ({"pair": "both"}, "'leading' or 'closest'"),
        ({"mass_low": 120.0}, "must be below mass_high"),
    ):
        values = settings_of().model_dump(mode="json")
        values["selections"]["zee"] |= change
        with pytest.raises(UserError, match=says):
            from_mapping(SkimSettings, values, "skim")
