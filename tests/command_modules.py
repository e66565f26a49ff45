"""Commands as modules, as Python finds them nowhere: they lie outside of the package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType


def module_of(script: Path) -> ModuleType:
    """Return a file of Python as a module that nothing else has imported."""
    spec = importlib.util.spec_from_file_location(f"file_{script.stem}", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
