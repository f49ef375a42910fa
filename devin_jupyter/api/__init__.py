"""The operations of the Devin API over one transport, v3 and v1 side by side. JSON in, typed JSON out."""
