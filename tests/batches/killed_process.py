"""A process that runs a batch until it is killed: `killed_process.py URL JOURNAL COUNT`."""

from __future__ import annotations

import sys
from pathlib import Path

from batches.batch_client import BatchClient

if __name__ == "__main__":
    url, journal, count = sys.argv[1:]
    BatchClient(url, Path(journal)).map(
        "Upgrade {{ row }}", range(int(count)), max_acu=5, max_parallel=8, name="up", schema="version:str"
    ).wait()
