"""accept: a refused training ends the run."""

CONFIRMED = (
    {"confirmed": "results/calibration/confirmed.json"}
    if RESULTS.get("closures")
    else {}
)
NO_CLOSURES = {} if CONFIRMED else {"closures": None, "confirmed": None}


localrules:
    accept,


rule accept:
    """End the run with an error if a gate or a closure refused a training, once the page shows it."""
    input:
        **RULES.code("accept"),
        report="results/report/report.html",
        gates=RESULTS["verdicts"],
        closures=RESULTS.get("closures", []),
    output:
        **CONFIRMED,
        accepted="results/performance/accepted.json",
    log:
        "results/logs/gate/accept.log",
    conda:
        RULES.environment("accept")
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        **RULES.params("accept"),
    shell:
        RULES.command("accept", **NO_CLOSURES)
