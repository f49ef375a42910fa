"""The live channel: what Devin does, as it happens, over one WebSocket. It shows, and triggers looks at the REST API.

`socket` is the connection and the only importer of the WebSocket library, `transcript` reads the updates of one
session, `channel` follows many sessions over one connection. Nothing of it is imported before a session is followed.
"""
