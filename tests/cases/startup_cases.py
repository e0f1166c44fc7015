"""What the tests of starting up share: processes of their own, and what is kept on disk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_lr.kernels import _jit

compiling = pytest.mark.skipif(_jit.COMPILER_IS_OFF, reason="Numba's compiler is off: nothing is compiled or kept")

STEP = """
from tinygrad_lr import backend, optim, tensor
w = tensor([1.0, 2.0], requires_grad=True, dtype={dtype!r})
o = optim.SGD([w], lr=0.5); w.grad = w.data; o.step()
print(w.data.dtype, w.data.tobytes().hex())
"""


def start(code, *arguments, **environment):
    """A process of its own, with every warning shown."""
    return subprocess.Popen(
        [sys.executable, "-W", "always", "-c", code, *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """What a process said, once it ended well, and its warnings."""
    said, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return said.strip(), errors


def kept(folder):
    """Name and time of change of every file below a folder."""
    return {str(path): path.stat().st_mtime_ns for path in Path(folder).rglob("*") if path.is_file()}


def hits_and_misses(function):
    return sum(function.stats.cache_hits.values()), sum(function.stats.cache_misses.values())
