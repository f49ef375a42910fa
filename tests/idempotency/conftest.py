"""Kernels on a simulator, see `kernels`."""

from kernels import folder, kernel, simulator

from .fork_client import forking

__all__ = ["folder", "forking", "kernel", "simulator"]
