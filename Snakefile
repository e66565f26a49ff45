"""From ntuples to an estimator and its page; which one, and over which stages, says its task."""

import os
import shutil
import sys

from snakemake.utils import min_version

min_version("9.27")


report: "workflow/report/workflow.rst"


include: "workflow/files.smk"


configfile: os.path.join(REPOSITORY, "config.yaml")


include: "workflow/rules/common.smk"


for rule_file in RULES.files(os.path.join(REPOSITORY, "workflow/rules"), *TASK.rules):

    include: rule_file


localrules:
    all,


rule all:
    """Everything config.yaml asks for, up to the page."""
    default_target: True
    input:
        "results/report/report.html",
        "results/summary.json",
        PLAN.targets,


if "apply" in STAGES:

    localrules:
        friends,

    rule friends:
        """Friend trees of all files of the samples that section apply names."""
        input:
            refused(PLAN.friends),


onsuccess:
    for line in closing.words("results"):
        print(line, file=sys.stderr)


# The log of a job lies on the same disk: when that is full, the job cannot say so.
onerror:
    free = shutil.disk_usage(".").free
    if free < 1_000_000:
        print(
            f"error: {free} bytes are free on the disk of {os.getcwd()}; free some space and run"
            " the workflow again",
            file=sys.stderr,
        )
