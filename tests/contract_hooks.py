"""Hooks of schemathesis (SCHEMATHESIS_HOOKS): requests name things that exist, and an answer has no undocumented member."""

import json
import os
import zlib
from typing import Any

import schemathesis

EXISTING: dict[str, str] = json.loads(os.environ.get("GAVEL_CONTRACT_IDS", "{}"))


@schemathesis.hook
def before_load_schema(_context: Any, raw_schema: dict[str, Any]) -> None:
    """Close the schemas of answers, so that a member that a schema lacks fails the check. Clients must accept such members."""
    for name, schema in raw_schema["components"]["schemas"].items():
        if "properties" in schema and not name.endswith("Request"):
            schema.setdefault("additionalProperties", False)


@schemathesis.hook
def map_path_parameters(_context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Every second request names something that exists."""
    if not path_parameters:
        return path_parameters
    is_odd = zlib.crc32(repr(sorted(path_parameters.items())).encode()) % 2
    return {name: EXISTING.get(name, value) if is_odd else value for name, value in path_parameters.items()}
