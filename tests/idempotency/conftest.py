"""Kernels on a simulator, see `kernels`."""

from kernels import folder, kernel, simulator

__all__ = ["folder", "kernel", "simulator"]
