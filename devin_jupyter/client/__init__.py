"""The clients: `AsyncDevin`, `Devin` which is derived from it, and the default client with its functions."""
