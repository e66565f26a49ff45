"""closure: the corrections are judged on other events; a failure ends the run after the report."""


rule closure:
    """Judge the corrections of a training on the half of the events they were not derived from."""
    input:
        **code("closure"),
        estimates=estimates_to_calibrate,
        corrections="results/calibration/{training}/corrections.json.gz",
        fits="results/calibration/{training}/fits.npz",
    output:
        verdict="results/calibration/{training}/closure.json",
    log:
        "results/logs/closure/{training}.log",
    benchmark:
        "results/benchmarks/closure/{training}.tsv"
    conda:
        "../../envs/closure.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        **modules("closure"),
        folds=measured_folds,
        settings=settings("calibration"),
    shell:
        "python {input.script:q}"
        " --estimates {input.estimates:q}"
        " --corrections {input.corrections:q}"
        " --fits {input.fits:q}"
        " --folds {params.folds:q}"
        " --settings {params.settings:q}"
        " --verdict {output.verdict:q}"
        " > {log:q} 2>&1"


rule confirm:
    """End the run with an error if a closure failed; the page that shows it exists by then."""
    input:
        **code("confirm"),
        report="results/report/report.html",
        verdicts=expand(
            "results/calibration/{training}/closure.json",
            training=CALIBRATED_TRAININGS,
        ),
    output:
        confirmed="results/calibration/confirmed.json",
    log:
        "results/logs/closure/confirm.log",
    conda:
        "../../envs/closure.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        **modules("confirm"),
        settings=settings("calibration"),
    shell:
        "python {input.script:q}"
        " --verdicts {input.verdicts:q}"
        " --settings {params.settings:q}"
        " --confirmed {output.confirmed:q}"
        " > {log:q} 2>&1"
