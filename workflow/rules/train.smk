"""train: DeepMET in TensorFlow, resumable, one model per entry of `trainings`."""


rule train:
    """Train a network; a stopped job goes on from its last epoch when it runs again."""
    input:
        **code("train"),
        train="results/datasets/{training}/train.parquet",
        validation="results/datasets/{training}/validation.parquet",
        summary="results/datasets/{training}/dataset.json",
    output:
        model="results/models/{training}/model.keras",
        history="results/models/{training}/history.csv",
        record="results/models/{training}/training.json",
    log:
        "results/logs/train/{training}.log",
    benchmark:
        "results/benchmarks/train/{training}.tsv"
    priority: 10  # the longest chain of jobs begins here
    conda:
        "../../envs/train.yaml"
    # batches of ten events keep little more than one core busy: two trainings side by side are
    # quicker than two threads for each
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        **modules("train"),
        spec=training_spec,
        settings=settings("train"),
        # beside the outputs of the rule, which Snakemake removes before a job starts
        checkpoints="results/checkpoints/{training}",
        tensorboard="results/logs/train/{training}.tensorboard",
    shell:
        "python {input.script:q}"
        " --train {input.train:q}"
        " --validation {input.validation:q}"
        " --summary {input.summary:q}"
        " --spec {params.spec:q}"
        " --settings {params.settings:q}"
        " --threads {threads}"
        " --model {output.model:q}"
        " --history {output.history:q}"
        " --record {output.record:q}"
        " --checkpoints {params.checkpoints:q}"
        " --tensorboard {params.tensorboard:q}"
        " > {log:q} 2>&1"
