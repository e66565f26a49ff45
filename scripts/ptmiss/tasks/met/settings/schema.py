"""The JSON schema of config.yaml, for completion in editors; generated, never edited."""

from __future__ import annotations

import json
import sys

from ptmiss.core.io.atomic import replacing
from ptmiss.tasks.met.settings.config import Config


def schema_text() -> str:
    """Return the schema (JSON Schema 2020-12) as indented JSON."""
    return json.dumps(Config.model_json_schema(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    with replacing(sys.argv[1], recorded=False) as temporary:  # part of the repository
        temporary.write_text(schema_text(), encoding="utf-8")
