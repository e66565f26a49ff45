"""Names of METs that an input stores, as several sections list them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from ptmiss.core.settings.types import each_once
from ptmiss.events.mets import STORED_METS


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = sorted(set(names) - set(STORED_METS))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: not known, allowed: {', '.join(STORED_METS)}")
    return names


StoredMets = Annotated[tuple[str, ...], AfterValidator(_known), AfterValidator(each_once)]
