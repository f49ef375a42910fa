"""Everything of the simulated v3 API but the session core: a file per resource, each with its router.

They read sessions, and never change what a session does.
"""
