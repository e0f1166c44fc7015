"""On a GPU: one step of Adam, and one step of training, here and in torch, beside the speed of the GPU's memory.

Run: python benchmarks/gpu.py            (needs a GPU, numba-cuda, and a torch built for CUDA)
     python benchmarks/gpu.py --sizes 1e7 1e8 --models

Each measurement is a process of its own, the sides in turn; the host waits for the GPU after every run of steps, and
the median over rounds of each process's median is printed, with the ratio to ours. float32. `stream` reads every array
that the step reads and writes every array that it writes, and computes next to nothing. A model's step is zero_grad,
forward, MSE, backward and Adam, eager, on one batch that lies on the GPU.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

import numpy as np
from optimizers import arrays_of, shapes_of

MODELS = {"10-1, batch 32": (10, 0, 32), "64-256-1, batch 32": (64, 256, 32), "64-1024-1, batch 128": (64, 1024, 128)}


def seconds_of(step, wait):
    """Seconds of a step: the median over runs of steps, each of which ends with the GPU at rest."""
    for _ in range(20):
        step()
    wait()
    start = time.perf_counter()
    step()
    wait()
    inner = max(1, min(200, int(0.02 / (time.perf_counter() - start))))
    found, begun = [], time.perf_counter()
    while len(found) < 5 or (time.perf_counter() - begun < 1 and len(found) < 200):
        start = time.perf_counter()
        for _ in range(inner):
            step()
        wait()
        found.append((time.perf_counter() - start) / inner)
    return statistics.median(found)


def ours(size):
    from numba import cuda

    from tinygrad_lr import Tensor, optim

    params = [Tensor(a, requires_grad=True, device="cuda") for a in arrays_of(size, 0)]
    optimizer = optim.Adam(params, lr=1e-3, dialect="torch")
    for param, grad in zip(params, arrays_of(size, 1), strict=True):
        param.grad = grad
    return optimizer.step, cuda.synchronize


def torch_side(**choice):
    def side(size):
        import torch

        params = [torch.tensor(a, device="cuda", requires_grad=True) for a in arrays_of(size, 0)]
        for param, grad in zip(params, arrays_of(size, 1), strict=True):
            param.grad = torch.tensor(grad, device="cuda")
        return torch.optim.Adam(params, lr=1e-3, **choice).step, torch.cuda.synchronize

    return side


def stream(size):
    from numba import cuda

    @cuda.jit
    def loop(theta, g, a, b):
        i = cuda.grid(1)
        if i < theta.size:
            theta[i], a[i], b[i] = g[i] - theta[i], -a[i], -b[i]

    total = sum(shapes_of(size))
    arrays = [cuda.to_device(np.random.default_rng(k).standard_normal(total, np.float32)) for k in range(4)]
    launch = loop[(total + 255) // 256, 256]
    return lambda: launch(*arrays), cuda.synchronize


def data_of(inputs, rows):
    rng = np.random.default_rng(0)
    return rng.standard_normal((rows, inputs), np.float32), rng.standard_normal((rows, 1), np.float32)


def our_model(inputs, hidden, rows):
    from numba import cuda

    from tinygrad_lr import Tensor, manual_seed, nn, optim

    manual_seed(0)
    layers = [nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, 1)] if hidden else [nn.Linear(inputs, 1)]
    model = nn.Sequential(*layers).to("cuda")
    optimizer, loss_fn = optim.Adam(model.parameters(), lr=1e-3), nn.MSELoss()
    x, y = (Tensor(a, device="cuda") for a in data_of(inputs, rows))
    return step_of(model, loss_fn, optimizer, x, y), cuda.synchronize


def torch_model(fused):
    def side(inputs, hidden, rows):
        import torch
        from torch import nn

        layers = [nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, 1)] if hidden else [nn.Linear(inputs, 1)]
        model = nn.Sequential(*layers).to("cuda")
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused or None)
        x, y = (torch.tensor(a, device="cuda") for a in data_of(inputs, rows))
        return step_of(model, nn.MSELoss(), optimizer, x, y), torch.cuda.synchronize

    return side


def step_of(model, loss_fn, optimizer, x, y):
    def step():
        optimizer.zero_grad()
        loss_fn(model(x), y).backward()
        optimizer.step()

    return step


STEPS = {"tinygrad_lr": ours, "torch default": torch_side(), "torch fused": torch_side(fused=True), "stream": stream}
TRAINING = {"tinygrad_lr": our_model, "torch default": torch_model(False), "torch fused": torch_model(True)}


def measure(side, *asked):
    """Seconds of a step of one side, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--side", side, *asked], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{side}: {done.stderr.strip() or f'exit {done.returncode}'}")
    return float(done.stdout.split()[-1])


def row(title, sides, rounds, moved, *asked):
    """A line for each side."""
    found = {side: [] for side in sides}
    for _ in range(rounds):
        for side in sides:
            found[side].append(measure(side, *asked))
    medians = {side: statistics.median(values) for side, values in found.items()}
    print(f"{title}, float32, median of {rounds} processes")
    for side in sides:
        speed = f"{moved / medians[side] / 1e9:9.1f} GB/s" if moved else ""
        least, most = min(found[side]) * 1e6, max(found[side]) * 1e6
        print(
            f"  {side:14} {medians[side] * 1e6:12.1f} us  ({least:.1f} to {most:.1f})"
            f"{speed}  {medians[side] / medians['tinygrad_lr']:7.2f} of ours",
            flush=True,
        )
    if "stream" in medians:
        print(f"  share of the streaming speed: {medians['stream'] / medians['tinygrad_lr']:.0%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="*", default=["1e4", "1e6", "1e7", "1e8", "200x1000"])
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--rounds", type=int, default=3, help="processes a side")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side and options.sizes:
        print(seconds_of(*STEPS[options.side](options.sizes[0])))
        return
    if options.side:
        print(seconds_of(*TRAINING[options.side](*MODELS[options.models[0]])))
        return
    for size in options.sizes:
        moved = 4 * sum(shapes_of(size)) * 7  # bytes: theta and two states are read and written, g is read
        row(f"Adam, {size} parameters", STEPS, options.rounds, moved, "--sizes", size)
    for name in options.models:
        row(f"training {name}", TRAINING, options.rounds, 0, "--sizes", "--models", name)


if __name__ == "__main__":
    main()
