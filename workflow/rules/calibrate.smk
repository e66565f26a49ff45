"""calibrate: corrections of every estimator, derived in Z to mumu events."""

HISTOGRAMS = (
    {"histograms": "results/calibration/{training}/histograms.root"}
    if CONFIG.calibration.root_histograms
    else {}
)
NO_HISTOGRAMS = {} if HISTOGRAMS else {"histograms": None}
CALIBRATION = {
    "corrections": "results/calibration/{training}/corrections.json.gz",
    "met_xy": "results/calibration/{training}/met_xy_corrections.json.gz",
    "recoil": directory("results/calibration/{training}/recoil"),
    "fits": "results/calibration/{training}/fits.npz",
    "table": "results/calibration/{training}/tables.csv",
    "hepdata": "results/calibration/{training}/hepdata.tar.gz",
}


rule calibrate:
    """Derive xy, response and quantile corrections with their uncertainties on half of the events."""
    input:
        **RULES.code("calibrate"),
        estimates=refused(PLAN.calibrated_estimates),
    output:
        **HISTOGRAMS,
        **RULES.outputs("calibrate", **CALIBRATION),
    log:
        "results/logs/calibrate/{training}.log",
    benchmark:
        "results/benchmarks/calibrate/{training}.tsv"
    conda:
        RULES.environment("calibrate")
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        **RULES.params("calibrate"),
    shell:
        RULES.command("calibrate", **NO_HISTOGRAMS)
