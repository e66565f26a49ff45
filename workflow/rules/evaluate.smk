"""evaluate: the missing transverse momentum of every estimator, event by event."""


rule evaluate:
    """Compute every estimator for a part of a skim."""
    input:
        **RULES.code("evaluate"),
        skim=SKIM,
        model=PLAN.model,
        external=list(PLAN.external_models.values()),
    output:
        estimates=ESTIMATES,
    log:
        "results/logs/evaluate/{training}/{sample}/{variation}/{part}.log",
    benchmark:
        "results/benchmarks/evaluate/{training}/{sample}/{variation}/{part}.tsv"
    wildcard_constraints:
        variation="nominal",
    conda:
        RULES.environment("evaluate")
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        **RULES.params("evaluate"),
        external=external_options,
    shell:
        RULES.command("evaluate")
