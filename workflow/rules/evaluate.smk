"""evaluate: the missing transverse momentum of every estimator, event by event."""

import shlex


def model_of(wildcards):
    """The exported network of a training; none for a run of the classical estimators alone."""
    if wildcards.training == CLASSICAL:
        return []
    return [f"results/models/{wildcards.training}/onnx/model.onnx"]


def external_models(wildcards):
    """The ONNX files of models of others."""
    return list(CONFIG.evaluate.external_paths().values())


def model_options(wildcards, input):
    """The flags that only a run with networks has."""
    options = [f"--model {path}" for path in input.model]
    return options + [
        f"--external {shlex.quote(f'{name}={path}')}"
        for name, path in CONFIG.evaluate.external_paths().items()
    ]


rule evaluate:
    """Compute every estimator for a part of a skim."""
    input:
        **code("evaluate"),
        skim="results/skim/{sample}/{part}.parquet",
        model=model_of,
        external=external_models,
    output:
        estimates="results/estimates/{training}/{sample}/{variation}/{part}.parquet",
    log:
        "results/logs/evaluate/{training}/{sample}/{variation}/{part}.log",
    benchmark:
        "results/benchmarks/evaluate/{training}/{sample}/{variation}/{part}.tsv"
    wildcard_constraints:
        variation="nominal",
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        **modules("evaluate"),
        options=model_options,
        settings=settings("evaluate"),
    shell:
        "python {input.script:q}"
        " --skim {input.skim:q}"
        " --training {wildcards.training:q}"
        " --variation {wildcards.variation:q}"
        " --settings {params.settings:q}"
        " --threads {threads}"
        " {params.options}"
        " --estimates {output.estimates:q}"
        " > {log:q} 2>&1"
