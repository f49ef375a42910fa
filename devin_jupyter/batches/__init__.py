"""One prompt template over many rows, one session a row: planning, running, and the handle on the whole."""
