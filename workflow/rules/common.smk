"""What all rules share: the checked configuration, the plan of the run, and what the stages declare."""

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from ptmiss.core.errors import UserError
from ptmiss.core.settings import files
from ptmiss.core.workflow import closing
from ptmiss.core.workflow.rules import Rules
from ptmiss.stages import stages_of
from ptmiss.tasks.met.settings import merging
from ptmiss.tasks.met.settings.config import load
from ptmiss.tasks.met.variations.names import VARIATIONS
from ptmiss.tasks.met.workflow.memory import require_memory
from ptmiss.tasks.met.workflow.plan import ESTIMATES, SKIM, Plan
from ptmiss.tasks.met.workflow.results import results

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

try:
    VALUES = merging.merged(
        (
            {}
            if workflow.config_settings.replace_workflow_config
            else files.read(os.path.join(REPOSITORY, "config.yaml"))
        ),
        OWN,
    )
    CONFIG = load(VALUES, OWN)
    PLAN = Plan(CONFIG, REPOSITORY)
    CALIBRATED_TRAININGS = PLAN.calibrated_trainings
except UserError as error:
    raise WorkflowError(str(error)) from None

if not AS_MODULE:
    config.clear()
    config.update(VALUES)  # for the report of Snakemake

STAGES = stages_of()
RULES = Rules(STAGES, CONFIG, REPOSITORY)


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
