"""Compiled training: one eager step is traced, written out as calls of kernels, and run for whole epochs.

Read tracing.py (what a step computes), lowering.py and rows.py (which kernels that is), source.py and generated.py (the
file), runner.py (running it). What cannot be compiled raises CannotCompile with the op and the reason; nothing falls
back silently.
"""

from .runner import CompiledStep, Runner, compile_step
from .tracing import CannotCompile

__all__ = ["CannotCompile", "CompiledStep", "Runner", "compile_step"]
