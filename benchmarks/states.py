"""Adam with moments in fewer bytes: seconds of a step, bytes, and final losses, beside moments in float32.

Run: python benchmarks/states.py                         (steps at 2e7 parameters on 2 threads, then the losses)
     python benchmarks/states.py --sizes 1e6 2e7 200x1e5 --threads 1 2 --rounds 7 --seeds 0

A step is timed in processes of their own, the sides in turn; the median over rounds of each process's median is printed
and float32's time over it. Losses: an MLP of 64 hidden units on the diabetes data (whole data, 500 steps) and a
regression with 1,000,009 weights against a noisy teacher (batches of 64, 300 steps), both with a cosine rate, over 5
seeds. The final loss is that of all samples after the last step.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

import numpy as np

SIDES = ("float32", "bfloat16", "int8")


def shapes_of(size):
    """[elements, ...] of "2e7" or "200x1e5"."""
    count, _, each = size.partition("x")
    return [int(float(each))] * int(count) if each else [int(float(count))]


def step_seconds(state_dtype, size, threads):
    """The median of at least 15 steps, after 3."""
    from tinygrad_lr import Tensor, optim, set_num_threads

    set_num_threads(threads)
    rng = np.random.default_rng(0)
    params = [Tensor(rng.standard_normal(n, np.float32), requires_grad=True) for n in shapes_of(size)]
    optimizer = optim.Adam(params, lr=1e-3, dialect="torch", state_dtype=state_dtype)
    for param in params:
        param.grad = rng.standard_normal(param.shape, np.float32)
    found, begun = [], time.perf_counter()
    while len(found) < 18 or time.perf_counter() - begun < 2:
        start = time.perf_counter()
        optimizer.step()
        found.append(time.perf_counter() - start)
    return statistics.median(found[3:])


def state_bytes(state_dtype, size):
    """Bytes of state of a parameter."""
    from tinygrad_lr import Tensor, optim

    param = Tensor(np.zeros(size, np.float32), requires_grad=True)
    optimizer = optim.Adam([param], state_dtype=state_dtype)
    param.grad = np.zeros(size, np.float32)
    optimizer.step()
    return sum(array.nbytes for array in optimizer._segments[0][0].states.values()) / size


def diabetes_data(seed):
    from tinygrad_lr.data.datasets import diabetes

    inputs, target = diabetes(np.float64)
    return [((a - a.mean(axis=0)) / a.std(axis=0)).astype(np.float32) for a in (inputs, target)]


def teacher_data(seed):
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((2048, 256), np.float32)
    hidden = np.tanh(inputs @ rng.standard_normal((256, 16), np.float32) / 16)
    target = hidden @ rng.standard_normal((16, 1), np.float32) / 4 + 0.3 * rng.standard_normal((2048, 1), np.float32)
    return inputs, target.astype(np.float32)


PROBLEMS = {
    "diabetes MLP, 64 hidden units": (diabetes_data, 64, 442, 500, 1e-2),
    "regression, 1,000,009 weights": (teacher_data, 3876, 64, 300, 1e-4),
}


def final_loss(problem, state_dtype, seed):
    """Train; the mean squared error over all samples."""
    from tinygrad_lr import manual_seed, nn, optim, tensor
    from tinygrad_lr.schedules import cosine

    data, hidden, batch, steps, lr = PROBLEMS[problem]
    inputs, target = data(seed)
    manual_seed(seed)
    model = nn.Sequential(nn.Linear(inputs.shape[1], hidden), nn.Tanh(), nn.Linear(hidden, 1))
    loss = nn.MSELoss()
    optimizer = optim.Adam(model.parameters(), state_dtype=state_dtype)
    rates, rng = lr * cosine(steps)(np.arange(steps)), np.random.default_rng(seed)
    for rate in rates:
        rows = rng.permutation(len(inputs))[:batch]
        optimizer.param_groups[0]["lr"] = float(rate)
        optimizer.zero_grad()
        loss(model(tensor(inputs[rows])), tensor(target[rows])).backward()
        optimizer.step()
    return float(loss(model(tensor(inputs)), tensor(target)).item())


def measured(side, size, threads):
    """`step_seconds` in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TINYGRAD_LR_NUM_THREADS": str(threads)}
    command = [sys.executable, __file__, "--side", side, "--sizes", size, "--threads", str(threads)]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def print_steps(size, threads, rounds):
    found = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side in SIDES:
            found[side].append(measured(side, size, threads))
    print(f"Adam, {size} float32 parameters, {threads} thread(s), median of {rounds} processes")
    base = statistics.median(found["float32"])
    for side in SIDES:
        median = statistics.median(found[side])
        ratios = sorted(a / b for a, b in zip(found["float32"], found[side], strict=True))
        print(
            f"  {side:9} {median * 1e3:8.2f} ms  ({min(found[side]) * 1e3:.2f} to {max(found[side]) * 1e3:.2f})  "
            f"float32's time over it {base / median:.2f}, round by round {ratios[0]:.2f} to {ratios[-1]:.2f}; "
            f"{state_bytes(side, 10_000_000):.3f} bytes of state a parameter"
        )


def print_losses(problem, seeds):
    print(f"{problem}, Adam, final loss over {seeds} seeds")
    losses = {side: [final_loss(problem, side, seed) for seed in range(seeds)] for side in SIDES}
    base = losses["float32"]
    for side in SIDES:
        ratios = [a / b - 1 for a, b in zip(losses[side], base, strict=True)]
        mean = statistics.mean(losses[side])
        print(
            f"  {side:9} mean {mean:.6f}, {mean / statistics.mean(base) - 1:+.3%} beside float32; "
            f"seed by seed {min(ratios):+.3%} to {max(ratios):+.3%}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["2e7"])
    parser.add_argument("--threads", nargs="+", type=int, default=[2])
    parser.add_argument("--rounds", type=int, default=5, help="processes a side; 0: no times")
    parser.add_argument("--seeds", type=int, default=5, help="of each problem; 0: no losses")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(step_seconds(options.side, options.sizes[0], options.threads[0]))
        return
    if options.rounds:
        for threads in options.threads:
            for size in options.sizes:
                print_steps(size, threads, options.rounds)
    if options.seeds:
        for problem in PROBLEMS:
            print_losses(problem, options.seeds)


if __name__ == "__main__":
    main()
