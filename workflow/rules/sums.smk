"""sums: the sum of the generator weights of all files of a sample, from their trees Runs."""


rule sums:
    """Add up what the files of a sample say of the events that were generated for them."""
    input:
        **RULES.code("sums"),
        branches=resources_of_repository("branches/*.yaml"),
        ntuples=PLAN.local_files,
    output:
        sums=SUMS,
    log:
        "results/logs/sums/{sample}.log",
    benchmark:
        "results/benchmarks/sums/{sample}.tsv"
    conda:
        RULES.environment("sums")
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        **RULES.params("sums"),
        addresses=PLAN.all_files,
    shell:
        RULES.command("sums")
