"""One optimizer step: milliseconds here, in torch (default, foreach, fused), in jitted optax and in plain NumPy, beside
the time in which this machine streams the same arrays through memory.

Run: python benchmarks/optimizers.py                     (needs the extra `peers`)
     python benchmarks/optimizers.py --optimizers adam --sizes 1e4 2e7 200x1000 --threads 1 2
     python benchmarks/optimizers.py --optimizers adam --sizes 10+1 --threads 1     what a step costs besides arithmetic
     python benchmarks/optimizers.py --sizes 1e7 10x1000*1000 --threads 2 --table   rows of docs/performance.md

Each measurement is a process of its own, the sides in turn; the median over rounds of each process's median is printed,
with the ratio to ours. float32; a size such as 200x1000 is 200 tensors of 1,000, 10x1000*1000 ten matrices, and 10+1 a
weight and a bias, of which a step is Python and calls and little else. An optimizer that torch or optax has by that
name is a side. `stream` reads every array that the step reads and writes every array that it writes, and computes next
to nothing: the memory's speed is the limit.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import inspect
import math
import os
import statistics
import subprocess
import sys
import time

import numpy as np

from tinygrad_lr.optim.table import OPTIMIZERS

# Where optax has it by another name.
IN_OPTAX = {"signsgd": "sign_sgd", "optimistic_gd": "optimistic_gradient_descent", "dadapt_adam": "dadapt_adamw"}
SETTINGS = {"sgd": {"momentum": 0.9}}  # besides torch's defaults, or those of an optimizer that torch has not


def dialect_of(name):
    dialects = list(OPTIMIZERS[name].dialects)
    return "torch" if "torch" in dialects else dialects[0]


def made_of(name, params):
    return OPTIMIZERS[name](params, lr=1e-3, dialect=dialect_of(name), **SETTINGS.get(name, {}))


def states_of(name, size):
    """How many arrays of theta's size a step updates besides theta, nearly: factored moments of a matrix are none."""
    from tinygrad_lr import ones

    param = ones(*(min(n, 64) for n in shapes_of(size)[0]), requires_grad=True)
    optimizer = made_of(name, [param])
    param.grad = np.ones(param.shape, np.float32)
    optimizer.step()
    arrays = [value for value in optimizer.state[param].values() if isinstance(value, np.ndarray)]
    return round(sum(array.size for array in arrays) / param.data.size)


def shapes_of(size):
    """[(elements,), ...] of "2e7", "200x1000" or "10+1"; [(rows, columns), ...] of "10x1000*1000"."""
    shapes = []
    for part in size.split("+"):
        count, _, each = part.rpartition("x")
        shapes += [tuple(int(float(n)) for n in each.split("*"))] * int(count or 1)
    return shapes


def elements_of(size):
    return sum(math.prod(shape) for shape in shapes_of(size))


def arrays_of(size, seed):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape, np.float32) for shape in shapes_of(size)]


def repeated(step):
    """Seconds of a step: the median over at least 5 repetitions of a second in all."""
    for _ in range(3):
        step()
    start = time.perf_counter()
    step()
    once = max(time.perf_counter() - start, 1e-7)
    inner = max(1, int(1e-3 / once))  # clock reads stay below a thousandth
    found, begun = [], time.perf_counter()
    while len(found) < 5 or (time.perf_counter() - begun < 1 and len(found) < 2000):
        start = time.perf_counter()
        for _ in range(inner):
            step()
        found.append((time.perf_counter() - start) / inner)
    return statistics.median(found)


def ours(name, size, threads):
    from tinygrad_lr import Tensor, set_num_threads

    set_num_threads(threads)
    params = [Tensor(a, requires_grad=True) for a in arrays_of(size, 0)]
    optimizer = made_of(name, params)
    for param, grad in zip(params, arrays_of(size, 1), strict=True):
        param.grad = grad
    return optimizer.step


def torch_side(option, wanted):
    def side(name, size, threads):
        import torch

        torch.set_num_threads(threads)
        made = getattr(torch.optim, OPTIMIZERS[name].__name__, None)
        if made is None:
            raise NotImplementedError(f"torch has no {OPTIMIZERS[name].__name__}")
        known = inspect.signature(made).parameters
        if option not in known and wanted:
            raise NotImplementedError(f"torch's {made.__name__} has no {option}")
        params = [torch.tensor(a, requires_grad=True) for a in arrays_of(size, 0)]
        for param, grad in zip(params, arrays_of(size, 1), strict=True):
            param.grad = torch.tensor(grad)
        settings = {"lr": 1e-3, **SETTINGS.get(name, {})}
        return made(params, **settings, **({option: wanted} if option in known else {})).step

    return side


def optax_side(name, size, threads):
    os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import optax
    import optax.contrib

    called = IN_OPTAX.get(name, name)
    made = getattr(optax, called, None) or getattr(optax.contrib, called, None)
    if made is None:
        raise NotImplementedError(f"optax has no {name}")
    optimizer = made(1e-3, **SETTINGS.get(name, {}))
    params = [jax.numpy.asarray(a) for a in arrays_of(size, 0)]
    grads = [jax.numpy.asarray(a) for a in arrays_of(size, 1)]
    state = jax.tree.map(jax.numpy.copy, optimizer.init(params))  # which may hold the very params, donated once only
    held = {"params": params, "state": state}

    def update(params, state):
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    jitted = jax.jit(update, donate_argnums=(0, 1))

    def step():
        held["params"], held["state"] = jitted(held["params"], held["state"])
        jax.block_until_ready(held["params"])

    return step


def numpy_side(name, size, threads):
    from tinygrad_lr.verify.adapters import naive

    hyperparameters = {**OPTIMIZERS[name].dialects[dialect_of(name)], **SETTINGS.get(name, {}), "lr": 1e-3}
    subject = naive(name)(arrays_of(size, 0), **hyperparameters)
    grads = arrays_of(size, 1)
    return lambda: subject.step(grads)


def stream(name, size, threads):
    from concurrent.futures import ThreadPoolExecutor

    import numba

    def none(theta, g):
        for i in range(theta.size):
            theta[i] = g[i] - theta[i]

    def one(theta, g, a):
        for i in range(theta.size):
            theta[i], a[i] = g[i] - theta[i], -a[i]

    def two(theta, g, a, b):
        for i in range(theta.size):
            theta[i], a[i], b[i] = g[i] - theta[i], -a[i], -b[i]

    def three(theta, g, a, b, c):
        for i in range(theta.size):
            theta[i], a[i], b[i], c[i] = g[i] - theta[i], -a[i], -b[i], -c[i]

    def four(theta, g, a, b, c, d):
        for i in range(theta.size):
            theta[i], a[i], b[i], c[i], d[i] = g[i] - theta[i], -a[i], -b[i], -c[i], -d[i]

    def five(theta, g, a, b, c, d, e):
        for i in range(theta.size):
            theta[i], a[i], b[i], c[i], d[i], e[i] = g[i] - theta[i], -a[i], -b[i], -c[i], -d[i], -e[i]

    total, states = elements_of(size), states_of(name, size)
    arrays = [np.random.default_rng(k).standard_normal(total, np.float32) for k in range(2 + states)]
    loop = numba.njit(nogil=True, error_model="numpy")((none, one, two, three, four, five)[states])
    bounds = [total * i // threads for i in range(threads + 1)]
    pieces = [[a[low:high] for a in arrays] for low, high in zip(bounds, bounds[1:], strict=False)]
    if threads == 1 or total < 500_000:
        return lambda: loop(*arrays)
    pool = ThreadPoolExecutor(threads)
    return lambda: [done.result() for done in [pool.submit(loop, *piece) for piece in pieces]]


SIDES = {
    "tinygrad_lr": ours,
    "torch default": torch_side("foreach", False),
    "torch foreach": torch_side("foreach", True),
    "torch fused": torch_side("fused", True),
    "optax jit": optax_side,
    "NumPy": numpy_side,
    "stream": stream,
}


def measure(side, name, size, threads):
    """Seconds of a step of one side, in a process of its own; None with a reason where there is none."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TINYGRAD_LR_NUM_THREADS": str(threads)}
    command = [sys.executable, __file__, "--side", side, "--optimizers", name, "--sizes", size]
    done = subprocess.run([*command, "--threads", str(threads)], env=environment, capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "Error: " in line]
        return None, errors[-1] if errors else f"exit status {done.returncode}"
    return float(done.stdout.split()[-1]), ""


def times_of(name, size, threads, sides, rounds):
    """Each side's times in seconds, one for each process; and why a side has none."""
    found: dict[str, list[float]] = {side: [] for side in sides}
    missing: dict[str, str] = {}
    for _ in range(rounds):
        for side in sides:
            if side not in missing:
                seconds, reason = measure(side, name, size, threads)
                if seconds is None:
                    missing[side] = reason
                else:
                    found[side].append(seconds)
    return found, missing


def print_lines(name, size, threads, found, missing, rounds):
    """A line for each side."""
    medians = {side: statistics.median(values) for side, values in found.items() if values}
    moved = 4 * elements_of(size) * (3 + 2 * states_of(name, size))  # theta and states are read and written, g is read
    print(f"{name}, {size} parameters, {threads} thread(s), float32, median of {rounds} processes")
    for side in found:
        if side in missing:
            print(f"  {side:14}  left out: {missing[side]}")
            continue
        ratio = medians[side] / medians["tinygrad_lr"] if "tinygrad_lr" in medians else float("nan")
        low, high = min(found[side]), max(found[side])
        print(
            f"  {side:14} {medians[side] * 1e6:12.1f} us  ({low * 1e6:.1f} to {high * 1e6:.1f})  "
            f"{moved / medians[side] / 1e9:7.1f} GB/s  {ratio:7.2f} of ours"
        )
    if "stream" in medians and "tinygrad_lr" in medians:
        print(f"  share of the streaming speed: {medians['stream'] / medians['tinygrad_lr']:.0%}")


def table_head(sides):
    cells = ["optimizer", "parameters", *("ours" if side == "tinygrad_lr" else side for side in sides)]
    cells += ["share"] * ("stream" in sides)
    return f"| {' | '.join(cells)} |\n|{'---|' * len(cells)}"


def table_row(name, size, found):
    """A row as docs/performance.md has it: times, and in brackets how many of ours; bold where we lose."""
    medians = {side: statistics.median(values) if values else None for side, values in found.items()}
    ours, cells = medians["tinygrad_lr"], [OPTIMIZERS[name].__name__, size]
    for side, seconds in medians.items():
        if seconds is None:
            cells.append("")
        elif side in ("tinygrad_lr", "stream") or ours is None:
            cells.append(shown(seconds))
        else:
            ratio = f"{seconds / ours:.2g}" if seconds < 10 * ours else f"{seconds / ours:.0f}"
            cells.append(f"{shown(seconds)} ({ratio if seconds >= ours else f'**{ratio}**'})")
    if "stream" in medians:
        cells.append(f"{medians['stream'] / ours:.0%}" if ours and medians["stream"] else "")
    return f"| {' | '.join(cells)} |"


def shown(seconds):
    return f"{seconds * 1e6:.3g} us" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--optimizers", nargs="+", default=list(OPTIMIZERS), choices=list(OPTIMIZERS))
    parser.add_argument("--sizes", nargs="+", default=["1e3", "1e4", "1e5", "1e6", "1e7", "2e7", "1e8", "200x1000"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=list(SIDES))
    parser.add_argument("--rounds", type=int, default=3, help="processes a side")
    parser.add_argument("--table", action="store_true", help="print a table in Markdown, a row for each measurement")
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        (name,), (size,), (threads,) = options.optimizers, options.sizes, options.threads
        print(repeated(SIDES[options.side](name, size, threads)))
        return
    for module in ("torch", "optax"):
        if importlib.util.find_spec(module) is None:
            print(f"{module} is not installed: its sides are left out; pip install -e '.[peers]'", file=sys.stderr)
    for threads in options.threads:
        if options.table:
            print(
                f"\n{threads} thread(s), float32, medians of {options.rounds} processes:\n\n{table_head(options.sides)}"
            )
        for name in options.optimizers:
            for size in options.sizes:
                found, missing = times_of(name, size, threads, options.sides, options.rounds)
                if options.table:
                    print(table_row(name, size, found), flush=True)
                else:
                    print_lines(name, size, threads, found, missing, options.rounds)


if __name__ == "__main__":
    main()
