"""Who may ask: the key families of v3 (`cog_…`) and v1 (`apk_…`), and the one organization there is."""

from __future__ import annotations

import hmac

from devin_jupyter.simulator.config import Config

Refusal = tuple[int, str]


def refusal(path: str, authorization: str, config: Config) -> Refusal | None:
    """Return status and detail of the refusal for a request to this path, or None where it may pass."""
    if path.startswith("/v1/"):
        return _judge(authorization, config.v1_key, wrong_family="cog_")
    if path.startswith(("/v3/", "/v3beta1/")):
        return _judge(authorization, config.api_key, wrong_family="apk_") or _organization(path, config)
    return None


def _judge(authorization: str, key: str, *, wrong_family: str) -> Refusal | None:
    scheme, _, given = authorization.partition(" ")
    given = given.strip()
    if scheme.lower() != "bearer" or not given:
        return 401, "Not authenticated"
    if hmac.compare_digest(given.encode(), key.encode()):
        return None
    if given.startswith(wrong_family):
        return 403, "Unauthorized"
    return 401, "Invalid API key"


def _organization(path: str, config: Config) -> Refusal | None:
    parts = path.split("/", 4)
    if len(parts) > 3 and parts[2] == "organizations" and parts[3] != config.org:
        return 404, "Organization not found"
    return None
