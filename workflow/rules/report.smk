"""report: figures, tables, ledger and provenance on one page."""

SIMULATED = [name for name in CONFIG.samples if name not in FILES]
# what is left out of the measurement is evaluated where something else needs it
EVALUATED_SAMPLES = list(dict.fromkeys([*MEASURED_SAMPLES, *CALIBRATION_SAMPLES]))
STAGE_BENCHMARKS = (
    expand(
        "results/benchmarks/{stage}/{training}.tsv",
        stage=["preprocess", "train", "export", "interpret"],
        training=CONFIG.trainings,
    )
    + expand("results/benchmarks/uncertainty/{training}.tsv", training=VARIED_TRAININGS)
    + [
        path
        for training in VARIED_TRAININGS
        for path in per_part(
            f"results/benchmarks/vary/{training}/{{sample}}/{{part}}.tsv",
            VARIED_SAMPLES,
        )
    ]
    + expand(
        "results/benchmarks/{stage}/{training}.tsv",
        stage=["calibrate", "closure"],
        training=CALIBRATED_TRAININGS,
    )
    + per_part("results/benchmarks/skim/{sample}/{part}.tsv")
    + [
        path
        for training in TRAININGS
        for path in per_part(
            f"results/benchmarks/evaluate/{training}/{{sample}}/nominal/{{part}}.tsv",
            EVALUATED_SAMPLES,
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
        templates=sorted(map(here, Path(REPOSITORY, "resources/report").iterdir())),
        tables=expand("results/performance/{training}.csv", training=TRAININGS),
        headlines=expand(
            "results/performance/{training}.headline.json", training=TRAININGS
        ),
        gains=expand("results/performance/{training}.gains.csv", training=TRAININGS),
        spectra=expand("results/performance/{training}.spectra.csv", training=TRAININGS),
        roc=expand("results/performance/{training}.roc.csv", training=TRAININGS),
        slices=expand("results/performance/{training}.slices.csv", training=TRAININGS),
        verdicts=expand("results/performance/{training}.gate.json", training=TRAININGS),
        ledgers=per_part("results/skim/{sample}/{part}.ledger.json"),
        benchmarks=STAGE_BENCHMARKS,
        parity=expand(
            "results/models/{training}/onnx/parity.json", training=CONFIG.trainings
        ),
        histories=expand(
            "results/models/{training}/history.csv", training=CONFIG.trainings
        ),
        records=expand(
            "results/models/{training}/training.json", training=CONFIG.trainings
        ),
        weights=expand(
            "results/interpretation/{training}.weights.csv", training=CONFIG.trainings
        ),
        importance=expand(
            "results/interpretation/{training}.importance.csv",
            training=CONFIG.trainings,
        ),
        displays=expand(
            "results/interpretation/{training}.displays.json",
            training=CONFIG.trainings,
        ),
        uncertainties=expand(
            "results/performance/{training}.uncertainties.csv",
            training=VARIED_TRAININGS,
        ),
        calibration=expand(
            "results/calibration/{training}/tables.csv", training=CALIBRATED_TRAININGS
        ),
        closures=expand(
            "results/calibration/{training}/closure.json",
            training=CALIBRATED_TRAININGS,
        ),
    output:
        report=report(
            "results/report/report.html",
            caption="../report/page.rst",
            category="Results",
            # of two labels with two values each, the report of Snakemake makes switches
            labels={"what": "page"},
        ),
        overview=report(
            "results/report/overview.png",
            caption="../report/overview.rst",
            category="Results",
            labels={"what": "gains in all final states"},
        ),
        summary=report(
            "results/summary.json",
            caption="../report/summary.rst",
            category="Results",
            labels={"what": "headline numbers"},
        ),
    log:
        "results/logs/report/report.log",
    conda:
        "../../envs/report.yaml"
    threads: 2
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        **modules("report"),
        # samples in their order, which sorted JSON would lose
        config=as_it_is(CONFIG.model_dump_json()),
        source=here("."),
        state="describe --always --dirty",
    shell:
        "python {input.script:q}"
        " --tables {input.tables:q}"
        " --headlines {input.headlines:q}"
        " --gains {input.gains:q}"
        " --spectra {input.spectra:q}"
        " --roc {input.roc:q}"
        " --slices {input.slices:q}"
        " --verdicts {input.verdicts:q}"
        " --ledgers {input.ledgers:q}"
        " --benchmarks {input.benchmarks:q}"
        " --parity {input.parity:q}"
        " --histories {input.histories:q}"
        " --records {input.records:q}"
        " --weights {input.weights:q}"
        " --importance {input.importance:q}"
        " --displays {input.displays:q}"
        " --uncertainties {input.uncertainties:q}"
        " --calibration {input.calibration:q}"
        " --closures {input.closures:q}"
        " --config {params.config:q}"
        # the state of the source is no input: a commit alone makes no page anew
        ' --revision "$(git -C {params.source:q} {params.state} 2>/dev/null)"'
        " --threads {threads}"
        " --report {output.report:q}"
        " --overview {output.overview:q}"
        " --summary {output.summary:q}"
        " > {log:q} 2>&1"
