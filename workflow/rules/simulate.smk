"""simulate: Pythia 8 collisions, pile-up and a parametric detector, for users without ntuples."""

MINBIAS_PARTS = [part_name(i) for i in range(CONFIG.simulate.minbias.parts)]


def process_files(wildcards):
    """The card of a sample's process and, where there is one, its particle table."""
    process = CONFIG.samples[wildcards.sample].process
    stem = Path(REPOSITORY, "resources/processes", process)
    return [
        here(stem.with_suffix(s))
        for s in (".yaml", ".slha")
        if stem.with_suffix(s).is_file()
    ]


rule minbias:
    """Generate a slice of the library of pile-up collisions, each assigned to one fold."""
    input:
        **code("minbias"),
    output:
        library="results/minbias/{part}.parquet",
    log:
        "results/logs/simulate/minbias/{part}.log",
    benchmark:
        "results/benchmarks/simulate/minbias/{part}.tsv"
    conda:
        "../../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        **modules("minbias"),
        parts=len(MINBIAS_PARTS),
        settings=settings("simulate"),
    shell:
        "python {input.script:q}"
        " --part {wildcards.part:q}"
        " --parts {params.parts}"
        " --settings {params.settings:q}"
        " --library {output.library:q}"
        " > {log:q} 2>&1"


rule simulate:
    """Generate collisions of a process, overlay pile-up, run the detector; write a PFNano-like ntuple."""
    input:
        **code("simulate"),
        library=expand("results/minbias/{part}.parquet", part=MINBIAS_PARTS),
        process=process_files,
    output:
        ntuple="results/ntuples/{sample}/{part}.root",
    log:
        "results/logs/simulate/{sample}/{part}.log",
    benchmark:
        "results/benchmarks/simulate/{sample}/{part}.tsv"
    conda:
        "../../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        **modules("simulate"),
        spec=spec,
        settings=settings("simulate"),
    shell:
        "python {input.script:q}"
        " --sample {wildcards.sample:q}"
        " --part {wildcards.part:q}"
        " --spec {params.spec:q}"
        " --settings {params.settings:q}"
        " --process {input.process[0]:q}"
        " --library {input.library:q}"
        " --ntuple {output.ntuple:q}"
        " > {log:q} 2>&1"
