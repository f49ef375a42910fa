"""Paid acts exactly once: a session is started once and a message sent once, whatever fails in between."""
