"""interpret: what a network does with the candidates, for trainings that have one."""

from ptmiss.tasks.met.settings.interpret import chosen_samples


def interpreted_skims(wildcards):
    """The skims of the samples that a training is looked at in."""
    return per_part(
        "results/skim/{sample}/{part}.parquet",
        chosen_samples(
            CONFIG.interpret,
            list(CONFIG.trainings[wildcards.training].samples),
            list(CONFIG.samples),
        ),
    )


rule interpret:
    """Mean weights of candidates, importance of their features, typical and worst events."""
    input:
        **code("interpret"),
        skims=interpreted_skims,
        model="results/models/{training}/onnx/model.onnx",
    output:
        weights="results/interpretation/{training}.weights.csv",
        importance="results/interpretation/{training}.importance.csv",
        displays="results/interpretation/{training}.displays.json",
    log:
        "results/logs/interpret/{training}.log",
    benchmark:
        "results/benchmarks/interpret/{training}.tsv"
    conda:
        "../../envs/interpret.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        **modules("interpret"),
        folds=settings("folds"),
        performance=settings("performance"),
        settings=settings("interpret"),
    shell:
        "python {input.script:q}"
        " --skims {input.skims:q}"
        " --model {input.model:q}"
        " --folds {params.folds:q}"
        " --performance {params.performance:q}"
        " --settings {params.settings:q}"
        " --threads {threads}"
        " --weights {output.weights:q}"
        " --importance {output.importance:q}"
        " --displays {output.displays:q}"
        " > {log:q} 2>&1"
