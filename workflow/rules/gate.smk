"""gate: no network is accepted on Z to mumu alone; the run ends with an error if one is refused."""


rule gate:
    """Judge a training by its response and resolution where there is real missing momentum."""
    input:
        **code("gate"),
        headline="results/performance/{training}.headline.json",
    output:
        verdict="results/performance/{training}.gate.json",
    log:
        "results/logs/gate/{training}.log",
    conda:
        "../../envs/gate.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        **modules("gate"),
        settings=settings("gate"),
    shell:
        "python {input.script:q}"
        " --headline {input.headline:q}"
        " --settings {params.settings:q}"
        " --verdict {output.verdict:q}"
        " > {log:q} 2>&1"


rule accept:
    """End the run with an error if a gate refused a network; the page that shows it exists by then."""
    input:
        **code("accept"),
        report="results/report/report.html",
        verdicts=expand("results/performance/{training}.gate.json", training=TRAININGS),
    output:
        accepted="results/performance/accepted.json",
    log:
        "results/logs/gate/accept.log",
    conda:
        "../../envs/gate.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        **modules("accept"),
        settings=settings("gate"),
    shell:
        "python {input.script:q}"
        " --verdicts {input.verdicts:q}"
        " --settings {params.settings:q}"
        " --accepted {output.accepted:q}"
        " > {log:q} 2>&1"
