"""performance: response and resolution of every estimator with intervals, as tidy tables."""

# What the rule says below, or what a profile or the command line gives it.
LIMIT = workflow.resource_settings.overwrite_resources.get("performance") or {}
LIMIT = str(getattr(LIMIT["mem_mb"], "raw", "")) if "mem_mb" in LIMIT else "4000"
if workflow.is_main_process:
    try:
        require_memory(PLAN, LIMIT)
    except UserError as error:
        raise WorkflowError(str(error)) from None


rule performance:
    """Measure response and resolution in the test folds."""
    input:
        **RULES.code("performance"),
        estimates=PLAN.measured_estimates,
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
        RULES.environment("performance")
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        **RULES.params("performance"),
    shell:
        RULES.command("performance")
