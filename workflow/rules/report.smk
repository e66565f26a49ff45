"""report: figures, tables, ledger and provenance on one page."""

import shlex

# of two labels with two values each, the report of Snakemake makes switches
PAGE = {
    name: report(
        path,
        caption=f"../report/{caption}.rst",
        category="Results",
        labels={"what": what},
    )
    for name, path, caption, what in (
        ("report", "results/report/report.html", "page", "page"),
        (
            "overview",
            "results/report/overview.png",
            "overview",
            "gains in all final states",
        ),
        ("summary", "results/summary.json", "summary", "headline numbers"),
    )
}
# the state of the source is no input: a commit alone makes no page anew
REVISION = (
    f'"$(git -C {shlex.quote(RULES.here("."))} describe --always --dirty 2>/dev/null)"'
)


def kinds_of_results(wildcards):
    """What the page is made of, as KIND=FILE."""
    return [f"{kind}={path}" for kind, paths in RESULTS.items() for path in paths]


rule report:
    """Render the page and the machine-readable summary from the tables."""
    input:
        **RULES.code("report"),
        **RESULTS,
        templates=resources_of_repository("report/*"),
    output:
        **RULES.outputs("report", **PAGE),
    log:
        "results/logs/report/report.log",
    conda:
        RULES.environment("report")
    threads: 2
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        **RULES.params("report"),
        results=kinds_of_results,
        stages=[name for name, stage in STAGES.items() if stage.in_workflow],
    shell:
        RULES.command("report", revision=REVISION)
