"""The operations of the Devin API, a file per resource family, v3 and v1 side by side. Raw JSON in, raw JSON out."""
