"""How large a structured output schema may be, for the client and the simulator alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SCHEMA_BYTES = 64 * 1024
"""The largest structured output schema, serialized."""


def schema_bytes(schema: Mapping[str, Any]) -> int:
    """Return the size of a schema as JSON, in bytes.

    How the service serializes it is not documented: counted are spaces and escapes, which is the most it can be.
    """
    return len(json.dumps(schema))
