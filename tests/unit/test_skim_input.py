"""Bad input of the skim: one clear line, or a counted repair; nothing half-written."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from ptmiss.core.errors import UserError
from ptmiss.events.readers import branches
from ptmiss.events.readers.branches import expected
from skims import skim
from toys import make_toy, pfnano_branches, write_pfnano, write_tree

SMALL = {"pileup": 2.0, "per_collision": 8.0, "per_hard": 10.0}
REQUIRED = [
    field.within("PFCands")[0]
    for field in expected("pfnano").fields.values()
    if field.required is not False
]


@functools.cache
def small_toy():
    return make_toy(12, 3, **SMALL)


def refused(path: Path | list[Path], tmp_path: Path, **changes) -> str:
    out = tmp_path / "out"
    with pytest.raises(UserError) as caught:
        skim(path, out, **changes)
    left = list(out.rglob("*")) if out.exists() else []
    assert left == [], "something half-written was left"
    text = str(caught.value)
    assert "\n" not in text
    assert (path[-1] if isinstance(path, list) else path).name in text
    return text


def written(path: Path, edit=None, **options) -> Path:
    write_pfnano(path, toy=small_toy(), edit=edit, **options)
    return path


def test_truncated_at_50_lengths(tmp_path):
    whole = written(tmp_path / "whole.root").read_bytes()
    cut = tmp_path / "cut.root"
    lengths = np.random.default_rng(5).integers(1, len(whole), 50)
    for length in lengths:
        cut.write_bytes(whole[:length])
        assert "truncated" in refused(cut, tmp_path)


def test_damage_inside_a_basket_is_refused_by_branch(tmp_path):
    path = written(tmp_path / "a.root")
    with uproot.open(path) as file:
        branch = file["Events"]["PFCands_charge"]
        seek = int(branch.member("fBasketSeek")[0])
        size = int(branch.member("fBasketBytes")[0])
    content = bytearray(path.read_bytes())
    content[seek + size - 60 : seek + size - 20] = b"\xff" * 40
    path.write_bytes(content)
    assert "PFCands_charge" in refused(path, tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "0 bytes"),
        (b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 3, "web page"),
        (b"PAR1" + b"x" * 100, "not a ROOT file"),
    ],
)
def test_not_root(tmp_path, content, says):
    path = tmp_path / "a.root"
    path.write_bytes(content)
    assert says in refused(path, tmp_path)


def test_missing_tree_names_what_is_there(tmp_path):
    path = written(tmp_path / "a.root", tree="Runs")
    text = refused(path, tmp_path)
    assert "Events" in text
    assert "Runs" in text


def test_absent_file(tmp_path):
    assert "No such file" in refused(tmp_path / "no.root", tmp_path)


@pytest.mark.parametrize("name", REQUIRED)
def test_each_required_branch_missing(tmp_path, name):
    drop = (name, "PV_npvsGood") if name == "PV_npvs" else (name,)
    path = written(tmp_path / "a.root", drop=drop)
    assert f"no branch {name}" in refused(path, tmp_path)


def test_renamed_branch_gets_a_hint(tmp_path):
    def rename(branches):
        cands = branches["PFCands"]
        cands["Eta"] = cands["eta"]
        branches["PFCands"] = cands[[f for f in cands.fields if f != "eta"]]

    assert "nearest name is PFCands_Eta" in refused(written(tmp_path / "a.root", rename), tmp_path)


def test_wrong_types(tmp_path):
    def flat(branches):
        branches["GenMET_pt"] = ak.Array([[1.0]] * 12)

    def floating(branches):
        branches["PFCands"]["pdgId"] = ak.values_astype(branches["PFCands"]["pdgId"], "float32")

    assert "expected one number an event" in refused(written(tmp_path / "a.root", flat), tmp_path)
    assert "expected whole numbers" in refused(written(tmp_path / "b.root", floating), tmp_path)


def test_data_needs_no_generator_branches(tmp_path):
    path = written(tmp_path / "a.root", drop=("GenMET_pt", "GenMET_phi", "genWeight"))
    assert "is_data" in refused(path, tmp_path)
    table, _ = skim(path, tmp_path, is_data=True)
    assert table["weight"].to_pylist() == [1.0] * 12
    assert table["gen_met_px"].null_count == table["gen_ht"].null_count == 12


def spoil(field: str, value: float, every: int = 5):
    def edit(branches):
        cands = branches["PFCands"]
        counts = ak.num(cands["pt"])
        flat = ak.to_numpy(ak.flatten(cands[field])).copy()
        flat[::every] = value
        cands[field] = ak.unflatten(flat, counts)

    return edit


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38])
@pytest.mark.parametrize(
    "field", ["pt", "eta", "phi", "mass", "d0", "dz", "puppiWeightNoLep", "truth"]
)
def test_not_finite_in_each_column(tmp_path, field, value):
    # where dzErr says that a track has no detail, d0 and dz are not looked at
    drop = ("PFCands_dzErr",) if field in ("d0", "dz") else ()
    path = written(tmp_path / "a.root", spoil(field, value), drop=drop)
    n = len(small_toy().candidates["pt"])
    spoiled = -(-n // 5)
    table, ledger = skim(path, tmp_path)
    assert ledger.events_in == ledger.events_kept == 12
    assert ledger.candidates_in == n
    for name in table.column_names:
        if name.startswith("cand_") and name != "cand_pinned":
            flat = ak.to_numpy(ak.flatten(ak.from_arrow(table[name])))
            assert np.isfinite(flat).all()
    if field in ("pt", "eta", "phi", "mass"):
        assert sum(ledger.dropped.values()) == spoiled
        assert ledger.candidates_kept == n - spoiled
    else:
        assert sum(ledger.repaired.values()) == spoiled
        assert ledger.candidates_kept == n


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [("pdgId", 2212, "unknown pdgId"), ("fromPV", 9, "fromPV not 0..3"), ("charge", 3, "charge")],
)
def test_unknown_codes_are_counted(tmp_path, field, value, reason):
    path = written(tmp_path / "a.root", spoil(field, value))
    table, ledger = skim(path, tmp_path)
    n = -(-len(small_toy().candidates["pt"]) // 5)
    assert {k: v for k, v in ledger.repaired.items() if k.startswith(reason)} == {
        next(iter(ledger.repaired)): n
    }
    assert set(ak.flatten(ak.from_arrow(table["cand_charge"])).tolist()) <= {-1, 0, 1}
    assert set(ak.flatten(ak.from_arrow(table["cand_from_pv"])).tolist()) <= {0, 1, 2, 3}


def test_mev_and_degrees_are_guessed(tmp_path):
    def scaled(field, factor):
        def edit(branches):
            branches["PFCands"][field] = branches["PFCands"][field] * np.float32(factor)

        return edit

    assert "MeV" in refused(written(tmp_path / "a.root", scaled("pt", 1000)), tmp_path)
    assert "degrees" in refused(written(tmp_path / "b.root", scaled("phi", 57.3)), tmp_path)


def one_size(n: int):
    """Events with 0, n and 1 candidates."""
    toy = make_toy(3, 3, pileup=0.0, per_hard=0.0)
    rng = np.random.default_rng(1)
    counts = np.array([0, n, 1])
    size = counts.sum()
    source = make_toy(1, 1, **SMALL).candidates
    pick = rng.integers(0, len(source["pt"]), size)
    toy.candidates = {name: values[pick] for name, values in source.items()}
    toy.candidates["pt"] = rng.exponential(1.0, size).astype(np.float32) + np.float32(0.1)
    toy.counts = counts
    return toy


@pytest.mark.parametrize("n", [1, 4499, 4500, 4501, 20_000])
def test_number_of_candidates(tmp_path, n):
    toy = one_size(n)
    write_pfnano(tmp_path / "a.root", toy=toy)
    table, ledger = skim(tmp_path / "a.root", tmp_path)
    kept = ak.from_arrow(table["cand_pt"])
    assert ak.num(kept).tolist() == [0, min(n, 4500), 1]
    assert ledger.candidates_in == n + 1 == ledger.candidates_kept + sum(ledger.dropped.values())
    hardest = np.sort(toy.candidates["pt"][:n])[::-1][:4500]
    np.testing.assert_array_equal(np.sort(kept[1].to_numpy())[::-1], hardest)


def test_duplicates_of_recorded_events_in_and_between_files(tmp_path):
    def repeat(branches):
        branches["event"] = np.array([5, 6, 5, 7, 8, 9, 10, 11, 12, 13, 14, 5], dtype=np.uint64)
        branches["luminosityBlock"] = np.ones(12, dtype=np.uint32)

    a, b = written(tmp_path / "a.root", repeat), written(tmp_path / "b.root", repeat)
    table, ledger = skim([a, b], tmp_path, {"chunk_events": 2}, is_data=True)
    assert sorted(table["event"].to_pylist()) == list(range(5, 15))
    assert ledger.rejected == {"duplicate of run, lumi and event": 14}
    assert ledger.events_in == 24


def test_weights_of_any_sign_add_up(tmp_path):
    weights = np.array([0, -1.5, 1e9, 2, np.nan, 1, 1, -np.inf, 0.1, 0.2, 0.3, -0.4], np.float32)

    def edit(branches):
        branches["genWeight"] = weights

    path = written(tmp_path / "a.root", edit)
    table, ledger = skim(path, tmp_path, cross_section=3.0, sum_of_weights=6.0)
    usable = weights[np.isfinite(weights)].astype(np.float64) / 2
    assert table["weight"].to_pylist() == usable.tolist()
    assert ledger.rejected == {"generator weight not finite": 2}
    assert ledger.weight_in == ledger.weight_kept == pytest.approx(usable.sum(), rel=1e-15)


def with_energy(path: Path, text: str) -> Path:
    """Write a file that says its centre-of-mass energy, as those of our simulation do."""
    branches = pfnano_branches(small_toy())
    write_tree(path, branches)
    with uproot.update(path) as file:
        file["sqrt_s"] = text
    return path


def said(files, tmp_path, **sample) -> str:
    metadata = skim(files, tmp_path, **sample).table.schema.metadata
    return metadata.get(b"sqrt_s", b"").decode()


def test_the_energy_is_what_file_or_settings_say(tmp_path):
    plain, hot = written(tmp_path / "a.root"), with_energy(tmp_path / "b.root", "13.6")
    assert said(plain, tmp_path) == ""
    assert said(plain, tmp_path, sqrt_s=None) == ""
    assert said(plain, tmp_path, sqrt_s=13.0) == "13"
    assert said(hot, tmp_path) == "13.6"
    assert said([plain, hot], tmp_path, sqrt_s=13.6) == "13.6"


def test_energies_that_disagree_are_one_line(tmp_path):
    plain, hot = written(tmp_path / "a.root"), with_energy(tmp_path / "b.root", "13.6")
    assert "b.root: sqrt(s) is 13.6 TeV, but samples.test.sqrt_s is 13;" in refused(
        hot, tmp_path, sqrt_s=13.0
    )
    text = refused([plain, hot], tmp_path)
    assert "b.root: sqrt(s) is 13.6 TeV, but is not said in" in text
    with_energy(tmp_path / "c.root", "high")
    assert "text 'sqrt_s' cannot be read" in refused(tmp_path / "c.root", tmp_path)


def test_generator_met_not_finite(tmp_path):
    def edit(branches):
        branches["GenMET_phi"] = np.where(np.arange(12) == 3, np.nan, branches["GenMET_phi"])

    table, ledger = skim(written(tmp_path / "a.root", edit), tmp_path)
    assert table.num_rows == 11
    assert ledger.rejected == {"generator MET not finite": 1}


def test_stored_met_not_finite_is_null_and_counted(tmp_path):
    def edit(branches):
        branches["RawMET_pt"] = np.where(np.arange(12) == 3, np.nan, branches["RawMET_pt"])

    table, ledger = skim(written(tmp_path / "a.root", edit), tmp_path)
    assert table["stored_raw_pf_px"].null_count == 1
    assert ledger.as_dict()["stored_mets_not_finite"] == {"raw_pf": 1}


def test_all_rejected_and_empty_files_give_valid_empty_output(tmp_path):
    def unusable(branches):
        branches["genWeight"] = np.full(12, np.nan, dtype=np.float32)

    path = written(tmp_path / "a.root", unusable)
    assert skim(path, tmp_path).table.num_rows == 0
    empty = {name: values[:0] for name, values in pfnano_branches(small_toy()).items()}
    write_tree(tmp_path / "b.root", empty)
    table, ledger = skim(tmp_path / "b.root", tmp_path)
    assert (table.num_rows, ledger.events_in) == (0, 0)
    assert json.loads((tmp_path / "ledger.json").read_text())["inputs"][0]["events"] == 0


def test_counts_that_differ_between_branches_are_refused(tmp_path):
    branches = pfnano_branches(small_toy())
    cands = branches.pop("PFCands")
    for field in cands.fields:
        branches[f"PFCands_{field}"] = cands[field][:, 1:] if field == "phi" else cands[field]
    write_tree(tmp_path / "a.root", branches)
    assert "equally many" in refused(tmp_path / "a.root", tmp_path)


def test_missing_from_pv_can_be_refused(tmp_path):
    path = written(tmp_path / "a.root", drop=("PFCands_fromPV",))
    assert "missing_from_pv" in refused(path, tmp_path, settings={"missing_from_pv": "refuse"})
    _, ledger = skim(path, tmp_path)
    charged = int(np.count_nonzero(small_toy().candidates["charge"]))
    assert ledger.derived == {"fromPV from dz and PUPPI weight": charged}


@pytest.mark.parametrize("mean", [13_000.0, 8.0])
def test_a_number_of_events_is_not_a_sum_of_weights(tmp_path, mean):
    """Before: weights 13 000 times too large, and no word."""

    def edit(branches):
        branches["genWeight"] = np.full(12, mean, np.float32)

    path = written(tmp_path / "a.root", edit)
    spec = {"cross_section": 5765.0, "sum_of_weights": 12.0}
    if mean < 10:  # an order of magnitude may come of negative weights that are not seen here
        assert skim(path, tmp_path, **spec).table.num_rows == 12
        return
    with pytest.raises(UserError, match=r"sum_of_weights is 12, .* 12 events .* \(mean 13000\)"):
        skim(path, tmp_path / "out", **spec)
    assert not list((tmp_path / "out").glob("*.parquet"))


def test_a_sum_of_weights_may_be_of_more_files_than_these(tmp_path):
    path = written(tmp_path / "a.root", lambda branches: None)
    for spec in ({"sum_of_weights": 1e9}, {"sum_of_weights": 1.0}):
        assert skim(path, tmp_path, **spec).table.num_rows == 12


def test_a_branch_says_its_unit(tmp_path, monkeypatch):
    def in_mev(values):
        for name in ("pt", "mass"):
            values["PFCands"][name] = values["PFCands"][name] * np.float32(1000.0)

    text = (branches.FOLDER / "pfnano.yaml").read_text()
    for name in ("cand_pt", "cand_mass"):
        text = text.replace(f"{name}: {{", f"{name}: {{unit: MeV, ")
    (tmp_path / "pfnano.yaml").write_text(text)
    shutil.copy(branches.FOLDER / "nanoaod.yaml", tmp_path)
    (tmp_path / "gev").mkdir()
    plain = skim(written(tmp_path / "gev.root"), tmp_path / "gev").table
    monkeypatch.setattr(branches, "FOLDER", tmp_path)
    expected.cache_clear()
    try:
        table = skim(written(tmp_path / "mev.root", in_mev), tmp_path / "mev").table
    finally:
        expected.cache_clear()
    for name in ("cand_pt", "cand_mass"):
        stored, scaled = (ak.to_numpy(ak.flatten(t[name].to_pylist())) for t in (plain, table))
        assert scaled == pytest.approx(stored, rel=1e-6)
