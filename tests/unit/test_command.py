from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from ptmiss.cli import main
from ptmiss.core.command import Parser, arguments, run, run_stage
from ptmiss.core.errors import UserError
from ptmiss.core.workflow.stage import Stage, number, reads, section, text, threads, writes
from ptmiss.stages import stages_of

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
FOLDS = "ptmiss.events.settings.folds:FoldSettings"
CALLS: list[object] = []


@dataclass(frozen=True)
class Group:
    """Some of the flags of `toy`."""

    inputs: list[str]
    out: Path
    folds: object


def toy(group: Group, name: str, more: list[str], threads: int, again: int = 5) -> None:
    """The function of a stage."""
    CALLS.append((group, name, more, threads, again))


def prepare(n: int) -> None:
    CALLS.append(n)


STAGE = Stage(
    "toy",
    "Play",
    f"{__name__}:toy",
    (
        reads("inputs", "files", many=True),
        reads("more", "named files", many=True, required=False, metavar="NAME=FILE"),
        text("name", "who; 100% of them"),
        section("folds", "measured_folds", FOLDS),
        threads("processes"),
        writes("out", "what is written"),
    ),
    prepare=f"{__name__}:prepare",
)
GIVEN = ["--inputs", "a", "b", "--name", "n", "--out", "o"]
GOOD = '{"train": [0, 1, 2, 3, 4, 5, 6, 7], "validation": [8], "test": [9]}'


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
    said = Parser(STAGE).format_help()
    assert "processes (default: 1)" in said
    assert said.count("default") == 1
    assert "100% of them" in said


def test_flags_may_not_be_abbreviated(capsys):
    with pytest.raises(SystemExit):
        Parser(STAGE).parse_args([*GIVEN, "--fold", GOOD])
    assert "--folds" in capsys.readouterr().err


def test_a_stage_gets_its_flags_in_groups_and_alone():
    CALLS.clear()
    # as a rule has them where there is nothing: flags without a value
    run_stage(STAGE, [*GIVEN, "--folds", GOOD, "--more", "--threads"])
    run_stage(STAGE, [*GIVEN, "--folds", GOOD, "--more", "x=1", "--more", "y=2", "--threads", "3"])
    n, (group, *others), n_2, second = CALLS
    assert (n, n_2) == (1, 3)
    assert (group.inputs, group.out) == (["a", "b"], Path("o"))
    assert group.folds.test == (9,)
    assert others == ["n", [], 1, 5]
    assert second[2:] == (["x=1", "y=2"], 3, 5)


def test_a_section_that_is_wrong_is_named_as_the_user_knows_it():
    with pytest.raises(UserError, match=r"setting folds\.test"):
        run_stage(STAGE, [*GIVEN, "--folds", GOOD.replace("[9]", "9")])


def test_a_package_that_is_not_installed_is_one_line_and_a_module_of_ours_a_defect():
    missing = Stage("toy", "Play", "no_such_package.part:toy", (), environment="export")
    with pytest.raises(
        UserError, match=r"^toy: no_such_package is not installed; .*'\.\[export\]'"
    ):
        run_stage(missing, [])
    with pytest.raises(ModuleNotFoundError, match=r"ptmiss\.nowhere"):
        run_stage(Stage("toy", "Play", "ptmiss.nowhere:toy", ()), [])


def test_a_function_that_wants_something_else_is_a_defect():
    def stranger(name: str, unknown: int) -> None:
        """Not the function of `STAGE`."""

    with pytest.raises(TypeError, match="unknown is no flag"):
        arguments(stranger, {"name": "n"})


def test_each_placeholder_is_where_the_rule_has_the_value():
    places = {flag.name: flag.placeholder for flag in STAGE.flags}
    assert places == {
        "inputs": "{input.inputs:q}", "more": "{input.more:q}", "name": "{params.name:q}",
        "folds": "{params.folds:q}", "threads": "{threads}", "out": "{output.out:q}",
    }  # fmt: skip
    assert number("part", "").placeholder == "{wildcards.part:q}"
    assert reads("card", "", place="input.card[0]").placeholder == "{input.card[0]:q}"
    assert writes("own", "", place="").placeholder == ""


def test_the_program_lists_the_stages(capsys):
    main(["--help"])
    said = capsys.readouterr().out
    for name, stage in stages_of().items():
        assert name in said
        assert stage.summary in said


def test_a_stage_that_is_none_is_one_line(capsys):
    with pytest.raises(SystemExit):
        main(["skimm"])
    said = capsys.readouterr().err
    assert said.startswith("error: 'skimm': no stage; there are minbias, simulate, sums, skim")
    assert said.count("\n") == 1


def test_a_task_that_is_none_is_one_line(capsys):
    with pytest.raises(SystemExit):
        main(["skim", "--task", "mat"])
    assert capsys.readouterr().err.startswith("error: setting task is 'mat'")


def test_help_imports_nothing_heavy():
    code = "import sys; from ptmiss.cli import main; main(['--help']); print(*sys.modules)"
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True, check=True
    )
    assert time.monotonic() - start < 5  # 0.1 s on a machine that does nothing else
    loaded = set(done.stdout.split())
    assert not loaded & {"numpy", "pydantic", "pyarrow", "awkward", "tensorflow", "yaml"}
