"""Clients on the simulator and on answers that a test makes up, see `clients`."""

from clients import answering, core_client, devin, devin_v1, either, no_default_client, slept, version

__all__ = ["answering", "core_client", "devin", "devin_v1", "either", "no_default_client", "slept", "version"]
