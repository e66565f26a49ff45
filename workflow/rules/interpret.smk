"""interpret: what a network does with the candidates, for trainings that have one."""


rule interpret:
    """Mean weights of candidates, importance of their features, typical and worst events."""
    input:
        **RULES.code("interpret"),
        skims=PLAN.interpreted_skims,
        model="results/models/{training}/onnx/model.onnx",
    output:
        weights="results/interpretation/{training}.weights.csv",
        importance="results/interpretation/{training}.importance.csv",
        displays="results/interpretation/{training}.displays.json",
    log:
        "results/logs/interpret/{training}.log",
    benchmark:
        "results/benchmarks/interpret/{training}.tsv"
    conda:
        RULES.environment("interpret")
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        **RULES.params("interpret"),
    shell:
        RULES.command("interpret")
