"""RNTuples give the same skim as TTrees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import uproot

from delphes_toys import branches_of
from ptmiss.core.errors import UserError
from ptmiss.events.readers.rntuple import _columns
from skims import skim
from toys import make_toy, pfnano_branches, write_pfnano, write_tree

SMALL = {"pileup": 2.0, "per_collision": 8.0, "per_hard": 10.0}
N_EVENTS = 11


def write_ntuple(path: Path, branches: dict, per_cluster: int = 4, name: str = "Events") -> None:
    """Write branches as an RNTuple of several clusters."""
    with uproot.recreate(path) as file:
        ntuple = file.mkrntuple(
            name, {key: values[:per_cluster] for key, values in branches.items()}
        )
        for start in range(per_cluster, N_EVENTS, per_cluster):
            part = slice(start, start + per_cluster)
            ntuple.extend({key: values[part] for key, values in branches.items()})


def flattened(branches: dict) -> dict:
    """Return each collection as a field for each quantity, as the importer of ROOT writes them."""
    out = {}
    for name, values in branches.items():
        if getattr(values, "fields", None):
            out |= {f"{name}_{field}": values[field] for field in values.fields}
        else:
            out[name] = values
    return out


@pytest.mark.parametrize("records", [False, True])
@pytest.mark.parametrize("selection", ["none", "zmumu"])
@pytest.mark.parametrize("chunk", [3, 1000])
def test_the_same_skim_as_from_a_ttree(tmp_path, records, selection, chunk):
    toy = make_toy(N_EVENTS, 2, **SMALL)
    write_pfnano(tmp_path / "tree.root", toy=toy)
    branches = pfnano_branches(toy)
    write_ntuple(tmp_path / "ntuple.root", branches if records else flattened(branches))
    tables = [
        skim(
            tmp_path / f"{name}.root", tmp_path / name, {"chunk_events": chunk}, selection=selection
        ).table
        for name in ("tree", "ntuple")
    ]
    assert tables[0].num_rows > 0
    assert tables[0].equals(tables[1])


def test_what_a_field_must_hold_is_checked(tmp_path):
    branches = flattened(pfnano_branches(make_toy(N_EVENTS, 2, **SMALL)))
    for name, values, says in (
        ("PFCands_eta", None, "no branch PFCands_eta"),
        ("GenMET_pt", branches["PFCands_pt"], "GenMET_pt is .*, expected one number an event"),
        ("PFCands_pdgId", branches["PFCands_pt"], "PFCands_pdgId is .*, expected whole numbers"),
        ("PFCands_pt", branches["GenMET_pt"], "PFCands_pt is .*, expected a list of numbers"),
    ):
        changed = {key: value for key, value in branches.items() if key != name}
        if values is not None:
            changed[name] = values
        write_ntuple(tmp_path / "a.root", changed)
        with pytest.raises(UserError, match=says):
            skim(tmp_path / "a.root", tmp_path)


def test_an_empty_ntuple_passes(tmp_path):
    branches = flattened(pfnano_branches(make_toy(N_EVENTS, 2, **SMALL)))
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mkrntuple("Events", {name: values[:0] for name, values in branches.items()})
    assert skim(tmp_path / "a.root", tmp_path).table.num_rows == 0


def test_another_name_is_refused(tmp_path):
    write_ntuple(tmp_path / "a.root", {"x": np.arange(N_EVENTS)}, name="Other")
    with pytest.raises(UserError, match="no tree 'Events', found Other"):
        skim(tmp_path / "a.root", tmp_path)


def test_offsets_that_are_damaged_are_one_line_with_field_and_cluster(tmp_path):
    branches = flattened(pfnano_branches(make_toy(N_EVENTS, 2, **SMALL)))
    write_ntuple(tmp_path / "a.root", branches)
    with uproot.open(tmp_path / "a.root") as file:
        ntuple = file["Events"]
        offsets = next(_columns(ntuple["PFCands_pt"].to_akform()[0]))
        page = ntuple.page_link_list[1][offsets].pages[0]
    content = bytearray((tmp_path / "a.root").read_bytes())
    content[page.locator.offset : page.locator.offset + 9] = b"\x7f" * 9
    (tmp_path / "a.root").write_bytes(content)
    with pytest.raises(UserError, match=r"PFCands_pt, cluster \d cannot be read"):
        skim(tmp_path / "a.root", tmp_path)


def test_delphes_as_ntuple(tmp_path):
    """Fields of Delphes' records lie below their collection, as branches of its TTree do."""
    toy = make_toy(N_EVENTS, 3, **SMALL)
    branches = branches_of(toy)
    trees = {}
    for name, values in branches.items():
        trees |= {f"{name}/{name}.{field}": values[field] for field in values.fields}
    write_tree(tmp_path / "tree.root", trees, tree="Delphes")
    write_ntuple(tmp_path / "ntuple.root", branches, name="Delphes")
    tables = [
        skim(tmp_path / f"{name}.root", tmp_path / name, source="delphes").table
        for name in ("tree", "ntuple")
    ]
    assert tables[0].drop_columns(["lumi", "fold"]).equals(tables[1].drop_columns(["lumi", "fold"]))
