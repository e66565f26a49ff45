"""simulate: Pythia 8 collisions, pile-up and a parametric detector, for users without ntuples."""


rule simulate:
    """Generate collisions of a process, overlay pile-up, run the detector; write a PFNano-like ntuple."""
    input:
        **RULES.code("simulate"),
        library=PLAN.libraries,
        process=PLAN.process_files,
    output:
        ntuple="results/ntuples/{sample}/{part}.root",
    log:
        "results/logs/simulate/{sample}/{part}.log",
    benchmark:
        "results/benchmarks/simulate/{sample}/{part}.tsv"
    conda:
        RULES.environment("simulate")
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        **RULES.params("simulate"),
    shell:
        RULES.command("simulate")
