from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptmiss.core.html import text


def test_clean_shows_that_something_was_there():
    assert text.clean("a\x1b[31mb\u202ec\nd ") == "a\ufffd[31mb\ufffdc d"
    assert text.clean("plain Z \u2192 \u03bc\u03bc") == "plain Z \u2192 \u03bc\u03bc"


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_clean_leaves_one_printable_line(value):
    cleaned = text.clean(value)
    assert "\n" not in cleaned
    assert not any(0x202A <= ord(char) <= 0x202E or ord(char) < 32 for char in cleaned)
    assert text.clean(cleaned) == cleaned


def test_clean_lines_keeps_lines_and_indents():
    assert text.clean_lines('{\n  "a": "\x07"\n}') == '{\n  "a": "\ufffd"\n}'


def test_shorten():
    assert text.shorten("abcdef", 6) == "abcdef"
    assert text.shorten("abcdefg", 6) == "abcde\u2026"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12.345, "12.3"),
        (9.0, "9.00"),
        (-0.5, "\u22120.500"),
        (0, "0"),
        (None, "\u2013"),
        (float("nan"), "\u2013"),
        (float("inf"), "\u2013"),
        (123.4, "123"),
    ],
)
def test_number(value, expected):
    assert text.number(value) == expected


def test_count():
    assert text.count(1234567) == "1\u202f234\u202f567"


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), st.text()))
def test_script_json_cannot_leave_its_element_and_reads_back(value):
    written = text.script_json(value)
    assert not set(written) & set("<>&\u2028\u2029")
    assert json.loads(written) == value


def test_script_json_refuses_what_is_no_json():
    with pytest.raises(ValueError, match="JSON"):
        text.script_json({"a": float("nan")})


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="a$\\_^{}"))
def test_a_label_is_never_a_formula(value):
    from matplotlib.cbook import is_math_text

    assert not is_math_text(text.plain_mathtext(value))
