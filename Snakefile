"""From simulation ntuples to a calibrated estimator of missing transverse momentum."""

import os
import shutil
import sys

from snakemake.utils import min_version

min_version("9.27")


report: "workflow/report/workflow.rst"


include: "workflow/files.smk"


configfile: os.path.join(REPOSITORY, "config.yaml")


include: "workflow/rules/common.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/skim.smk"
include: "workflow/rules/preprocess.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/vary.smk"
include: "workflow/rules/performance.smk"
include: "workflow/rules/uncertainty.smk"
include: "workflow/rules/interpret.smk"
include: "workflow/rules/calibrate.smk"
include: "workflow/rules/closure.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/gate.smk"


localrules:
    all,
    gate,
    accept,


rule all:
    """Everything config.yaml asks for, up to the page."""
    default_target: True
    input:
        "results/report/report.html",
        "results/summary.json",
        "results/performance/accepted.json",
        RESULTS["uncertainties"],
        list(CONFIRMED.values()),


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
