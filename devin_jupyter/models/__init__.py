"""Values that cross the wire or describe it: strict going out, tolerant coming in. No I/O, no httpx, no pandas."""
