"""vary: every estimator again, with the candidates moved by each systematic uncertainty."""

from ptmiss.tasks.met.settings.vary import chosen
from ptmiss.tasks.met.variations.names import VARIATIONS

NOT_DATA = [
    name
    for name, sample in CONFIG.samples.items()
    if name not in FILES or not sample.is_data
]
VARIED_SAMPLES = chosen(CONFIG.vary.samples, NOT_DATA)
VARIED_TRAININGS = chosen(CONFIG.vary.trainings, TRAININGS) if VARIED_SAMPLES else []


rule vary:
    """Compute every estimator for all variations of a part of a skim, in one pass over it."""
    input:
        **code("vary"),
        skim="results/skim/{sample}/{part}.parquet",
        model=model_of,
        external=external_models,
    output:
        estimates=expand(
            "results/estimates/{{training}}/{{sample}}/{variation}/{{part}}.parquet",
            variation=VARIATIONS,
        ),
    log:
        "results/logs/vary/{training}/{sample}/{part}.log",
    benchmark:
        "results/benchmarks/vary/{training}/{sample}/{part}.tsv"
    conda:
        "../../envs/vary.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        **modules("vary"),
        variations=VARIATIONS,
        options=model_options,
        settings=settings("vary"),
        estimators=settings("evaluate"),
        folds=measured_folds,
    shell:
        "python {input.script:q}"
        " --skim {input.skim:q}"
        " --training {wildcards.training:q}"
        " --variations {params.variations:q}"
        " --settings {params.settings:q}"
        " --estimators {params.estimators:q}"
        " --folds {params.folds:q}"
        " --threads {threads}"
        " {params.options}"
        " --estimates {output.estimates:q}"
        " > {log:q} 2>&1"
