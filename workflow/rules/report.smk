"""report: figures, tables, ledger and provenance on one page."""

SIMULATED = [name for name in CONFIG.samples if name not in FILES]
STAGE_BENCHMARKS = (
    expand(
        "results/benchmarks/{stage}/{training}.tsv",
        stage=["preprocess", "train", "export"],
        training=CONFIG.trainings,
    )
    + per_part("results/benchmarks/skim/{sample}/{part}.tsv")
    + [
        path
        for training in TRAININGS
        for path in per_part(
            f"results/benchmarks/evaluate/{training}/{{sample}}/nominal/{{part}}.tsv"
        )
    ]
    + expand("results/benchmarks/performance/{training}.tsv", training=TRAININGS)
    + per_part(
        "results/benchmarks/simulate/{sample}/{part}.tsv",
        SIMULATED,
    )
    + (
        expand("results/benchmarks/simulate/minbias/{part}.tsv", part=MINBIAS_PARTS)
        if SIMULATED
        else []
    )
)


rule report:
    """Render the page and the machine-readable summary from the tables."""
    input:
        **code("report"),
        templates=sorted(
            map(here, Path(workflow.basedir, "resources/report").iterdir())
        ),
        tables=expand("results/performance/{training}.csv", training=TRAININGS),
        headlines=expand(
            "results/performance/{training}.headline.json", training=TRAININGS
        ),
        ledgers=per_part("results/skim/{sample}/{part}.ledger.json"),
        benchmarks=STAGE_BENCHMARKS,
        parity=expand(
            "results/models/{training}/onnx/parity.json", training=CONFIG.trainings
        ),
    output:
        report="results/report/report.html",
        summary="results/summary.json",
    log:
        "results/logs/report/report.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        config=to_json(CONFIG),
    shell:
        "python {input.script:q}"
        " --tables {input.tables:q}"
        " --headlines {input.headlines:q}"
        " --ledgers {input.ledgers:q}"
        " --benchmarks {input.benchmarks:q}"
        " --parity {input.parity:q}"
        " --config {params.config:q}"
        " --report {output.report:q}"
        " --summary {output.summary:q}"
        " > {log:q} 2>&1"
