"""gate: no network is accepted on Z to mumu alone."""


localrules:
    gate,


rule gate:
    """Judge a training by its response and resolution where there is real missing momentum."""
    input:
        **RULES.code("gate"),
        headline="results/performance/{training}.headline.json",
    output:
        verdict="results/performance/{training}.gate.json",
    log:
        "results/logs/gate/{training}.log",
    conda:
        RULES.environment("gate")
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        **RULES.params("gate"),
    shell:
        RULES.command("gate")
