"""A process that forks while its batch runs, and prints what the child sees and does; run by a test."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from batch.desk import Desk

desk = Desk(sys.argv[1], Path(sys.argv[2]))
batch = desk.map("Upgrade {{ row }}", range(6), max_acu=5, max_parallel=2, schema="version:str")
child = os.fork()
if child == 0:
    print("not over:", not batch.is_over)
    print("waited:", batch.wait(60).phase_counts)
    print("paused:", batch.pause().paused)
    print("resumed:", batch.resume().wait(60).paused)
    print("again:", desk.map("Upgrade {{ row }}", range(6), max_acu=5, schema="version:str").notice, flush=True)
    os._exit(0)
status = os.waitpid(child, 0)[1]
print("child ended with:", status)
print("parent:", batch.wait(60).phase_counts)
desk.close()
