"""uncertainty: what systematic variations do to response and resolution, with the total."""


def estimates_to_compare(wildcards):
    """Nominal and varied estimates of the samples that are varied."""
    return [
        path
        for variation in ("nominal", *VARIATIONS)
        for path in per_part(
            f"results/estimates/{wildcards.training}/{{sample}}/{variation}/{{part}}.parquet",
            VARIED_SAMPLES,
        )
    ]


rule uncertainty:
    """Compare varied with nominal numbers in the test folds."""
    input:
        **code("uncertainty"),
        estimates=estimates_to_compare,
        performance="results/performance/{training}.csv",
    output:
        table="results/performance/{training}.uncertainties.csv",
    log:
        "results/logs/uncertainty/{training}.log",
    benchmark:
        "results/benchmarks/uncertainty/{training}.tsv"
    conda:
        "../../envs/uncertainty.yaml"
    threads: 2
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        **modules("uncertainty"),
        folds=measured_folds,
        binning=settings("performance"),
        settings=settings("uncertainty"),
    shell:
        "python {input.script:q}"
        " --estimates {input.estimates:q}"
        " --performance {input.performance:q}"
        " --folds {params.folds:q}"
        " --binning {params.binning:q}"
        " --settings {params.settings:q}"
        " --table {output.table:q}"
        " > {log:q} 2>&1"
