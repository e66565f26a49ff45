"""No command writes over what it reads."""

from __future__ import annotations

import os

import pytest

from ptmiss.core.apart import keep_apart
from ptmiss.core.command import Parser
from ptmiss.core.errors import UserError
from ptmiss.core.workflow.stage import Stage, reads, writes
from ptmiss.stages import stages_of

STAGES = stages_of()
TOY = Stage(
    "toy",
    "toy",
    "",
    (
        reads("ntuples", "", many=True, required=False),
        reads("external", "", many=True, required=False, metavar="NAME=FILE"),
        writes("events", ""),
        writes("ledger", "", required=False),
    ),
)


WRITING = [name for name, stage in STAGES.items() if any(f.kind == "writes" for f in stage.flags)]


def test_stages_that_write_nothing_are_known():
    assert sorted({*STAGES} - {*WRITING}) == ["check_friend"]


@pytest.mark.parametrize("name", WRITING)
def test_an_output_that_is_an_input_is_refused(name, tmp_path):
    flags = STAGES[name].flags
    (tmp_path / "in").write_text("x")
    paths = [flag for flag in flags if flag.kind in ("reads", "writes")]
    outputs = [flag for flag in flags if flag.kind == "writes"]
    assert outputs
    for mine in outputs:
        for other in paths:
            if other is mine:
                continue
            values = {flag.name: str(tmp_path / flag.name) for flag in flags}
            values[mine.name] = values[other.name] = str(tmp_path / "in")
            arguments = []
            for flag in flags:
                value = "1" if flag.kind == "number" else values[flag.name]
                named = flag.metavar.startswith("NAME=")
                arguments += [f"--{flag.name}", f"n={value}" if named else value]
            with pytest.raises(UserError, match="give each output a path of its own"):
                Parser(STAGES[name]).parse_args(arguments)


@pytest.fixture
def made():
    return Parser(TOY)


def test_other_names_of_a_file_are_the_file(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.root").write_text("x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "soft.parquet").symlink_to("a.root")
    (tmp_path / "folder").symlink_to("sub")
    os.link(tmp_path / "a.root", tmp_path / "hard.parquet")
    for output in ("a.root", "./a.root", "sub/../a.root", str(tmp_path / "a.root"),
                   "soft.parquet", "hard.parquet"):  # fmt: skip
        with pytest.raises(UserError, match=r"^--events: .*--ntuples") as caught:
            made.parse_args(["--ntuples", "b.root", "a.root", "--events", output])
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"sub/new, the same file as folder/new, is given for"):
        made.parse_args(["--events", "folder/new", "--ledger", "sub/new"])
    with pytest.raises(UserError, match=r"--ledger: x\.sha256, .* is given for --events too"):
        made.parse_args(["--events", "x", "--ledger", "x.sha256"])
    with pytest.raises(UserError, match=r"--events: m\.onnx is given for --external too"):
        made.parse_args(["--external", "mine=m.onnx", "--events", "m.onnx"])


def test_different_files_pass(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.root").write_text("x")
    found = made.parse_args(
        ["--ntuples", "a.root", "a.root", "root://host//a.parquet", "--events", "a.parquet"]
    )
    assert found.events == "a.parquet"
    keep_apart([("--in", "https://host/x")], [("--out", "x"), ("--more", "y")])
