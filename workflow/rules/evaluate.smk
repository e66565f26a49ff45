"""evaluate: the missing transverse momentum of every estimator, event by event."""


rule evaluate:
    """Compute every estimator for a part of a skim."""
    input:
        **code("evaluate"),
        skim="results/skim/{sample}/{part}.parquet",
    output:
        estimates="results/estimates/{training}/{sample}/{variation}/{part}.parquet",
    log:
        "results/logs/evaluate/{training}/{sample}/{variation}/{part}.log",
    benchmark:
        "results/benchmarks/evaluate/{training}/{sample}/{variation}/{part}.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        settings=settings("evaluate"),
    shell:
        "python {input.script:q}"
        " --skim {input.skim:q}"
        " --training {wildcards.training:q}"
        " --variation {wildcards.variation:q}"
        " --settings {params.settings:q}"
        " --estimates {output.estimates:q}"
        " > {log:q} 2>&1"
