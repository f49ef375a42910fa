"""The Devin API in one process, for notebooks without a key and for tests.

    python -m devin_jupyter.simulator --port 0

Everything it answers is made up and labeled so (`x-devin-simulator: 1`). It imports nothing of the client, so that it
can be an honest witness against it.
"""
