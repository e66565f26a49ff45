"""minbias: the library of pile-up collisions that the simulation overlays."""


rule minbias:
    """Generate a slice of the library of pile-up collisions, each assigned to one fold."""
    input:
        **RULES.code("minbias"),
    output:
        library="results/minbias/{part}.parquet",
    log:
        "results/logs/simulate/minbias/{part}.log",
    benchmark:
        "results/benchmarks/simulate/minbias/{part}.tsv"
    conda:
        RULES.environment("minbias")
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        **RULES.params("minbias"),
        parts=len(PLAN.minbias_parts),
    shell:
        RULES.command("minbias")
