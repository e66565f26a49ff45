"""Names of the METs that an input may hold. Standard library only: settings list them."""

from __future__ import annotations

STORED_METS = ("raw_pf", "pf", "raw_puppi", "puppi", "deepmet_resolution", "deepmet_response")
"""METs that an input may hold; each gives columns stored_{name}_px and stored_{name}_py."""

STORED_SHIFTS = tuple(
    f"{source}_{way}" for source in ("jes", "jer", "unclustered") for way in ("up", "down")
)
"""Systematic variations of stored METs that an input may hold: columns
stored_{name}_{shift}_px and _py of those METs that it has moved."""
