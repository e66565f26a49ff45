"""Names of Run 3, collections that are not there, and trees that are friends."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from uproot.models.TTree import Model_TTree_v20

from ptmiss.core.errors import UserError
from skims import skim
from toys import make_toy, write_pfnano

SMALL = {"pileup": 2.0, "per_collision": 8.0, "per_hard": 10.0}
NO_CANDIDATES = tuple(
    f"PFCands_{name}"
    for name in ("pt", "eta", "phi", "mass", "charge", "pdgId", "dz", "d0", "d0Err", "dzErr",
                 "fromPV", "puppiWeight", "puppiWeightNoLep", "pvAssocQuality")
)  # fmt: skip


def renamed(name: str, *, without: tuple[str, ...] = ()):
    """Return an edit that calls the candidates as JetMET's PFNano of Run 3 does."""

    def edit(branches):
        cands = branches.pop("PFCands")
        cands["fromPV0"] = cands["fromPV"]
        fields = [f for f in cands.fields if f not in ("fromPV", *without)]
        branches[name] = cands[fields]

    return edit


@pytest.mark.parametrize("name", ["PFCandV2", "PFCand"])
def test_names_of_run_3_give_the_same_skim(tmp_path, name):
    toy = make_toy(6, 2, **SMALL)
    write_pfnano(tmp_path / "a.root", toy=toy)
    write_pfnano(tmp_path / "b.root", toy=toy, edit=renamed(name))
    first, second = (skim(tmp_path / f"{x}.root", tmp_path / x).table for x in "ab")
    assert first.equals(second)


def with_fat_jets(branches):
    """Add the constituents of fat jets as NanoAOD v15 stores them."""
    cands = next(branches[name] for name in ("PFCands", "PFCandV2") if name in branches)
    few = cands[cands.pt > 2.0]
    few["pt"] = few["pt"] * few["puppiWeight"]
    branches["PFCand"] = few[["pt", "eta", "phi", "mass", "pdgId"]]


def test_constituents_of_fat_jets_beside_all_candidates_do_not_disturb(tmp_path):
    def edit(branches):
        renamed("PFCandV2")(branches)
        with_fat_jets(branches)

    toy = make_toy(6, 2, **SMALL)
    write_pfnano(tmp_path / "a.root", toy=toy)
    write_pfnano(tmp_path / "b.root", toy=toy, edit=edit)
    first, second = (skim(tmp_path / f"{x}.root", tmp_path / x).table for x in "ab")
    assert first.equals(second)


def test_constituents_of_fat_jets_alone_are_told_apart(tmp_path):
    def edit(branches):
        with_fat_jets(branches)
        del branches["PFCands"]

    write_pfnano(tmp_path / "a.root", 6, edit=edit, **SMALL)
    with pytest.raises(UserError, match="constituents of fat jets, which NanoAOD v15 stores"):
        skim(tmp_path / "a.root", tmp_path)


def test_a_field_of_another_collection_does_not_stand_in(tmp_path):
    """d0 of fat jets' constituents would give every candidate another one's track."""

    def edit(branches):
        cands = branches["PFCands"]
        renamed("PFCandV2", without=("d0",))(branches)
        branches["PFCand"] = cands[["pt", "eta", "phi", "mass", "pdgId", "d0"]]

    write_pfnano(tmp_path / "a.root", 6, edit=edit, **SMALL)
    with pytest.raises(UserError, match=r"no branch PFCandV2_d0 \(nor PFCandV2_dxy\)"):
        skim(tmp_path / "a.root", tmp_path)


def test_the_refusal_names_all_collections(tmp_path):
    def edit(branches):
        del branches["PFCands"]

    write_pfnano(tmp_path / "a.root", 6, edit=edit, **SMALL)
    says = r"without particle-flow candidates \(no PFCands_\*, PFCandV2_\*, PFCand_\* or PF_\*\)"
    with pytest.raises(UserError, match=says):
        skim(tmp_path / "a.root", tmp_path)


def without_muons(branches):
    del branches["Muon"]


def test_muons_are_needed_by_a_selection_only(tmp_path):
    toy = make_toy(12, 3, selected=True, **SMALL)
    write_pfnano(tmp_path / "a.root", toy=toy, edit=without_muons)
    assert skim(tmp_path / "a.root", tmp_path).table.num_rows == 12
    for selection in ("zmumu", "wmunu"):
        with pytest.raises(UserError, match=f"no muons with isolation.*{selection}"):
            skim(tmp_path / "a.root", tmp_path, selection=selection)


@pytest.mark.parametrize("kind", ["Muon", "Electron"])
def test_half_a_collection_is_refused(tmp_path, kind):
    write_pfnano(tmp_path / "a.root", 6, drop=(f"{kind}_eta",), **SMALL)
    with pytest.raises(UserError, match=f"no branch {kind}_eta, although the file has others"):
        skim(tmp_path / "a.root", tmp_path)


class Friend:
    """What uproot gives for an entry of a tree's list of friends."""

    def __init__(self, **members: str) -> None:
        self._members = members

    def member(self, name: str) -> str:
        return self._members[name]


@pytest.mark.parametrize(
    ("friend", "says"),
    [
        (Friend(fTreeName="Cands", fTitle="c.root"), r"has friends \(Cands in c\.root\)"),
        (Friend(fTreeName="Cands", fTitle=""), r"has friends \(Cands in the same file\)"),
        (object(), r"has friends \(\?\)"),
    ],
)
def test_a_friend_tree_is_mentioned_where_candidates_are_missed(
    tmp_path, monkeypatch, friend, says
):
    members = Model_TTree_v20.all_members.fget
    monkeypatch.setattr(
        Model_TTree_v20,
        "all_members",
        property(lambda self: members(self) | {"fFriends": [friend]}),
    )
    for name, edit in (("all", lambda branches: branches.pop("PFCands")), ("one", no_eta)):
        write_pfnano(tmp_path / f"{name}.root", 6, edit=edit, **SMALL)
        with pytest.raises(UserError, match=says):
            skim(tmp_path / f"{name}.root", tmp_path)


def no_eta(branches):
    cands = branches["PFCands"]
    branches["PFCands"] = cands[[name for name in cands.fields if name != "eta"]]


def test_integers_of_any_width_are_integers(tmp_path):
    """NanoAOD v15 has n_pv and others as bytes."""

    def edit(branches):
        branches["PV_npvsGood"] = branches["PV_npvsGood"].astype(np.uint8)
        branches["PFCands"]["charge"] = ak.values_astype(branches["PFCands"]["charge"], np.int16)

    toy = make_toy(6, 2, **SMALL)
    write_pfnano(tmp_path / "a.root", toy=toy)
    write_pfnano(tmp_path / "b.root", toy=toy, edit=edit)
    first, second = (skim(tmp_path / f"{x}.root", tmp_path / x).table for x in "ab")
    assert first.equals(second)
