"""skim: the selected events and needed columns of any supported input, as Parquet with a ledger."""


rule skim:
    """Keep the events and branches that later stages read; count everything left out or repaired."""
    input:
        **RULES.code("skim"),
        branches=resources_of_repository("branches/*.yaml"),
        ntuples=PLAN.local_ntuples,
        beside=PLAN.files_beside,
        sums=PLAN.sums,
    output:
        events=SKIM,
        ledger="results/skim/{sample}/{part}.ledger.json",
    log:
        "results/logs/skim/{sample}/{part}.log",
    benchmark:
        "results/benchmarks/skim/{sample}/{part}.tsv"
    conda:
        RULES.environment("skim")
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        **RULES.params("skim"),
        addresses=PLAN.addresses,
    shell:
        RULES.command("skim")
