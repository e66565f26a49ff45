"""A bar where someone looks, lines where a file is written."""

from __future__ import annotations

import io
import logging

from ptmiss.core.progress import Progress, progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(stream, seconds):
    times = iter(seconds)
    return list(
        progress([30, 30, 40], "a.root", 100, lambda n: n, stream=stream, clock=lambda: next(times))
    )


def test_a_terminal_gets_a_bar_that_goes_at_the_end():
    stream = Terminal()
    assert run(stream, [0.0, 3.0, 3.1, 10.0]) == [30, 30, 40]
    states = stream.getvalue().split("\r")
    assert len(states) == 4  # the second state came too soon after the first
    assert "#########   " in states[1]
    assert "30%, 30 of 100 events, 0:07 left" in states[1]
    assert "100%, 100 of 100 events, 0:00 left" in states[2]
    assert states[3] == "\x1b[K"


def test_a_file_gets_a_line_now_and_then(caplog):
    stream = io.StringIO()
    with caplog.at_level(logging.INFO):
        run(stream, [0.0, 29.0, 31.0, 40.0])
    assert stream.getvalue() == ""
    assert [one.getMessage() for one in caplog.records] == ["a.root: 60 of 100 events, 0:20 left"]


def test_what_an_earlier_run_did_is_no_speed(caplog):
    times = iter([0.0, 4.0, 10.0, 10.0])
    told = Progress("mine", 300, 100, line=5.0, stream=io.StringIO(), clock=lambda: next(times))
    with caplog.at_level(logging.INFO):
        told.step(20)  # too soon
        told.step(30, "error 0.5")
    assert [one.getMessage() for one in caplog.records] == [
        "mine: 150 of 300 events, 0:30 left, error 0.5"
    ]
    assert told.rate == 5.0
