from __future__ import annotations

import pytest

from ptmiss.core.command import parser, run
from ptmiss.core.errors import UserError


def test_a_users_mistake_is_one_line_and_status_1(capsys):
    def main():
        raise UserError("file a.root:\n  not there;   do this")

    with pytest.raises(SystemExit) as caught:
        run(main)
    assert caught.value.code == 1
    assert capsys.readouterr().err == "error: file a.root: not there; do this\n"


def test_a_defect_keeps_its_traceback():
    def main():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main)


def test_help_shows_a_default_only_where_there_is_one():
    command = parser("skim", "text")
    command.add_argument("--events", required=True, help="file to write")
    command.add_argument("--threads", default=1, type=int, help="processes")
    command.add_argument("--more", nargs="*", default=[], help="files")
    said = command.format_help()
    assert "processes (default: 1)" in said
    assert said.count("default") == 1


def test_flags_may_not_be_abbreviated():
    command = parser("skim", "text")
    command.add_argument("--settings")
    with pytest.raises(SystemExit):
        command.parse_args(["--set", "x"])
