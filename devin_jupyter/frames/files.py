"""A file that Devin made, read as what its name says."""

from __future__ import annotations

import io
import json
from typing import Any

import pandas as pd

_TEXT = ("txt", "md", "log", "py", "html", "xml", "yaml", "yml", "toml", "diff", "patch", "sql", "sh")


def read_file(name: str, content: bytes) -> Any:
    """Return a table as a DataFrame, JSON as its value, a text as str, anything else as bytes.

    Args:
        name: the file's name; its suffix decides.
        content: its bytes.
    """
    suffix = name.lower().rpartition(".")[2]
    if suffix in ("csv", "tsv"):
        return pd.read_csv(io.BytesIO(content), sep="\t" if suffix == "tsv" else ",")
    if suffix == "parquet":
        return pd.read_parquet(io.BytesIO(content))
    if suffix in ("jsonl", "ndjson"):
        return pd.DataFrame([json.loads(line) for line in content.splitlines() if line.strip()])
    if suffix == "json":
        return json.loads(content)
    return content.decode("utf-8", "replace") if suffix in _TEXT else content
