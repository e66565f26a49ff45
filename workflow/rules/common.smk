"""What all rules share: the checked configuration, the plan of the run, and what the stages declare."""

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from ptmiss.core.errors import UserError
from ptmiss.core.settings import files
from ptmiss.core.workflow import closing
from ptmiss.core.workflow.plan import ESTIMATES, SKIM, SUMS
from ptmiss.core.workflow.rules import Rules
from ptmiss.stages import DEFAULT_TASK, stages_of
from ptmiss.tasks.choice import choose

# Jobs use the Python that runs Snakemake, activated or not; an environment of a rule, where one is
# asked for, is activated later and comes first.
os.environ["PATH"] = os.pathsep.join(
    [os.path.dirname(sys.executable), os.environ.get("PATH", "")]
)

# What changes the default configuration: files and values of the command line, or what a workflow
# hands over that has this one as a module.
AS_MODULE = workflow.modifier.skip_configfile
OWN = config if AS_MODULE else workflow.config_settings.overwrite_config

if (
    workflow.modifier.path_modifier.prefix
    or workflow.modifier.path_modifier.modifies_prefixes
):
    raise WorkflowError(
        "module: prefix and replace_prefix are not supported, because paths are parameters too; run"
        " the outer workflow in another folder"
    )

# What a profile or the command line gives the rule of a stage: "8000", "attempt * 8000".
MEMORY = {
    stage: str(getattr(given["mem_mb"], "raw", ""))
    for stage, given in workflow.resource_settings.overwrite_resources.items()
    if "mem_mb" in given
}

try:
    CHOSEN = choose(
        (
            {}
            if workflow.config_settings.replace_workflow_config
            else files.read(os.path.join(REPOSITORY, "config.yaml"))
        ),
        OWN,
    )
    TASK, CONFIG = CHOSEN.task, CHOSEN.config
    PLAN = TASK.plan()(CONFIG, REPOSITORY)
    STAGES = stages_of(TASK.name)
    RESULTS = PLAN.results
    if workflow.is_main_process:
        PLAN.require_memory(MEMORY)
except UserError as error:
    raise WorkflowError(str(error)) from None

if not AS_MODULE:
    config.clear()
    config.update(CHOSEN.values)  # for the report of Snakemake

RULES = Rules(
    STAGES, CONFIG, REPOSITORY, "" if TASK.name == DEFAULT_TASK else TASK.name
)


wildcard_constraints:
    sample="|".join(CONFIG.samples),
    training="|".join(PLAN.trainings),
    variation="[a-z][a-z0-9_]*",
    part="[0-9]+",


def resources_of_repository(pattern):
    """Files below resources, sorted."""
    paths = sorted(Path(REPOSITORY, "resources").glob(pattern))
    return [RULES.here(path) for path in paths]


def refused(function):
    """An input function whose mistakes of the user are those of Snakemake: one line."""

    def asked(wildcards):
        try:
            return function(wildcards)
        except UserError as error:
            raise WorkflowError(str(error)) from None

    return asked


def external_options(wildcards):
    """Models of others as NAME=FILE."""
    return [f"{name}={path}" for name, path in PLAN.external_models.items()]
