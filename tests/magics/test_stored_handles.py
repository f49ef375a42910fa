"""IPython's `%store` keeps a handle, without a key, and gives it back to the next kernel."""

import pickle


def test_store_keeps_a_handle_and_gives_it_back(shell, service):
    shell.run("%%devin --quiet --wait -o audit\ndo it")
    shell.run("%load_ext storemagic")
    identifier = shell.names["audit"].id
    shell.run("%store audit")
    shell.names.pop("audit")

    stored = pickle.dumps(shell.ipython.db["autorestore/audit"])
    shell.run("%store -r audit")
    shell.run("%store -d audit")

    assert service.api_key.encode() not in stored
    assert shell.names["audit"].id == identifier
    assert shell.run("audit.result()").value
