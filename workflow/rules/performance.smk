"""performance: response and resolution of every estimator with intervals, as tidy tables."""

import re

from ptmiss.tasks.met.settings.performance import memory_mb

MEASURED_SAMPLES = CONFIG.measured_samples
if not MEASURED_SAMPLES:
    raise WorkflowError(
        "performance.leave_out names every sample, so there is nothing to measure; take one out"
    )

MEMORY_MB = memory_mb(
    CONFIG.performance,
    len(CONFIG.evaluate.estimators)
    + len(CONFIG.evaluate.external)
    + (len(CONFIG.performance.stored) if FILES else 0)  # our simulation stores none
    + bool(CONFIG.trainings),
)
# What the rule says below, or what a profile or the command line gives it: `8000`, `attempt * 8000`.
# Other expressions are evaluated by Snakemake alone, so nothing is said of them here.
GIVEN = workflow.resource_settings.overwrite_resources.get("performance") or {}
GIVEN = str(getattr(GIVEN["mem_mb"], "raw", "")) if "mem_mb" in GIVEN else "4000"
PLAIN = re.fullmatch(r"(?:attempt \* )?(\d+)(?: \* attempt)?", GIVEN.strip())
MAY_HAVE_MB = int(PLAIN[1]) if PLAIN else MEMORY_MB
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
