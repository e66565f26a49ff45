"""apply: friend trees with calibrated pTmiss beside the files of samples, when the configuration asks."""

FRIEND_INPUT = {
    "ntuple": refused(PLAN.local_friend_input),
    "corrections": PLAN.friend_corrections,
}
FRIEND = {
    "friend": PLAN.friend,
    "ledger": "results/friends/{training}/{sample}/{part}.ledger.json",
}


rule apply:
    """Write the calibrated estimators of all events of a file, aligned with it."""
    input:
        **RULES.code("apply"),
        **FRIEND_INPUT,
        branches=resources_of_repository("branches/*.yaml"),
        model=PLAN.friend_model,
        external=list(PLAN.external_models.values()),
    output:
        **FRIEND,
    log:
        "results/logs/apply/{training}/{sample}/{part}.log",
    benchmark:
        "results/benchmarks/apply/{training}/{sample}/{part}.tsv"
    conda:
        RULES.environment("apply")
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        **RULES.params("apply"),
        address=PLAN.friend_input,
        external=external_options,
    shell:
        RULES.command("apply")
