"""uncertainty: what systematic variations do to response and resolution, with the total."""


rule uncertainty:
    """Compare varied with nominal numbers in the test folds."""
    input:
        **RULES.code("uncertainty"),
        estimates=PLAN.compared_estimates,
        measured="results/performance/{training}.csv",
    output:
        table="results/performance/{training}.uncertainties.csv",
    log:
        "results/logs/uncertainty/{training}.log",
    benchmark:
        "results/benchmarks/uncertainty/{training}.tsv"
    conda:
        RULES.environment("uncertainty")
    threads: 2
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        **RULES.params("uncertainty"),
    shell:
        RULES.command("uncertainty")
