"""Where the workflow lies, and whether the files that configure it say one thing each."""

import os
import sys

from snakemake.exceptions import WorkflowError

# This file's folder and not `workflow.basedir`: as a module of another workflow, that is the other.
REPOSITORY = os.path.dirname(str(workflow.current_basedir))

if not os.path.isdir(os.path.join(REPOSITORY, "scripts", "ptmiss")):
    raise WorkflowError(
        f"{REPOSITORY}: no folder with scripts/ptmiss; as a module, give the path of a local copy"
    )

# `scripts` holds the package; these files import only declarations, settings and the plan of a run,
# because they are read again in every job of a cluster.
sys.path.insert(0, os.path.join(REPOSITORY, "scripts"))

from ptmiss.core.errors import UserError
from ptmiss.core.paths import path_problem
from ptmiss.core.settings import files

if path_problem(os.path.relpath(REPOSITORY)):
    raise WorkflowError(
        f"{os.path.relpath(REPOSITORY)!r}: the name of this folder"
        f" {path_problem(os.path.relpath(REPOSITORY))}; rename it"
    )

if workflow.is_main_process:
    try:
        # Snakemake reads them too, but takes the last of two equal keys, and 010 for 8
        for path in (
            os.path.join(REPOSITORY, "config.yaml"),
            # those of an outer workflow, which has this one as a module, may hold what they like
            *(
                []
                if workflow.modifier.skip_configfile
                else workflow.config_settings.configfiles
            ),
        ):
            files.check(path)
    except UserError as error:
        raise WorkflowError(str(error)) from None
