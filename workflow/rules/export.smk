"""export: the network as an ONNX file that CMSSW's interface and a Triton server take."""


rule export:
    """Write the ONNX file, after it has given the same numbers as the trained network."""
    input:
        **code("export"),
        model="results/models/{training}/model.keras",
        record="results/models/{training}/training.json",
        dataset="results/datasets/{training}/validation.parquet",
    output:
        onnx="results/models/{training}/onnx/model.onnx",
        triton="results/models/{training}/onnx/config.pbtxt",
        parity="results/models/{training}/onnx/parity.json",
    log:
        "results/logs/export/{training}.log",
    benchmark:
        "results/benchmarks/export/{training}.tsv"
    priority: 10  # the longest chain of jobs begins here
    conda:
        "../../envs/export.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        **modules("export"),
        settings=settings("export"),
    shell:
        "python {input.script:q}"
        " --model {input.model:q}"
        " --training {input.record:q}"
        " --dataset {input.dataset:q}"
        " --settings {params.settings:q}"
        " --threads {threads}"
        " --onnx {output.onnx:q}"
        " --triton {output.triton:q}"
        " --parity {output.parity:q}"
        " > {log:q} 2>&1"
