"""Names and kinds of files that no reader should meet: pipes, devices, folders, odd letters."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import yaml

from fuzz import harness

KINDS = (
    "regular", "missing", "folder", "pipe", "zero", "full", "null", "loop", "dangling",
    "unreadable", "not utf-8", "braces", "newline", "control", "long name", "long path", "empty",
    "huge",
)  # fmt: skip
ROLES = ("files", "glob", "list", "in a list", "external", "config", "card", "output")


def prepare(folder: Path) -> list[tuple[str, str]]:
    return [(role, kind) for role in ROLES for kind in KINDS]


def case(rng, state: list[tuple[str, str]], folder: Path) -> None:
    role, kind = state[int(rng.integers(len(state)))]
    place = folder / f"case{rng.integers(1 << 40)}"
    place.mkdir()
    with contextlib.chdir(place):
        name = _make(kind)
        _give(role, name)


def _make(kind: str) -> str:
    """Make a file of a kind in the working directory and return its name."""
    names = {"braces": "a{sample}.root", "newline": "a\nb.root", "control": "a\x1b[31m.root",
             "not utf-8": os.fsdecode(b"a\xff.root"), "long name": "x" * 300 + ".root",
             "long path": "y/" * 3000 + "a.root"}  # fmt: skip
    name = names.get(kind, "a.root")
    if kind == "folder":
        os.mkdir(name)
    elif kind == "pipe":
        os.mkfifo(name)
    elif kind in ("zero", "full", "null"):
        os.symlink(f"/dev/{kind}", name)  # a link: a writer at fault replaces that, no device
    elif kind == "loop":
        os.symlink(name, name)
    elif kind == "dangling":
        os.symlink("nothing", name)
    elif kind == "huge":
        with open(name, "wb") as handle:
            handle.truncate(1 << 40)
    elif kind == "empty":
        Path(name).touch()
    elif kind in ("regular", "unreadable", "braces", "newline", "control", "not utf-8"):
        Path(name).write_bytes(b"root" + bytes(500))
        if kind == "unreadable":
            os.chmod(name, 0)
    return name


def _give(role: str, name: str) -> None:
    from ptmiss.core.settings.base import from_mapping
    from ptmiss.core.workflow.inputs import expand

    if role == "files":
        expand([name])
    elif role == "glob":
        expand(["*.root"])
    elif role == "list":
        expand([f"@{name}"])
    elif role == "in a list":
        Path("list.txt").write_bytes(b"\xef\xbb\xbf" + os.fsencode(name) + b"\n")
        expand(["@list.txt"])
    elif role == "external":
        from ptmiss.tasks.met.settings.evaluate import EvaluateSettings

        found = from_mapping(
            EvaluateSettings, {"estimators": ["pf"], "external": {"mine": name}}, "evaluate"
        )
        if "{" in found.external["mine"]:
            raise harness.SilentDifference("Snakemake takes this name for a wildcard")
    elif role == "config":
        try:
            from ptmiss.core.settings.files import read
        except ImportError:
            from snakemake.common.configfile import load_configfile as read
        read(name)
    elif role == "card":
        from ptmiss.simulation.cards import load_card

        load_card(Path(name))
    elif role == "output":
        _command(name)


def _command(name: str) -> None:
    """Run a command whose output is the file; it ends in one line or has written it."""
    config = yaml.safe_load((harness.TESTS.parent / "config.yaml").read_text())
    settings = {"response_low": 0.8, "response_high": 1.2, "require": False}
    Path("verdict.json").write_text(json.dumps({"training": "a", "passed": True, "tests": []}))
    done = subprocess.run(
        [sys.executable, str(harness.SCRIPTS / "accept.py"), "--gates", "verdict.json",
         "--settings", json.dumps(settings), "--calibration",
         json.dumps(config["calibration"]), "--accepted", name],
        capture_output=True, text=True, errors="replace", check=False, timeout=60,
        env=os.environ | {"PYTHONPATH": str(harness.SCRIPTS)},
    )  # fmt: skip
    if done.returncode not in (0, 1) or "Traceback" in done.stderr:
        raise AssertionError(done.stderr[-600:])
    if done.returncode == 1 and done.stderr.count("\n") > 1:
        raise AssertionError(f"more than one line: {done.stderr}")


def run(seed: int, count: int, folder: Path) -> Counter:
    """Return how many of `count` cases had each outcome."""
    return harness.run(__name__, seed, count, folder)
