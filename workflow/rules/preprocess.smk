"""preprocess: the events of a training's samples, mixed and shuffled into streamable datasets."""

DATASETS = {
    "train": "results/datasets/{training}/train.parquet",
    "validation": "results/datasets/{training}/validation.parquet",
    "summary": "results/datasets/{training}/dataset.json",
}


rule preprocess:
    """Mix a training's samples with their shares, split by fold, shuffle."""
    input:
        **RULES.code("preprocess"),
        skims=PLAN.training_skims,
    output:
        **DATASETS,
    log:
        "results/logs/preprocess/{training}.log",
    benchmark:
        "results/benchmarks/preprocess/{training}.tsv"
    priority: 10  # the longest chain of jobs begins here
    conda:
        RULES.environment("preprocess")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        **RULES.params("preprocess"),
    shell:
        RULES.command("preprocess")
