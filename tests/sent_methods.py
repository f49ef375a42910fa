"""Which methods kernels and terminals send over the live channel: a startup file of IPython notes what the log says."""

import os
from pathlib import Path

NOTES = "SENT_OVER_THE_LIVE_CHANNEL"
"""The variable that names the file of the notes."""
STARTUP = f"""
def note_what_is_sent():
    import logging
    import os

    notes = logging.FileHandler(os.environ[{NOTES!r}], delay=True)
    notes.addFilter(lambda record: record.getMessage().startswith("sent "))
    logger = logging.getLogger("devin_jupyter.live")
    logger.addHandler(notes)
    logger.setLevel(logging.DEBUG)


note_what_is_sent()
del note_what_is_sent
"""


def note_for(ipython: Path) -> Path:
    """Let whatever starts with this IPYTHONDIR note what it sends; return the folder."""
    startup = ipython / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    (startup / "00-note-what-is-sent.py").write_text(STARTUP, encoding="utf-8")
    return ipython


def noted(after: int) -> tuple[list[str], int]:
    """Return the methods that were noted after a place in the file, and its end."""
    path = Path(os.environ[NOTES])
    text = path.read_text(encoding="utf-8")[after:] if path.exists() else ""
    return [line.removeprefix("sent ") for line in text.splitlines()], after + len(text)
