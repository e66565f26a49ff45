"""What a user reads of a mistake: one line that a terminal can show."""

from __future__ import annotations

import pytest

from ptmiss.core.errors import UserError, escaped, quoted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\u202eb", r"a\u202eb"),
        ("a\udcffb", r"a\udcffb"),
        ("a\0b", r"a\x00b"),
        ("Z \u2192 \u03bc\u03bc, caf\u00e9", "Z \u2192 \u03bc\u03bc, caf\u00e9"),
    ],
)
def test_nothing_in_a_message_commands_the_terminal(text, shown):
    assert str(UserError(text)) == shown == escaped(text)


def test_a_long_message_keeps_its_beginning_and_its_advice():
    said = str(UserError(f"skim.x: found {'y' * 200_000}; correct it"))
    assert said.startswith("skim.x: found yyy")
    assert said.endswith("yyy; correct it")
    assert len(said) < 1300


def test_values_are_quoted_shortly():
    assert quoted("a\nb") == r"'a\nb'"
    assert quoted("x" * 1000) == "'" + "x" * 56 + "..."
