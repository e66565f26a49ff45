"""Settings of the stage report."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import one_line


class ReportSettings(Section):
    """What the page says and how its figures are drawn."""

    title: Annotated[str, Field(min_length=1, max_length=120), AfterValidator(one_line)]
    dpi: Annotated[int, Field(ge=50, le=300, description="resolution of the figures")]
