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
# Nothing is fetched once these stamps exist, so both commands work offline afterwards.
RUN_READY := .venv/.run-$(shell cksum < requirements/run.txt | cut -d' ' -f1)
TEST_READY := .venv/.test-$(shell cksum < requirements/test.txt | cut -d' ' -f1)

.DEFAULT_GOAL := help
.PHONY: help run test test-slurm test-conda lint lock schema envs stages clean benchmark test-faults test-fuzz test-remote
.PHONY: env check docs docs-results docs-seeds docs-closure test-readme test-runtimes test-scale

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
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
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --cores $(CORES) all

CONFIG ?=
check: $(RUN_READY)  ## whether the settings are valid, with CONFIG=own.yaml over the default ones
	PYTHONPATH=scripts $(BIN)/python -m ptmiss.tasks.check $(CONFIG)

# Speed ratios run alone, after the others: two processes side by side would measure each other.
# That of planning is only in `make benchmark`: 1.3 to 1.45 times a bare Snakefile on a busy machine,
# too near to the 1.5 that is wanted.
# tests/remote has its own target: xrootd's client cannot live in one process with TensorFlow.
test: $(TEST_READY) lint  ## the whole test suite
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest tests --ignore tests/remote \
	  -m "not benchmark_ratio and not slurm and not conda and not readme and not runtimes" \
	  --numprocesses 2 --dist loadfile --durations 15
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest tests/benchmarks \
	  --ignore tests/benchmarks/test_bench_planning.py -m benchmark_ratio -s

benchmark: $(TEST_READY)  ## only the speed ratios
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest tests/benchmarks -m benchmark_ratio

test-slurm: $(TEST_READY)  ## a real Slurm on this machine: needs root, may install Debian's packages
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest tests/slurm -m slurm --durations 3

test-conda: $(TEST_READY)  ## environments of rules from a local channel, with a stand-in for conda
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest tests/conda -m conda --durations 3

test-runtimes: $(TEST_READY)  ## runtimes of years ago, in their own environments, give our numbers
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest tests/runtimes -m runtimes -rs --durations 3

# Each folder is new: the proofs compare runs from the very beginning. TOY: classical, network,
# systematics, simulated (tests/faults/toy_run.py).
test-faults: $(TEST_READY)  ## kill runs at random moments (KILLS, TOY), fill the disk (POSITIONS; root)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/faults/two_runs.py --folder "$$(mktemp -d)/runs"
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/faults/kill.py --count $(KILLS) --seed 1 \
	  --toy $(TOY) --folder "$$(mktemp -d)/runs"
	if [ "$$(id -u)" = 0 ]; then PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python \
	  tests/faults/disk_full.py --positions $(POSITIONS) --toy classical --folder "$$(mktemp -d)/runs"; fi

test-fuzz: $(TEST_READY)  ## 19,100 spoiled inputs (FRACTION of them): one line each, a quarter of an hour
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/fuzz/large.py --fraction $(FRACTION)

test-remote: $(TEST_READY)  ## inputs over HTTP and from a real xrootd, which root may install
	sh tests/debian.sh xrootd-server
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest tests/remote -rs

test-scale: $(TEST_READY)  ## a million events (EVENTS): memory must not grow with their number
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/scale/rows.py --events $(EVENTS) \
	  --folder "$$(mktemp -d)/rows"

test-readme: $(TEST_READY)  ## the dear commands of README and tutorial
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest tests/docs -m readme --durations 3

env: $(RUN_READY)  ## only the environment of `make run`

lint: $(TEST_READY)  ## style and static checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	PYTHONPATH=scripts $(BIN)/lint-imports --no-cache

lock: $(BIN)/uv  ## compile requirements/*.in to hashed lock files
	cd requirements && for name in run test old-runtimes oldest-corrections; do \
	  ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --no-emit-index-url $$name.in -o $$name.txt; done

TASK ?= met
SCHEMA ?= workflow/schemas/config.schema.json
schema: $(RUN_READY)  ## write the JSON schema of a task's settings (TASK, SCHEMA=file)
	PYTHONPATH=scripts $(BIN)/python -m ptmiss.tasks.schema $(TASK) $(SCHEMA)

envs: $(RUN_READY)  ## write envs/*.yaml from what each stage imports and requirements/run.txt
	PYTHONPATH=scripts $(BIN)/python -m ptmiss.environments envs

stages: $(RUN_READY)  ## write the table of commands in ARCHITECTURE.md from the declared stages
	PYTHONPATH=scripts $(BIN)/python docs/tools/commands_page.py ARCHITECTURE.md

docs: $(TEST_READY)  ## the documentation site, to .cache/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

RESULTS ?= results
docs-results: $(RUN_READY)  ## take figures and numbers of a run (RESULTS=folder) into docs and README
	PYTHONPATH=scripts $(BIN)/python docs/tools/take.py $(RESULTS)

docs-seeds: $(RUN_READY)  ## take the seeds of a validation run (RESULTS=folder) into docs
	$(BIN)/python docs/tools/seeds_page.py $(RESULTS)

docs-closure: $(RUN_READY)  ## take the verdict of a closure run (RESULTS=folder) into docs
	$(BIN)/python docs/tools/closure_page.py $(RESULTS)

clean:  ## remove the results (not the environment)
	rm -rf results/* .snakemake
