"""The stage sums, as `ptmiss.stages` declares it."""

from ptmiss.cli import stage

if __name__ == "__main__":
    stage("sums")
