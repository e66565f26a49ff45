from __future__ import annotations

import json

import pytest

import report_toys
from ptmiss.cli import main


def command(folder, table, headline, *more):
    arguments = [
        "--results", f"tables={table}", f"headlines={headline}",
        "--config", json.dumps(report_toys.config({"hh": "HH"}, dpi=60)),
        "--report", folder / "out/report.html", "--summary", folder / "out/summary.json",
        "--overview", folder / "out/overview.png", *more,
    ]  # fmt: skip
    main(["report", *map(str, arguments)])


@pytest.fixture
def toy(tmp_path):
    return report_toys.write_run(
        tmp_path, {"hh": False}, estimators=("pf", "puppi"), axes=("gen_met",)
    )


def test_the_command_writes_page_and_summary(tmp_path, toy):
    command(tmp_path, *toy, "--revision", "abc123")
    assert "abc123" in (tmp_path / "out/report.html").read_text(encoding="utf-8")
    summary = json.loads((tmp_path / "out/summary.json").read_text(encoding="utf-8"))
    assert summary["revision"] == "abc123"
    assert [one["sample"] for one in summary["trainings"]["classical"]] == ["hh"]


@pytest.mark.parametrize("damage", ["a,b\n1,2\n", ""])
def test_a_bad_table_ends_in_one_line(tmp_path, toy, capsys, damage):
    toy[0].write_text(damage, encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        command(tmp_path, *toy)
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {toy[0]}")
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()
