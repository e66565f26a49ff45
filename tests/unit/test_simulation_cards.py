"""Process cards: what they refuse, and how parts are given to slices."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ptmiss.core.errors import UserError
from ptmiss.simulation.cards import load_card, parts_of_slices, slice_of_part

PROCESSES = Path(__file__).resolve().parents[2] / "resources" / "processes"
EXPECTED = {
    *("zmumu", "wmunu", "ttbar", "ww", "wz", "zz", "hh_bbtautau", "vbf_hinv", "tth_bb"),
    *("tth_mumu", "t2tt_4bd", "tchizz", "qcd"),
    *("ttbar_dimuon", "wz_dimuon", "zz_dimuon"),
}
ZMUMU = load_card(PROCESSES / "zmumu.yaml")


def two_slices() -> dict:
    return {
        "title": "toy",
        "proxy": None,
        "boson": [23],
        "slha": None,
        "accept": None,
        "pythia": ["23:onMode = off"],
        "slices": [
            {"name": "soft", "share": 0.75, "low": 0, "high": 60, "pythia": []},
            {"name": "hard", "share": 0.25, "low": 60, "high": None, "pythia": []},
        ],
    }


def stored(folder: Path, value: object) -> Path:
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump(value))
    return path


def test_every_process_has_a_card_that_parses() -> None:
    cards = {path.stem: load_card(path) for path in PROCESSES.glob("*.yaml")}
    assert set(cards) == EXPECTED
    assert cards["hh_bbtautau"].proxy is not None
    assert "proxy" in cards["hh_bbtautau"].title
    assert [path.stem for path in PROCESSES.glob("*.slha")] == [
        path.stem for path in PROCESSES.glob("*.slha") if cards[path.stem].slha_text
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colour": "red"}, ["colour", "unknown key"]),
        ({"slha_text": "BLOCK"}, ["unknown key slha_text"]),
        ({"slha": "/etc/passwd"}, ["must be toy.slha"]),
        ({"slha": "toy.slha"}, ["particle table"]),
        ({"pythia": ["no equals sign"]}, ["pythia.0", "no equals sign"]),
        ({"boson": []}, ["need the key boson"]),
        ({"boson": [0]}, ["boson.0"]),
    ],
)
def test_a_wrong_card_is_refused_naming_file_and_key(
    tmp_path: Path, change: dict, words: list[str]
) -> None:
    path = stored(tmp_path, two_slices() | change)
    with pytest.raises(UserError) as caught:
        load_card(path)
    for word in ["toy.yaml", *words]:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("index", "key", "value", "word"),
    [
        (1, "low", 50, "without gap or overlap"),
        (1, "low", 70, "without gap or overlap"),
        (0, "low", 10, "must begin at 0"),
        (1, "high", 500, "high: null"),
        (1, "share", 0.5, "add up to 1.25"),
        (1, "share", -0.25, "share"),
    ],
)
def test_slices_must_partition_phase_space(
    tmp_path: Path, index: int, key: str, value: float, word: str
) -> None:
    card = two_slices()
    card["slices"][index][key] = value
    with pytest.raises(UserError, match=word):
        load_card(stored(tmp_path, card))


@pytest.mark.parametrize("text", ["", "- a list", "a: [", "!!python/object:os.system {}"])
def test_what_is_no_mapping_or_no_safe_yaml_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"bad\.yaml"):
        load_card(path)


def test_a_missing_card_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such process card"):
        load_card(tmp_path / "higgsino.yaml")


def test_parts_follow_the_shares(tmp_path: Path) -> None:
    card = load_card(stored(tmp_path, two_slices()))
    assert parts_of_slices(card, 2, 100) == (1, 1)
    assert parts_of_slices(card, 4, 100) == (3, 1)
    assert parts_of_slices(card, 8, 100) == (6, 2)
    assert [slice_of_part(card, i, 4, 100)[0].name for i in range(4)] == ["soft"] * 3 + ["hard"]
    assert slice_of_part(card, 2, 4, 100)[1] == 3


def test_too_few_parts_say_how_many_events_are_needed(tmp_path: Path) -> None:
    card = load_card(stored(tmp_path, two_slices()))
    with pytest.raises(UserError, match="set events of the sample above 2000"):
        parts_of_slices(card, 1, 2000)
    with pytest.raises(UserError, match="parts 0 to 3"):
        slice_of_part(card, 4, 4, 2000)


@given(n_parts=st.integers(3, 400))
def test_every_part_has_one_slice_and_every_slice_a_part(n_parts: int) -> None:
    card = ZMUMU
    counts = parts_of_slices(card, n_parts, 1)
    assert sum(counts) == n_parts
    for cut, count in zip(card.slices, counts, strict=True):
        assert count >= 1
        assert abs(count - cut.share * n_parts) < 1 or count == 1
    names = [slice_of_part(card, i, n_parts, 1)[0].name for i in range(n_parts)]
    assert [names.count(cut.name) for cut in card.slices] == list(counts)
