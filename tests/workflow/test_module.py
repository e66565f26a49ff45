"""This workflow as a module of another one."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
import yaml

from toys import write_pfnano
from workflow_runs import snakemake

pytestmark = pytest.mark.workflow

OUTER = """
configfile: "outer.yaml"

module ptmiss:
    snakefile: "{snakefile}"
    config: config["met"]
    {more}

use rule * from ptmiss as ptmiss_*

rule mine:
    default_target: True
    input: rules.ptmiss_all.input
    output: "mine.txt"
    shell: "cp results/summary.json {{output}}"
"""


@pytest.fixture
def outer(repository, tmp_path):
    """The folder of an outer workflow, which hands over what differs from our config.yaml."""
    folder = tmp_path / "outer"
    folder.mkdir()
    write_pfnano(folder / "z.root", 20, 1, selected=True)
    sample = {
        "source": "pfnano", "label": r"$t\\bar{t}$ {input}", "files": ["z.root"],
        "files_per_part": 1, "is_data": False, "cross_section": 1.0, "sum_of_weights": 1.0,
        "selection": "zmumu",
    }  # fmt: skip
    values = {"ours": 3, "met": {"samples": {"z": sample}}}
    (folder / "outer.yaml").write_text(yaml.safe_dump(values))
    write(repository, folder)
    return folder


def write(repository, folder, more=""):
    text = OUTER.format(snakefile=repository / "Snakefile", more=more)
    (folder / "Snakefile").write_text(text)


def test_rules_scripts_and_settings_are_found(outer):
    done = snakemake(outer, outer, "--dry-run")
    assert done.returncode == 0, done.stdout
    assert "ptmiss_report" in done.stdout
    assert "ptmiss_simulate" not in done.stdout
    done = snakemake(outer, outer, "results/skim/z/0000.parquet")
    assert done.returncode == 0, done.stdout
    assert pq.ParquetFile(outer / "results/skim/z/0000.parquet").metadata.num_rows == 20


def test_what_would_move_half_of_the_paths_is_refused(repository, outer):
    write(repository, outer, 'prefix: "met"')
    done = snakemake(outer, outer, "--dry-run")
    assert done.returncode == 1
    assert "module: prefix and replace_prefix are not supported" in done.stdout
    assert "Traceback" not in done.stdout
