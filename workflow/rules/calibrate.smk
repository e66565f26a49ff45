"""calibrate: corrections of every estimator, derived in Z to mumu events."""


def calibration_samples():
    """The samples that the calibration reads; none where data or simulation are not there."""
    calibration = CONFIG.calibration
    needed = (calibration.data, calibration.simulation)
    missing = [name for name in needed if name not in CONFIG.samples]
    if missing:
        asked = set(workflow.config_settings.overwrite_config.get("calibration", {}))
        if asked & {"data", "simulation"}:
            raise WorkflowError(
                f"calibration asks for sample {missing[0]!r}, which is not among the samples"
                f" ({', '.join(CONFIG.samples)}); add it or name another"
            )
        return []
    optional = [*calibration.backgrounds]
    for pair in calibration.apply.items():
        if all(name in CONFIG.samples for name in pair):
            optional += pair
    chosen = [*needed, *(name for name in optional if name in CONFIG.samples)]
    chosen = list(dict.fromkeys(chosen))
    # the stage compares what the files say too, but that may be hours later
    said = {name: CONFIG.samples[name].sqrt_s for name in chosen if name in FILES}
    said = {name: sqrt_s for name, sqrt_s in said.items() if sqrt_s is not None}
    for name, sqrt_s in said.items():
        first = next(iter(said))
        if sqrt_s != said[first]:
            raise WorkflowError(
                f"calibration: sample {name} is of sqrt(s) = {sqrt_s:g} TeV, {first} of"
                f" {said[first]:g} TeV; calibrate samples of one energy together"
            )
    return chosen


CALIBRATION_SAMPLES = calibration_samples()
CALIBRATED_TRAININGS = TRAININGS if CALIBRATION_SAMPLES else []


def estimates_to_calibrate(wildcards):
    """The nominal estimates of the samples of the calibration."""
    if not CALIBRATION_SAMPLES:
        raise WorkflowError(
            f"no calibration: it needs the samples {CONFIG.calibration.data!r} and"
            f" {CONFIG.calibration.simulation!r} (calibration.data, calibration.simulation), found"
            f" {', '.join(CONFIG.samples)}"
        )
    return per_part(
        f"results/estimates/{wildcards.training}/{{sample}}/nominal/{{part}}.parquet",
        CALIBRATION_SAMPLES,
    )


HISTOGRAMS = (
    {"histograms": "results/calibration/{training}/histograms.root"}
    if CONFIG.calibration.root_histograms
    else {}
)


def histogram_options(wildcards, output):
    """The flag of the ROOT histograms where they are asked for."""
    return [f"--histograms {output.histograms}"] if HISTOGRAMS else []


rule calibrate:
    """Derive xy, response and quantile corrections with their uncertainties on half of the events."""
    input:
        **code("calibrate"),
        estimates=estimates_to_calibrate,
    output:
        **HISTOGRAMS,
        corrections="results/calibration/{training}/corrections.json.gz",
        fits="results/calibration/{training}/fits.npz",
        table="results/calibration/{training}/tables.csv",
        hepdata="results/calibration/{training}/hepdata.tar.gz",
    log:
        "results/logs/calibrate/{training}.log",
    benchmark:
        "results/benchmarks/calibrate/{training}.tsv"
    conda:
        "../../envs/calibrate.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        **modules("calibrate"),
        options=histogram_options,
        folds=measured_folds,
        settings=settings("calibration"),
    shell:
        "python {input.script:q}"
        " --estimates {input.estimates:q}"
        " --folds {params.folds:q}"
        " --settings {params.settings:q}"
        " --corrections {output.corrections:q}"
        " --fits {output.fits:q}"
        " --table {output.table:q}"
        " --hepdata {output.hepdata:q}"
        " {params.options}"
        " > {log:q} 2>&1"
