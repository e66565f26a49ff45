"""performance: response and resolution of every estimator with intervals, as tidy tables."""

MEASURED_SAMPLES = [
    name for name in CONFIG.samples if name not in CONFIG.performance.leave_out
]
if not MEASURED_SAMPLES:
    raise WorkflowError(
        "performance.leave_out names every sample, so there is nothing to measure; take one out"
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
