"""What one IPython runs between tests that share it: connections, names, options and environment are the next one's."""

import os

_BEFORE = """
import os
for name in [name for name in os.environ if name.startswith("DEVIN_")]:
    del os.environ[name]
os.environ.update({environment!r})
get_ipython().config.pop("DevinMagics", None)  # which %config has set
%load_ext devin_jupyter
%reset -f
"""
AFTER = """
import devin_jupyter as dj
from devin_jupyter.client.sync import disconnect
dj.connect().close()
disconnect()
%unload_ext devin_jupyter
"""


def before() -> str:
    """Return the cells before a test, which has the variables of ours that this process has."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("DEVIN_")}
    return _BEFORE.format(environment=environment)
