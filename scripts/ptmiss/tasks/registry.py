"""Which tasks there are: those of this package, and those that other packages register.

Another package registers its task as an entry point, in its `pyproject.toml`:

    [project.entry-points."ptmiss.tasks"]
    shower = "shower_energy.task:TASK"

It is imported only where a configuration asks for it.
"""

from __future__ import annotations

from importlib import metadata

from ptmiss.core.errors import UserError
from ptmiss.core.settings.names import unknown
from ptmiss.tasks.base import Reference, Task

GROUP = "ptmiss.tasks"

BUILT_IN = {"met": "ptmiss.tasks.met.task:TASK"}


def places() -> dict[str, str]:
    """Return name -> "module:attribute" of every task, built-in ones first; nothing is imported.

    Raises `UserError` where two packages register the same name, or one a built-in name.
    """
    known = dict(BUILT_IN)
    for entry in sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name):
        if known.setdefault(entry.name, entry.value) != entry.value:
            raise UserError(
                f"task {entry.name!r} is {known[entry.name]} and, of another package,"
                f" {entry.value}; uninstall one of the two"
            )
    return known


def task(name: str) -> Task:
    """Return a task by its name; raises `UserError` for a name that nobody registers."""
    # what is built in needs no search through all installed packages
    known = BUILT_IN if name in BUILT_IN else places()
    if name not in known:
        raise UserError(f"setting {unknown('task', name, known)}")
    try:
        declared = Reference[object](known[name])()
    except UserError:
        raise
    except Exception as error:  # code of others: whatever is wrong with it, the user learns
        if name in BUILT_IN:
            raise
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(
            f"task {name!r} ({known[name]}): cannot be imported ({reason}); correct or uninstall"
            " the package that registers it"
        ) from error
    if not isinstance(declared, Task) or declared.name != name:
        raise UserError(
            f"{known[name]}: found {declared!r:.80}, expected a ptmiss.tasks.base.Task of the name"
            f" {name!r}; correct the package that registers it"
        )
    return declared
