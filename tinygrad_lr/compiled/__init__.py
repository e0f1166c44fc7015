"""Compiled training: one eager step is traced, written out as calls of kernels, and run for whole epochs.

Read fingerprint.py and watching.py (what a trace must not miss), reading.py and tracing.py (what a step computes),
lowering.py (which kernels that is), naming.py, source.py and generated.py (the file), batches.py and
updates.py (what it is bound to), runner.py and step.py (running it). What cannot be compiled raises CannotCompile with
the op or the value and the reason; nothing falls back silently.
"""

from .refusal import CannotCompile
from .runner import Runner
from .step import CompiledStep, compile_step

__all__ = ["CannotCompile", "CompiledStep", "Runner", "compile_step"]
