# Two commands matter: `make run` and `make test`. Nothing in the workflow depends on make; it only
# builds the private environment from the lock files and calls what a user could type.

PYTHON ?= python3
CORES ?= all
KILLS ?= 3
POSITIONS ?= 6
EVENTS ?= 1000000
TOY ?= network
FRACTION ?= 1
UV_VERSION := 0.13.9
BIN := .venv/bin
# the environment comes first for what a command starts, activated or not
RUN := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)
PYTEST := $(RUN)/python -m pytest
MODULE := PYTHONPATH=scripts $(BIN)/python
# Nothing is fetched once these stamps exist, so both commands work offline afterwards.
RUN_READY := .venv/.run-$(shell cksum < requirements/run.txt | cut -d' ' -f1)
TEST_READY := .venv/.test-$(shell cksum < requirements/test.txt | cut -d' ' -f1)

.DEFAULT_GOAL := help
.PHONY: benchmark check clean coverage docs docs-closure docs-results docs-seeds env envs help lint lock
.PHONY: run schema stages test test-conda test-faults test-fuzz test-package test-readme test-remote
.PHONY: test-runtimes test-scale test-slurm test-toy test-unit

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "error: Python 3.11, 3.12 or 3.13 is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# `sync` would remove what the other lock file adds, and uv itself: `install` only adds.
# Bytecode is compiled once here: without it each of a hundred jobs would spend seconds on it.
$(RUN_READY): $(BIN)/uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/run.txt
	touch $@

$(TEST_READY): $(BIN)/uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/test.txt
	sh tests/debian.sh chromium
	touch $@ $(RUN_READY)

run: $(RUN_READY)  ## everything in config.yaml, to results/report/report.html
	$(RUN)/snakemake --cores $(CORES) all

CONFIG ?=
check: $(RUN_READY)  ## whether the settings are valid, with CONFIG=own.yaml over the default ones
	$(MODULE) -m ptmiss.tasks.check $(CONFIG)

# Speed ratios run alone, after the others: two processes side by side would measure each other.
# That of planning is only in `make benchmark`: 1.3 to 1.45 times a bare Snakefile on a busy machine,
# too near to the 1.5 that is wanted.
# tests/remote has its own target: xrootd's client cannot live in one process with TensorFlow.
test: $(TEST_READY) lint  ## the whole test suite
	$(PYTEST) tests --ignore tests/remote \
	  -m "not benchmark_ratio and not slurm and not conda and not readme and not runtimes" \
	  --numprocesses 2 --dist loadfile --durations 15
	$(PYTEST) tests/benchmarks \
	  --ignore tests/benchmarks/test_bench_planning.py -m benchmark_ratio -s

test-unit: $(TEST_READY)  ## only what needs no other program
	$(PYTEST) tests/unit tests/contract --numprocesses auto --dist loadfile

test-toy: $(TEST_READY)  ## only a small workflow, from simulation to the page
	$(PYTEST) tests/workflow/test_toy_run.py

test-package:  ## install the package into a fresh environment: needs Python and a package index
	$(PYTHON) tests/package/fresh.py

# A map of what nothing tries, no number to raise: kernels and other processes are not in it.
coverage: $(TEST_READY)  ## which lines unit tests do not run, to .cache/coverage/index.html
	$(PYTEST) tests/unit --numprocesses 2 --dist loadfile --cov --cov-report term \
	  --cov-report html:.cache/coverage

benchmark: $(TEST_READY)  ## only the speed ratios
	$(PYTEST) tests/benchmarks -m benchmark_ratio

test-slurm: $(TEST_READY)  ## a real Slurm on this machine: needs root, may install Debian's packages
	$(PYTEST) tests/slurm -m slurm --durations 3

test-conda: $(TEST_READY)  ## environments of rules from a local channel, with a stand-in for conda
	$(PYTEST) tests/conda -m conda --durations 3

test-runtimes: $(TEST_READY)  ## runtimes of years ago, in their own environments, give our numbers
	$(PYTEST) tests/runtimes -m runtimes -rs --durations 3

# Each folder is new: the proofs compare runs from the very beginning. TOY: classical, network,
# systematics, simulated (tests/faults/toy_run.py).
test-faults: $(TEST_READY)  ## kill runs at random moments (KILLS, TOY), fill the disk (POSITIONS; root)
	$(RUN)/python tests/faults/two_runs.py --folder "$$(mktemp -d)/runs"
	$(RUN)/python tests/faults/kill.py --count $(KILLS) --seed 1 \
	  --toy $(TOY) --folder "$$(mktemp -d)/runs"
	if [ "$$(id -u)" = 0 ]; then $(RUN)/python \
	  tests/faults/disk_full.py --positions $(POSITIONS) --toy classical --folder "$$(mktemp -d)/runs"; fi

test-fuzz: $(TEST_READY)  ## 19,100 spoiled inputs (FRACTION of them): one line each, a quarter of an hour
	$(RUN)/python tests/fuzz/large.py --fraction $(FRACTION)

test-remote: $(TEST_READY)  ## inputs over HTTP and from a real xrootd, which root may install
	sh tests/debian.sh xrootd-server
	$(PYTEST) tests/remote -rs

test-scale: $(TEST_READY)  ## a million events (EVENTS): memory must not grow with their number
	$(RUN)/python tests/scale/rows.py --events $(EVENTS) \
	  --folder "$$(mktemp -d)/rows"
	$(RUN)/python tests/scale/friends.py --events $(EVENTS) \
	  --folder "$$(mktemp -d)/friends"

test-readme: $(TEST_READY)  ## the dear commands of README and tutorial
	$(PYTEST) tests/docs -m readme --durations 3

env: $(RUN_READY)  ## only the environment of `make run`

lint: $(TEST_READY)  ## style and static checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	PYTHONPATH=scripts $(BIN)/lint-imports --no-cache
	$(BIN)/mypy

lock: $(BIN)/uv  ## compile requirements/*.in to hashed lock files
	cd requirements && for name in run test old-runtimes oldest-corrections; do \
	  ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --no-emit-index-url $$name.in -o $$name.txt; done

TASK ?= met
SCHEMA ?= workflow/schemas/config.schema.json
schema: $(RUN_READY)  ## write the JSON schema of a task's settings (TASK, SCHEMA=file)
	$(MODULE) -m ptmiss.tasks.schema $(TASK) $(SCHEMA)

envs: $(RUN_READY)  ## write envs/*.yaml from what each stage imports and requirements/run.txt
	$(MODULE) -m ptmiss.environments envs

stages: $(RUN_READY)  ## write the table of commands in ARCHITECTURE.md from the declared stages
	$(MODULE) docs/tools/commands_page.py ARCHITECTURE.md

docs: $(TEST_READY)  ## the documentation site, to .cache/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

RESULTS ?= results
docs-results: $(RUN_READY)  ## take figures and numbers of a run (RESULTS=folder) into docs and README
	$(MODULE) docs/tools/take.py $(RESULTS)

docs-seeds: $(RUN_READY)  ## take the seeds of a validation run (RESULTS=folder) into docs
	$(BIN)/python docs/tools/seeds_page.py $(RESULTS)

docs-closure: $(RUN_READY)  ## take the verdict of a closure run (RESULTS=folder) into docs
	$(BIN)/python docs/tools/closure_page.py $(RESULTS)

clean:  ## remove the results (not the environment)
	rm -rf results/* .snakemake
