"""performance: response and resolution of every estimator with intervals, as tidy tables."""

import re

from ptmiss.settings.performance import memory_mb

MEASURED_SAMPLES = [
    name for name in CONFIG.samples if name not in CONFIG.performance.leave_out
]
if not MEASURED_SAMPLES:
    raise WorkflowError(
        "performance.leave_out names every sample, so there is nothing to measure; take one out"
    )

MEMORY_MB = memory_mb(
    CONFIG.performance,
    len(CONFIG.evaluate.estimators)
    + len(CONFIG.evaluate.external)
    + len(CONFIG.performance.stored)
    + bool(CONFIG.trainings),
)
# what the rule says below, or what a profile or the command line gives it: `attempt * 4000`
GIVEN = workflow.resource_settings.overwrite_resources.get("performance") or {}
GIVEN = getattr(GIVEN["mem_mb"], "raw", None) if "mem_mb" in GIVEN else None
MAY_HAVE_MB = int((re.findall(r"\d+", str(GIVEN)) or ["4000"])[-1])
if workflow.is_main_process and MEMORY_MB > MAY_HAVE_MB:
    raise WorkflowError(
        f"performance: these bins, {CONFIG.performance.replicas} replicas and the estimators need"
        f" up to {MEMORY_MB} MB, the rule has {MAY_HAVE_MB}; give fewer edges or replicas, or run with"
        f" --set-resources performance:mem_mb={MEMORY_MB}"
    )


rule performance:
    """Measure response and resolution in the test folds."""
    input:
        **code("performance"),
        estimates=per_part(
            "results/estimates/{{training}}/{sample}/nominal/{part}.parquet",
            MEASURED_SAMPLES,
        ),
    output:
        table="results/performance/{training}.csv",
        gains="results/performance/{training}.gains.csv",
        spectra="results/performance/{training}.spectra.csv",
        roc="results/performance/{training}.roc.csv",
        slices="results/performance/{training}.slices.csv",
        headline="results/performance/{training}.headline.json",
    log:
        "results/logs/performance/{training}.log",
    benchmark:
        "results/benchmarks/performance/{training}.tsv"
    conda:
        "../../envs/performance.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        **modules("performance"),
        folds=measured_folds,
        settings=settings("performance"),
    shell:
        "python {input.script:q}"
        " --estimates {input.estimates:q}"
        " --folds {params.folds:q}"
        " --settings {params.settings:q}"
        " --table {output.table:q}"
        " --gains {output.gains:q}"
        " --spectra {output.spectra:q}"
        " --roc {output.roc:q}"
        " --slices {output.slices:q}"
        " --headline {output.headline:q}"
        " > {log:q} 2>&1"
