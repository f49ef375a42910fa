"""A process that forks while its batch runs, and prints what the child sees and does; run by a test."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from batches.batch_client import BatchClient

from devin_jupyter.errors import OptionError

client = BatchClient(sys.argv[1], Path(sys.argv[2]))
batch = client.map("Upgrade {{ row }}", range(6), max_acu=5, max_parallel=2, schema="version:str", name="up")
child = os.fork()
if child == 0:
    print("rows:", len(batch.frame()))
    for act in (batch.wait, batch.pause, batch.resume, batch.retry, batch.stop):
        try:
            act()
        except OptionError as refused:
            print(act.__name__, "refused:", refused.message)
    print("anew:", client.find("up").resume().wait(60).phase_counts)
    again = client.map("Upgrade {{ row }}", range(6), max_acu=5, schema="version:str", name="up")
    print("again:", again.notice, flush=True)
    os._exit(0)
status = os.waitpid(child, 0)[1]
print("child ended with:", status)
print("parent:", batch.wait(60).phase_counts)
client.close()
