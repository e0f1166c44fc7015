"""Compiled training: one eager step is traced, written out as calls of kernels, and run for whole epochs.

Read in this order:
- tracing.py: a step becomes a list of uses of ops. fingerprint.py and side_effects.py refuse what a trace would miss.
- lowering.py: each use of an op becomes calls of kernels.
- source.py and generated.py: the calls become a file of Python, which Numba compiles.
- batches.py and updates.py: where the batches come from, and what the optimizer does.
- runner.py and step.py: running it.

A step that cannot be compiled raises CannotCompile, which names the op or the value and the reason. It never runs
uncompiled instead.
"""

from .refusal import CannotCompile, unrelated_loss
from .runner import Runner
from .step import CompiledStep, compile_step

__all__ = ["CannotCompile", "CompiledStep", "Runner", "compile_step", "unrelated_loss"]
