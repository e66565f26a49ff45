"""CONTRIBUTING.md and the glossary: what they name is where they say."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from texts import ROOT, inline

GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in GLOSSARY.splitlines()
    if line.startswith("| ") and not line.startswith(("| term", "|---"))
]


def has_name(place: str) -> bool:
    """Whether a dotted name is a public name of a module of the package."""
    module, _, name = place.rpartition(".")
    path = ROOT.joinpath("scripts", *module.split(".")).with_suffix(".py")
    if not path.is_file():
        return False
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return name in names


def has_setting(place: str) -> bool:
    """Whether config.yaml has a key, of which the last may be that of a free name."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    for part in place.split("."):
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_term_is_found_where_the_glossary_says(row):
    _, meaning, where = row
    assert meaning.endswith(".")
    assert len(meaning) < 140
    if name := re.fullmatch(r"\[\w+\]\[([\w.]+)\]", where):
        assert has_name(name[1])
    elif link := re.fullmatch(r"\[[\w.-]+\]\(([\w./-]+)(#[\w-]+)?\)", where):
        generated = link[1].startswith("reference/")  # the test of the site follows these
        assert generated or (ROOT / "docs" / link[1]).is_file()
    else:
        (place,) = re.fullmatch(r"`([\w./]+)`", where).groups()
        assert (ROOT / place).exists() or has_setting(place)


def test_the_terms_are_many_and_each_is_there_once():
    terms = [row[0] for row in ROWS]
    assert len(set(terms)) == len(terms) > 40


def test_every_path_of_contributing_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = [word for word in inline(text) if "/" in word and not re.search(r"[*\s{]", word)]
    assert len(paths) > 30
    for path in paths:
        assert (ROOT / path).exists(), path


def test_every_floor_has_a_row():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for floor in ("core", "events", "simulation", "learn", "tasks"):
        assert f"`scripts/ptmiss/{floor}/" in text
