from __future__ import annotations

import pytest

from ptmiss.command import parser, run
from ptmiss.errors import UserError


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


def test_flags_may_not_be_abbreviated():
    command = parser("skim", "text")
    command.add_argument("--settings")
    with pytest.raises(SystemExit):
        command.parse_args(["--set", "x"])
