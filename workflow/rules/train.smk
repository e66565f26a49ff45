"""train: DeepMET in TensorFlow, resumable, one model per entry of `trainings`."""


# One thread: batches of ten events keep little more than one core busy, and two trainings side by
# side are quicker than two threads for each. The folder of checkpoints lies beside the outputs,
# which Snakemake removes before a job starts.
rule train:
    """Train a network; a stopped job goes on from its last epoch when it runs again."""
    input:
        **RULES.code("train"),
        **DATASETS,
    output:
        model="results/models/{training}/model.keras",
        history="results/models/{training}/history.csv",
        record="results/models/{training}/training.json",
    log:
        "results/logs/train/{training}.log",
    benchmark:
        "results/benchmarks/train/{training}.tsv"
    priority: 10
    conda:
        RULES.environment("train")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        **RULES.params("train"),
        checkpoints="results/checkpoints/{training}",
        tensorboard="results/logs/train/{training}.tensorboard",
    shell:
        RULES.command("train")
