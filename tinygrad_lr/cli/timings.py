"""`tinygrad-lr info --timings`: measures how long a new process takes until its first step.

Each row has a temporary cache folder. The first process finds it empty and compiles; the second one finds it filled.
The compiled step is the article's: Linear(10, 1) on batches of 10, with Adam. benchmarks/ measures later steps.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tinygrad_lr import backend
from tinygrad_lr.kernels._run import get_num_threads
from tinygrad_lr.optim.table import OPTIMIZERS
from tinygrad_lr.training.progress import progress_bar

__all__ = ["cpu_name", "print_timings"]

# Seconds of: three imports; the first step with what it needs.
_CHILD = """
import json, sys, time
times = [time.perf_counter()]
import numpy
times.append(time.perf_counter())
import tinygrad_lr
times.append(time.perf_counter())
import numba
times.append(time.perf_counter())
{first_step}
times.append(time.perf_counter())
print(json.dumps([later - earlier for earlier, later in zip(times, times[1:])]))
"""
_STEP = """
from tinygrad_lr import tensor
from tinygrad_lr.optim.table import imported
parameter = tensor([1.0, 2.0], requires_grad=True)
optimizer = imported({place!r})([parameter], lr=0.01)
parameter.grad = [1.0, -1.0]
optimizer.step()
"""
_COMPILED_STEP = """
from tinygrad_lr import nn, optim, randn, training
from tinygrad_lr.data import DataLoader, TensorDataset
model = nn.Linear(10, 1)
batches = DataLoader(TensorDataset(randn(100, 10), randn(100, 1)), batch_size=10, shuffle=True)
training.fit(model, nn.MSELoss(), optim.Adam(model.parameters()), batches, epochs=1, compiled=True, progress=False)
"""
IMPORTS = ("import numpy", "import tinygrad_lr", "import numba")


def print_timings() -> None:
    """Measure imports and first steps, and print two tables.

    Raises:
        RuntimeError: kernels are not compiled on this machine, or a process failed.
    """
    backend.require_compiler()
    steps = {name: _STEP.format(place=OPTIMIZERS.rows[name].place) for name in OPTIMIZERS}
    steps["a compiled step"] = _COMPILED_STEP
    imports: list[list[float]] = []
    rows: list[tuple[str, float, float, int, int]] = []
    with progress_bar(True, 2 * len(steps), 0, unit="process") as bar:
        for name, code in steps.items():
            with tempfile.TemporaryDirectory() as folder:
                found = []
                for _ in ("empty", "filled"):
                    times = _until_first_step(code, folder)
                    imports.append(times[:3])
                    found.append((times[3], len(list(Path(folder).rglob("*.kernel")))))
                    bar.update()
            (empty, compiled), (filled, kept) = found
            rows.append((name, empty, filled, compiled, kept - compiled))
    print(f"\n{cpu_name()}, {get_num_threads()} threads")
    for label, column in zip(IMPORTS, zip(*imports, strict=True), strict=True):
        print(f"{label:<20} {1e3 * statistics.median(column):8.1f} ms   (median of {len(column)} processes)")
    print(f"\n{'first step, after that':<24} {'empty cache':>12} {'filled cache':>13}   functions compiled")
    for name, empty, filled, compiled, again in rows:
        print(f"{name:<24} {empty:10.3f} s {filled:11.3f} s   {compiled}, then {again}")


def _until_first_step(code: str, folder: str) -> list[float]:
    """The seconds of three imports and of a first step, measured in a new process with its cache in a folder."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": folder, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", _CHILD.format(first_step=code)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise RuntimeError(f"the process that was to be timed failed: {last[0]}")
    times: list[float] = json.loads(done.stdout)
    return times


def cpu_name() -> str:
    """The processor as its maker calls it, or as Python knows it.

    Example:
        >>> bool(cpu_name())
        True
    """
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            label, _, value = line.partition(":")
            if label.strip() == "model name" and value.strip():
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown processor"
