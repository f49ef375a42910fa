"""The tables of the journal, as migrations: step N brings format N-1 to N. Steps that were released never change."""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE sessions (
            session_id TEXT PRIMARY KEY,
            fingerprint TEXT,                 -- NULL: not started here, only looked at
            base TEXT,                        -- the fingerprint of the same request without its take
            tag TEXT,
            take TEXT,
            base_url TEXT, org_id TEXT, api_version TEXT NOT NULL,
            batch TEXT,
            prompt TEXT,
            incidental TEXT NOT NULL DEFAULT '{}',
            mode TEXT, repos TEXT NOT NULL DEFAULT '[]', max_acu INTEGER,
            schema_hash TEXT,
            how TEXT NOT NULL,
            started_at REAL NOT NULL,
            sent TEXT,                        -- the last message sent
            is_terminated INTEGER NOT NULL DEFAULT 0,
            snapshot TEXT, phase TEXT, is_open INTEGER NOT NULL DEFAULT 1, acus REAL, observed_at REAL,
            seen_by TEXT                      -- the process that looked last
        )
        """,
        "CREATE INDEX sessions_fingerprint ON sessions (fingerprint)",
        "CREATE INDEX sessions_batch ON sessions (batch)",
        """
        CREATE TABLE uses (
            notebook TEXT NOT NULL,
            cell TEXT NOT NULL,               -- `id:…` of the cell, else `out:…`, else empty
            session_id TEXT NOT NULL,
            used_at REAL NOT NULL,
            PRIMARY KEY (notebook, cell, session_id)
        )
        """,
        "CREATE INDEX uses_session ON uses (session_id)",
        "CREATE TABLE schemas (hash TEXT PRIMARY KEY, schema TEXT NOT NULL)",
        """
        CREATE TABLE intents (
            fingerprint TEXT PRIMARY KEY,
            tag TEXT NOT NULL,
            written_at REAL NOT NULL,
            posts INTEGER NOT NULL DEFAULT 0,
            posted_at REAL,
            known_before TEXT NOT NULL DEFAULT '[]',  -- sessions that carried the tag before the first POST
            details TEXT NOT NULL,
            max_acu INTEGER
        )
        """,
        """
        CREATE TABLE messages (
            key TEXT NOT NULL,
            nth INTEGER NOT NULL,             -- 1, and one more for every --again
            session_id TEXT NOT NULL,
            words TEXT NOT NULL,              -- the key of the same text without files
            written_at REAL NOT NULL,
            posts INTEGER NOT NULL DEFAULT 0,
            seen_before INTEGER,              -- how often the conversation held this text before
            before TEXT NOT NULL,             -- the session as it stood
            sent_at REAL,                     -- NULL: not known to have arrived
            PRIMARY KEY (key, nth)
        )
        """,
        "CREATE INDEX messages_session ON messages (session_id)",
        "CREATE TABLE budgets (scope TEXT PRIMARY KEY, acus REAL NOT NULL, set_at REAL NOT NULL)",
        """
        CREATE TABLE spending (
            scope TEXT NOT NULL,
            payer TEXT NOT NULL,              -- a session id, or the fingerprint of an intent
            baseline REAL NOT NULL DEFAULT 0, -- consumed before it counted here
            PRIMARY KEY (scope, payer)
        )
        """,
        """
        CREATE TABLE leases (
            name TEXT PRIMARY KEY,
            token TEXT NOT NULL,
            host TEXT NOT NULL, pid INTEGER NOT NULL, born TEXT NOT NULL,
            expires_at REAL NOT NULL
        )
        """,
        "CREATE TABLE flags (name TEXT PRIMARY KEY, value TEXT NOT NULL, set_at REAL NOT NULL)",
        "CREATE TABLE batches (name TEXT PRIMARY KEY, notebook TEXT, record TEXT NOT NULL, saved_at REAL NOT NULL)",
    ),
    ("ALTER TABLE sessions ADD COLUMN secret_names TEXT NOT NULL DEFAULT '[]'",),  # never a value
)
