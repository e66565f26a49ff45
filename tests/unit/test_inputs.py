"""Which files belong to a sample."""

from __future__ import annotations

import os

import pytest

from ptmiss.core.errors import UserError
from ptmiss.core.workflow.inputs import expand


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.root", "a.root", "sub/c.root", "odd[1].root"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def test_paths_and_globs_are_sorted(folder):
    assert expand(["b.root", "a.root"]) == ("a.root", "b.root")
    assert expand(["[ab].root"]) == ("a.root", "b.root")
    assert "sub/c.root" in expand(["**/*.root"])
    assert expand(["odd[1].root"]) == ("odd[1].root",)


def test_addresses_are_kept_as_they_are():
    address = "root://host//store/x.root?xrd.wantprot=unix"
    plain = "root://[::1]:1094//store/a.root"
    query = "https://host/x?y=1&z=*"
    assert expand([address, plain, query]) == (query, plain, address)
    web = ("https://h/a[1]/x.root", "https://h/x.root?a%5B=1", "https://h/x.root?raw")
    assert expand(web) == web


@pytest.mark.parametrize("pattern", ["*.root", "x_?.root", "x_[0-9].root", "**/x.root?y=1"])
@pytest.mark.parametrize("listed", [False, True])
def test_a_pattern_in_an_address_is_refused_when_planning(folder, pattern, listed):
    entry = f"root://host//store/{pattern}"
    if listed:
        (folder / "list.txt").write_text(f"root://host//store/a.root\n{entry}\n")
    with pytest.raises(UserError, match="a pattern in an address is not expanded") as caught:
        expand(["@list.txt" if listed else entry])
    assert entry in str(caught.value)
    assert not listed or "line 2" in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("pipe.root", r"pipe\.root: is a named pipe, expected a regular file"),
        ("pi*.root", r"pipe\.root: is a named pipe, expected a regular file"),
        ("link.root", r"link\.root: is a named pipe"),
        ("/dev/zero", "/dev/zero: is a device"),
        ("@pipe.root", r"pipe\.root: is a named pipe"),
        ("@/dev/zero", "/dev/zero: is a device"),
    ],
)
def test_what_is_no_file_is_refused_before_it_is_opened(folder, entry, says):
    os.mkfifo("pipe.root")
    os.symlink("pipe.root", "link.root")
    with pytest.raises(UserError, match=says):
        expand([entry])


def test_list_is_relative_to_its_own_folder(folder):
    (folder / "sub/list.txt").write_text("# comment\n\nc.root\n../a.root\nroot://h//x.root\n")
    assert expand(["@sub/list.txt"]) == ("root://h//x.root", "sub/../a.root", "sub/c.root")


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([], "nothing is listed"),
        (["no.root"], "no such file"),
        (["no*.root"], "no file matches"),
        (["a.root", "*.root"], "named twice"),
        (["root://h//x", "root://h//x"], "named twice"),
        (["a.root", "./a.root"], "named twice"),
        (["sub"], "is a folder"),
        (["@no.txt"], "cannot read the list"),
        (["@empty.txt"], "names no file"),
        (["@nested.txt"], "line 1"),
        (["ftp://h/x.root"], "unknown kind"),
    ],
)
def test_mistakes_are_one_line(folder, entries, says):
    (folder / "empty.txt").write_text("# nothing\n")
    (folder / "nested.txt").write_text("@empty.txt\n")
    with pytest.raises(UserError, match=says):
        expand(entries)


@pytest.mark.parametrize("second", ["link.root", "folder/c.root"])
def test_a_link_is_the_file_it_leads_to(folder, second):
    (folder / "link.root").symlink_to(folder / "sub/c.root")
    (folder / "folder").symlink_to(folder / "sub")
    with pytest.raises(UserError, match="named twice"):
        expand(["sub/c.root", second])


def test_a_list_with_a_byte_order_mark_is_a_list(folder):
    (folder / "list.txt").write_bytes(b"\xef\xbb\xbfa.root\r\nb.root\r\n")
    assert expand(["@list.txt"]) == ("./a.root", "./b.root")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("{sample}.root", "holds braces, which Snakemake takes for a wildcard"),
        ("x{}.root", "holds braces"),
        ("a\nb.root", "holds a line break"),
        (os.fsdecode(b"\xff.root"), "is not UTF-8"),
    ],
)
def test_names_that_snakemake_cannot_carry(folder, name, says):
    (folder / "odd").mkdir()
    (folder / "odd" / name).touch()
    for entry in (f"odd/{name}", "odd/*"):
        with pytest.raises(UserError, match=says) as caught:
            expand([entry])
        assert str(caught.value).isprintable()


def test_braces_in_an_address_are_the_servers_affair():
    assert expand(["root://host//{a}.root"]) == ("root://host//{a}.root",)


@pytest.mark.parametrize(
    "entry", ["pipe", "*p*", "@pipe", "/dev/zero", "@/dev/zero", "@huge", "li*"]
)
def test_what_is_no_regular_file_is_not_waited_for(folder, entry):
    os.mkfifo(folder / "pipe")
    os.symlink("nowhere", folder / "link")
    with open(folder / "huge", "wb") as handle:
        handle.truncate(1 << 40)
    with pytest.raises(UserError, match=r"pipe or a device|regular file|cannot be read"):
        expand([entry])


def test_a_null_character_in_a_list(folder):
    (folder / "list.txt").write_bytes(b"a\0*.root\n")
    with pytest.raises(UserError, match="null character"):
        expand(["@list.txt"])
