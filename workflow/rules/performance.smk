"""performance: response and resolution of every estimator with intervals, as tidy tables."""

TABLES = {
    "table": "results/performance/{training}.csv",
    "gains": "results/performance/{training}.gains.csv",
    "spectra": "results/performance/{training}.spectra.csv",
    "roc": "results/performance/{training}.roc.csv",
    "slices": "results/performance/{training}.slices.csv",
    "coverage": "results/performance/{training}.coverage.csv",
    "headline": "results/performance/{training}.headline.json",
}


rule performance:
    """Measure response and resolution in the test folds."""
    input:
        **RULES.code("performance"),
        estimates=PLAN.measured_estimates,
    output:
        **RULES.outputs("performance", **TABLES),
    log:
        "results/logs/performance/{training}.log",
    benchmark:
        "results/benchmarks/performance/{training}.tsv"
    conda:
        RULES.environment("performance")
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        **RULES.params("performance"),
        learnt=PLAN.learnt_samples,
    shell:
        RULES.command("performance")
