"""closure: the corrections of a training are judged on other events than they come from."""


rule closure:
    """Judge the corrections of a training on the half of the events they were not derived from."""
    input:
        **RULES.code("closure"),
        estimates=refused(PLAN.calibrated_estimates),
        corrections="results/calibration/{training}/corrections.json.gz",
        fits="results/calibration/{training}/fits.npz",
    output:
        verdict="results/calibration/{training}/closure.json",
    log:
        "results/logs/closure/{training}.log",
    benchmark:
        "results/benchmarks/closure/{training}.tsv"
    conda:
        RULES.environment("closure")
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        **RULES.params("closure"),
    shell:
        RULES.command("closure")
