"""What the rules get from the declared stages."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pydantic import BaseModel

from ptmiss.core.workflow.rules import Rules
from ptmiss.core.workflow.stage import Stage, reads, section, text, threads, writes


class Section(BaseModel):
    label: str = "$t\\bar{t}$ {input}"


class Config(BaseModel):
    skim: Section = Section()
    samples: dict[str, Section] = {"z": Section(label="Z")}


def stage(**changes):
    values = {
        "name": "skim",
        "summary": "Skim",
        "entry": "ptmiss.one:skim",
        "flags": (
            reads("ntuples", "files", many=True),
            text("sample", "its name"),
            section("spec", "samples.{sample}", "ptmiss.two:Spec"),
            section("settings", "skim", "ptmiss.two:Settings"),
            section("config", "*", "ptmiss.two:Config"),
            threads("how many"),
            writes("events", "to write"),
            writes("more", "to write", required=False),
        ),
    }
    return Stage(**(values | changes))


@pytest.fixture
def root(tmp_path):
    for name in ("one", "two", "other", "core/command"):
        path = tmp_path / f"scripts/ptmiss/{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")
    return tmp_path


def rules(root, task="toy", **changes):
    declared = stage(**changes)
    return Rules({declared.name: declared}, Config(), str(root), task)


def test_the_shell_line_has_each_flag_where_the_rule_has_it(root):
    assert rules(root).command("skim", more=None) == (
        "python {input.script:q} --task toy --ntuples {input.ntuples:q}"
        " --sample {wildcards.sample:q}"
        " --spec {params.spec:q} --settings {params.settings:q} --config {params.config:q}"
        " --threads {threads} --events {output.events:q} > {log:q} 2>&1"
    )
    assert " --more /x " in rules(root).command("skim", more="/x")
    with pytest.raises(ValueError, match=r"stage skim: no flags \['mode'\]"):
        rules(root).command("skim", mode="x")


def test_sections_are_parameters_in_which_braces_stay(root):
    params = rules(root).params("skim")
    wildcards = SimpleNamespace(sample="z")
    assert params["settings"](wildcards) == '{"label":"$t\\\\bar{t}$ {input}"}'
    assert params["spec"](wildcards) == '{"label":"Z"}'
    assert params["config"](wildcards) == Config().model_dump_json()


def fingerprint(root, **changes):
    params = rules(root, **changes).params("skim")
    return {
        name: value(None) if callable(value) else value
        for name, value in params.items()
        if name.startswith("module") or name == "declaration"
    }


def test_what_the_declaration_says_runs_a_stage_again_and_its_words_do_not(root):
    before = fingerprint(root)
    assert [text.split()[0] for name, text in before.items() if name != "declaration"] == [
        "core/command", "one", "two",
    ]  # fmt: skip
    flags = stage().flags
    reworded = (reads("ntuples", "other words", many=True), *flags[1:])
    assert fingerprint(root, summary="Other", packages="p", flags=reworded) == before
    assert fingerprint(root, flags=(reads("ntuples", "files"), *flags[1:])) != before
    assert fingerprint(root, entry="ptmiss.one:other")["declaration"] != before["declaration"]
    assert "other" in str(fingerprint(root, entry="ptmiss.other:skim"))


def test_environment_and_command_are_files_of_the_repository(root, monkeypatch):
    monkeypatch.chdir(root)
    assert rules(root).code("skim") == {"script": "scripts/skim.py"}
    assert rules(root).environment("skim") == f"{root}/envs/skim.yaml"
    assert rules(root, environment="other").environment("skim") == f"{root}/envs/other.yaml"
