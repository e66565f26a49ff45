"""The stage import_graph, as `ptmiss.stages` declares it."""

from ptmiss.cli import stage

if __name__ == "__main__":
    stage("import_graph")
