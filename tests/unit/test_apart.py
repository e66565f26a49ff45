"""No command writes over what it reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from command_modules import module_of
from ptmiss.core.apart import keep_apart
from ptmiss.core.command import parser
from ptmiss.core.errors import UserError

SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "scripts").glob("*.py"))
NO_FILES = {
    "sample", "part", "parts", "spec", "settings", "folds", "performance", "training", "variation",
    "variations", "estimators", "threads", "config", "revision", "binning", "help",
    "slots", "output",
}  # fmt: skip
"""Flags whose value is no path; two of them name files of other commands."""


def parser_of(script: Path):
    module = module_of(script)
    return module.build_parser()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_each_flag_with_a_path_is_known_to_be_one(script):
    made = parser_of(script)
    paths = {action.dest for action in (*made._reads, *made._writes)}
    others = {action.dest for action in made._actions} - paths
    assert others <= NO_FILES
    assert made._writes


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_output_that_is_an_input_is_refused(script, tmp_path):
    made = parser_of(script)
    (tmp_path / "in").write_text("x")
    for mine in made._writes:
        for other in (*made._reads, *made._writes):
            if other is mine:
                continue
            values = {one.dest: str(tmp_path / one.dest) for one in made._actions}
            values[mine.dest] = values[other.dest] = str(tmp_path / "in")
            arguments = []
            for one in made._actions:
                if one.dest != "help":
                    value = "1" if one.type is int else values[one.dest]
                    named = (one.metavar or "").startswith("NAME=")
                    arguments += [one.option_strings[0], f"n={value}" if named else value]
            with pytest.raises(UserError, match="give each output a path of its own"):
                made.parse_args(arguments)


@pytest.fixture
def made():
    p = parser("toy", "toy")
    p.reads("--ntuples", nargs="+")
    p.reads("--external", action="append", default=[], metavar="NAME=ONNX")
    p.writes("--events", required=True)
    p.writes("--ledger")
    return p


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
