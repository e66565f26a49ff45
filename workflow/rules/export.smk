"""export: the network as an ONNX file that CMSSW's interface and a Triton server take."""


rule export:
    """Write the ONNX file, after it has given the same numbers as the trained network."""
    input:
        **RULES.code("export"),
        model="results/models/{training}/model.keras",
        record="results/models/{training}/training.json",
        dataset=DATASETS["validation"],
    output:
        onnx="results/models/{training}/onnx/model.onnx",
        triton="results/models/{training}/onnx/config.pbtxt",
        parity="results/models/{training}/onnx/parity.json",
    log:
        "results/logs/export/{training}.log",
    benchmark:
        "results/benchmarks/export/{training}.tsv"
    priority: 10
    conda:
        RULES.environment("export")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        **RULES.params("export"),
    shell:
        RULES.command("export")
