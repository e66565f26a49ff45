"""What all rules share: the checked configuration, the parts of the samples, settings and sources of a stage."""

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from ptmiss.core.errors import UserError
from ptmiss.events.parts import events_of_part, part_name
from ptmiss.core.workflow import closing
from ptmiss.core.settings import files
from ptmiss.core.settings.base import to_json
from ptmiss.core.settings.configuration import CLASSICAL
from ptmiss.core.workflow.sources import fingerprints
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
    ADDRESSES = CONFIG.parts(Path(REPOSITORY))
except UserError as error:
    raise WorkflowError(str(error)) from None

if not AS_MODULE:
    config.clear()
    config.update(CHOSEN.values)  # for the report of Snakemake

PARTS = {name: list(parts) for name, parts in ADDRESSES.items()}
# The samples that are read from files; the others are generated.
FILES = {name: parts for name, parts in ADDRESSES.items() if all(parts.values())}
TRAININGS = CONFIG.runs


wildcard_constraints:
    sample="|".join(CONFIG.samples),
    training="|".join(TRAININGS),
    variation="[a-z][a-z0-9_]*",
    part="[0-9]+",


def here(path):
    """A file of the repository, relative to the working directory when that is the repository."""
    return os.path.relpath(os.path.join(REPOSITORY, path))


def script_of(stage):
    return Path(REPOSITORY, "scripts", f"{stage}.py")


def code(stage):
    """The command of a stage."""
    return {"script": here(script_of(stage))}


def modules(stage):
    """The modules that a command imports: editing one of them runs the stage again."""
    return {
        f"module_{i}": text for i, text in enumerate(fingerprints(script_of(stage)))
    }


def as_it_is(text):
    """A parameter in which braces are no wildcards: Snakemake expands those of a string, and users
    write LaTeX."""
    return lambda wildcards: text


def settings(section):
    """A section of the configuration as sorted JSON."""
    return as_it_is(to_json(getattr(CONFIG, section)))


def measured_folds(wildcards):
    """The folds for a stage that measures: all of them where nothing was trained."""
    return to_json(CONFIG.measured_folds)


def spec(wildcards):
    """The configuration of one sample as sorted JSON."""
    return to_json(CONFIG.samples[wildcards.sample])


def per_part(pattern, samples=None):
    """A path pattern filled in for every part of the samples (all of them by default)."""
    return [
        pattern.format(sample=sample, part=part)
        for sample in (CONFIG.samples if samples is None else samples)
        for part in PARTS[sample]
    ]


def ntuple_addresses(wildcards):
    """The input files of a part of a sample as the reader opens them."""
    if wildcards.sample in FILES:
        return FILES[wildcards.sample][wildcards.part]
    return [f"results/ntuples/{wildcards.sample}/{wildcards.part}.root"]


def local_ntuples(wildcards):
    """Those input files that Snakemake can watch: not the remote ones."""
    return [path for path in ntuple_addresses(wildcards) if "://" not in path]
