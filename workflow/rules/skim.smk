"""skim: the selected events and needed columns of any supported input, as Parquet with a ledger."""


rule skim:
    """Keep the events and branches that later stages read; count everything left out or repaired."""
    input:
        **code("skim"),
        branches=sorted(
            map(here, Path(REPOSITORY, "resources/branches").glob("*.yaml"))
        ),
        ntuples=local_ntuples,
    output:
        events="results/skim/{sample}/{part}.parquet",
        ledger="results/skim/{sample}/{part}.ledger.json",
    log:
        "results/logs/skim/{sample}/{part}.log",
    benchmark:
        "results/benchmarks/skim/{sample}/{part}.tsv"
    conda:
        "../../envs/skim.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        **modules("skim"),
        addresses=ntuple_addresses,
        spec=spec,
        settings=settings("skim"),
    shell:
        "python {input.script:q}"
        " --ntuples {params.addresses:q}"
        " --sample {wildcards.sample:q}"
        " --part {wildcards.part:q}"
        " --spec {params.spec:q}"
        " --settings {params.settings:q}"
        " --events {output.events:q}"
        " --ledger {output.ledger:q}"
        " > {log:q} 2>&1"
