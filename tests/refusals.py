"""What every refusal of a file has in common."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ptmiss.core.errors import UserError


def refused(path: Path, read, says: str | None = None) -> str:
    with pytest.raises(UserError, match=says) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 700 + len(str(path))
    assert re.search(r"run the |again|leave it out|give another path", message)
    return message
