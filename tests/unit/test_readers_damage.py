"""Damage inside a TTree: one line with file, branch and basket, whatever it breaks in a library."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import uproot

from ptmiss.core.errors import UserError
from skims import skim
from toys import make_toy, pfnano_branches, write_pfnano

SMALL = {"pileup": 1.0, "per_collision": 6.0, "per_hard": 8.0}
N_EVENTS = 8


@pytest.fixture
def plain(tmp_path):
    """A file without compression, baskets of three events."""
    branches = pfnano_branches(make_toy(N_EVENTS, 3, selected=True, **SMALL))
    types = {
        name: values.type.content if hasattr(values, "fields") else values.dtype
        for name, values in branches.items()
    }
    path = tmp_path / "a.root"
    with uproot.recreate(path, compression=None) as file:
        tree = file.mktree("Events", types)
        for start in range(0, N_EVENTS, 3):
            tree.extend({name: values[start : start + 3] for name, values in branches.items()})
        file["sqrt_s"] = "13"
    assert skim(path, tmp_path / "good").table.num_rows == N_EVENTS
    return path


def basket(path, name, i):
    """Return first byte, size and length of the header of a basket."""
    with uproot.open(path) as file:
        branch = file["Events"][name]
        seek, size = (int(branch.member(key)[i]) for key in ("fBasketSeek", "fBasketBytes"))
        return seek, size, branch.basket(i).member("fKeylen")


def refused(path, content) -> str:
    path.write_bytes(bytes(content))
    with pytest.raises(UserError) as caught:
        skim(path, path.parent / "out")
    assert not list((path.parent / "out").glob("*"))
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    return text


def test_a_basket_of_another_branch_is_noticed(plain):
    """Both are of the same size and would be read without complaint."""
    content = bytearray(plain.read_bytes())
    (one, size, _), (other, same, _) = (basket(plain, f"PFCands_{x}", 1) for x in ("phi", "eta"))
    assert size == same
    content[one : one + size], content[other : other + size] = (
        content[other : other + size],
        content[one : one + size],
    )
    text = refused(plain, content)
    assert "basket 1 cannot be read (it says that it is of branch 'PFCands_" in text


@pytest.mark.parametrize(
    ("offset", "value"),
    [(8, 2), (8, 5), (8, -1), (12, 80), (12, -1)],
    ids=["fewer events", "more events", "none", "content too short", "no content"],
)
def test_the_header_of_a_basket(plain, offset, value):
    """The four numbers at its end: buffer, entry size, events, last byte."""
    content = bytearray(plain.read_bytes())
    seek, _, length = basket(plain, "PFCands_charge", 0)
    at = seek + length - 17 + offset
    content[at : at + 4] = struct.pack(">i", value)
    assert "branch PFCands_charge, basket 0 cannot be read" in refused(plain, content)


def test_the_events_at_which_baskets_begin(plain):
    content = bytearray(plain.read_bytes())
    edges = struct.pack(">4q", 0, 3, 6, 8)
    at = content.find(edges)
    assert at > 0
    broken = 0
    while at > 0:  # of every branch
        content[at : at + 32] = struct.pack(">4q", 0, 6, 3, 8)
        broken += 1
        at = content.find(edges, at)
    assert broken > 20
    assert "baskets do not hold the file's 8 events" in refused(plain, content)


def test_a_length_that_no_file_has(plain):
    """Would be two gigabytes of memory."""
    content = bytearray(plain.read_bytes())
    seek, _, _ = basket(plain, "PFCands_pt", 0)
    content[seek + 6 : seek + 10] = struct.pack(">i", (1 << 31) - 1)
    assert "PFCands_pt, basket 0 cannot be read (it claims to hold" in refused(plain, content)


@pytest.mark.parametrize("text", ["high", "nan", "inf", "-13", "1e9", "", "13 TeV"])
def test_an_energy_that_is_none_is_said(tmp_path, text):
    write_pfnano(tmp_path / "a.root", 3, **SMALL)
    with uproot.update(tmp_path / "a.root") as file:
        file["sqrt_s"] = text
    with pytest.raises(UserError, match="text 'sqrt_s' cannot be read"):
        skim(tmp_path / "a.root", tmp_path)


def test_an_energy_of_another_kind_is_said(tmp_path):
    write_pfnano(tmp_path / "a.root", 3, **SMALL)
    with uproot.update(tmp_path / "a.root") as file:
        file["sqrt_s"] = np.histogram([1.0, 2.0])
    with pytest.raises(UserError, match=r"text 'sqrt_s' cannot be read \(it is a TH1"):
        skim(tmp_path / "a.root", tmp_path)


def test_a_version_below_zero_is_no_truncation(tmp_path):
    """ROOT reads it as signed; unsigned it would say that addresses have 64 bits."""
    path = tmp_path / "a.root"
    write_pfnano(path, 3, **SMALL)
    content = bytearray(path.read_bytes())
    content[4:8] = struct.pack(">i", -938_200)
    path.write_bytes(content)
    assert skim(path, tmp_path).table.num_rows == 3


def test_a_message_has_no_bytes_of_the_file(plain):
    content = bytearray(plain.read_bytes())
    seek, _, _ = basket(plain, "PFCands_pt", 0)
    at = content.index(b"PFCands_pt", seek)
    content[at : at + 4] = b"\x1b[\xff\n"
    text = refused(plain, content)
    assert text.isprintable()
    assert text.isascii()
