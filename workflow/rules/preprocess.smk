"""preprocess: the events of a training's samples, mixed and shuffled into streamable datasets."""


def training_spec(wildcards):
    """The configuration of one training as sorted JSON."""
    return to_json(CONFIG.trainings[wildcards.training])


def training_skims(wildcards):
    """The skims of all samples that a training mixes."""
    return per_part(
        "results/skim/{sample}/{part}.parquet",
        sorted(CONFIG.trainings[wildcards.training].samples),
    )


rule preprocess:
    """Mix a training's samples with their shares, split by fold, shuffle."""
    input:
        **code("preprocess"),
        skims=training_skims,
    output:
        train="results/datasets/{training}/train.parquet",
        validation="results/datasets/{training}/validation.parquet",
        summary="results/datasets/{training}/dataset.json",
    log:
        "results/logs/preprocess/{training}.log",
    benchmark:
        "results/benchmarks/preprocess/{training}.tsv"
    priority: 10  # the longest chain of jobs begins here
    conda:
        "../../envs/preprocess.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        **modules("preprocess"),
        spec=training_spec,
        folds=settings("folds"),
        settings=settings("preprocess"),
    shell:
        "python {input.script:q}"
        " --skims {input.skims:q}"
        " --training {wildcards.training:q}"
        " --spec {params.spec:q}"
        " --folds {params.folds:q}"
        " --settings {params.settings:q}"
        " --train {output.train:q}"
        " --validation {output.validation:q}"
        " --summary {output.summary:q}"
        " > {log:q} 2>&1"
