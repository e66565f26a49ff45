"""vary: every estimator again, with the candidates moved by each systematic uncertainty."""

from ptmiss.tasks.met.variations.names import VARIATIONS


rule vary:
    """Compute every estimator for all variations of a part of a skim, in one pass over it."""
    input:
        **RULES.code("vary"),
        skim=SKIM,
        model=PLAN.model,
        external=list(PLAN.external_models.values()),
    output:
        estimates=expand(ESTIMATES, variation=VARIATIONS, allow_missing=True),
    log:
        "results/logs/vary/{training}/{sample}/{part}.log",
    benchmark:
        "results/benchmarks/vary/{training}/{sample}/{part}.tsv"
    conda:
        RULES.environment("vary")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        **RULES.params("vary"),
        variations=VARIATIONS,
        external=external_options,
    shell:
        RULES.command("vary")
