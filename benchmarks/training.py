"""Whole trainings: compiled here, and by torch, jax, Numba by hand and scikit-learn; microseconds a step.

Run: python benchmarks/training.py            (needs the extra `peers`, and jax: pip install jax)
     python benchmarks/training.py --growth   (fit alone: time and memory at n, 2n, 4n steps)

Each measurement is a process of its own, the sides in turn; medians and the ratios of the medians are printed. The time
is that of later trainings of the same length in the process, so that compiling is left out on all sides. With one
thread it is processor time, which other programs on the machine do not add to; with more it is the clock.
  fit     fit(..., compiled=True): order of each epoch, rates, gather, forward, backward, update, history of every step
  runner  the same without schedule and history: what lax.scan does, to which orders and rates are given as arrays
  torch   DataLoader, forward, backward, step of torch.optim's optimizer, as in the article
  compile the same with torch.compile around the loss and around the step, where it runs (it needs a C++ compiler)
  scan    one jitted lax.scan over all steps: gather, forward, backward, Adam written out
  hand    a loop for the article's model and Adam written by hand in Numba; orders and rates are given
  sklearn MLPRegressor's own Adam, batches and shuffling, relu, no regularisation: the same work, where there is a
          layer; SGDRegressor, one sample a step, for the flow `sgd`
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

# name: rows, features, hidden, batch, epochs
FLOWS = {
    "article": (100, 10, 0, 10, 1000),
    "second": (100, 10, 0, 10, 400),
    "sgd": (1000, 10, 0, 1, 20),
    "mlp32": (3200, 64, 32, 32, 60),
    "mlp256": (3200, 64, 256, 32, 30),
    "mlp1024": (3200, 64, 1024, 128, 30),
}
ONE_THREAD = os.environ.get("OMP_NUM_THREADS") == "1"
now = time.process_time if ONE_THREAD else time.perf_counter


def data(rows, features):
    import numpy as np

    draw = np.random.default_rng(0)
    return draw.normal(size=(rows, features)).astype("f4"), draw.normal(size=(rows, 1)).astype("f4")


def schedule(name):
    """The schedule of a flow, by the number of steps in all; None: a constant rate."""
    from tinygrad_lr import schedules

    rows, _, _, batch, epochs = FLOWS[name]
    steps = epochs * rows // batch
    return schedules.warmup(steps // 10).then(schedules.polynomial(steps - steps // 10)) if name == "second" else None


def rates_of(name, steps):
    """The rates of all steps."""
    import numpy as np

    factors = schedule(name)
    return np.full(steps, 1e-3) if factors is None else 1e-3 * factors(np.arange(steps))


def timed(train, steps):
    """Seconds a step: the median of trainings until a second has passed, at most 21."""
    train()
    found, total = [], 0.0
    while len(found) < 21 and (total < 1.0 or not found):
        start = now()
        train()
        found.append(now() - start)
        total += found[-1]
    return statistics.median(found) / steps


def ours(name):
    from tinygrad_lr import manual_seed, nn, optim
    from tinygrad_lr.data import DataLoader, TensorDataset

    rows, features, hidden, batch, epochs = FLOWS[name]
    manual_seed(0)
    loader = DataLoader(TensorDataset(*data(rows, features)), batch_size=batch, shuffle=True)
    model = nn.Linear(features, 1)
    if hidden:
        model = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, 1))
    kind = optim.SGD if name == "sgd" else optim.Adam
    return model, nn.MSELoss(), kind(model.parameters(), lr=1e-3), loader, epochs


def fit(name):
    from tinygrad_lr import training

    *parts, loader, epochs = ours(name)
    steps, options = epochs * len(loader), {"schedule": schedule(name), "progress": False, "compiled": True}
    return timed(lambda: training.fit(*parts, loader, epochs=epochs, **options), steps)


def runner(name):
    from tinygrad_lr.compiled import Runner

    *parts, loader, epochs = ours(name)
    made = Runner(*parts, loader)
    keys = loader.keys(0, epochs)
    rates = rates_of(name, epochs * len(loader))[:, None]
    return timed(lambda: made.run(keys, 0, rates), len(rates))


def hand(name):
    if name not in ("article", "second"):
        return float("nan")
    from math import sqrt

    import numba
    import numpy as np

    @numba.njit(error_model="numpy")
    def train(x, y, order, rates, theta, m, v, losses):
        features, rows = x.shape[1], order.shape[1]
        beta1, rest1, beta2, rest2 = np.float32(0.9), np.float32(0.1), np.float32(0.999), np.float32(0.001)
        grad, eps, scale = np.empty(features + 1, np.float32), np.float32(1e-8), np.float32(2 / rows)
        for i in range(rates.size):
            for k in range(features + 1):
                grad[k] = 0
            total = np.float32(0)
            for r in range(rows):
                row = order[i, r]
                error = theta[features] - y[row, 0]
                for k in range(features):
                    error += x[row, k] * theta[k]
                total += error * error
                error *= scale
                for k in range(features):
                    grad[k] += error * x[row, k]
                grad[features] += error
            losses[i] = total / np.float32(rows)
            rate, inverse2 = np.float32(rates[i] / (1 - 0.9 ** (i + 1))), np.float32(1 / (1 - 0.999 ** (i + 1)))
            for k in range(features + 1):
                m[k] = beta1 * m[k] + rest1 * grad[k]
                v[k] = beta2 * v[k] + rest2 * grad[k] * grad[k]
                theta[k] -= rate * m[k] / sqrt(v[k] * inverse2 + eps)

    rows, features, _, batch, epochs = FLOWS[name]
    draw = np.random.default_rng(0)
    order = np.concatenate([draw.permutation(rows).reshape(-1, batch) for _ in range(epochs)])
    rates, state = rates_of(name, len(order)), [np.zeros(features + 1, np.float32) for _ in range(3)]
    x, y = data(rows, features)
    return timed(lambda: train(x, y, order, rates, *state, np.empty(len(order))), len(order))


def torch(name, compiled=False):
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    rows, features, hidden, batch, epochs = FLOWS[name]
    epochs = max(1, epochs // 20)
    loader = DataLoader(TensorDataset(*map(torch.from_numpy, data(rows, features))), batch_size=batch, shuffle=True)
    model = nn.Linear(features, 1)
    if hidden:
        model = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, 1))
    loss_fn, kind = nn.MSELoss(), torch.optim.SGD if name == "sgd" else torch.optim.Adam
    optimizer = kind(model.parameters(), lr=1e-3)

    def loss_of(x, y):
        return loss_fn(model(x), y)

    step = optimizer.step
    if compiled:
        loss_of, step = torch.compile(loss_of), torch.compile(lambda: kind.step(optimizer))

    rates = rates_of(name, epochs * len(loader)).tolist() if schedule(name) else []

    def train():
        for epoch in range(epochs):
            for i, (x, y) in enumerate(loader):
                if rates:
                    optimizer.param_groups[0]["lr"] = rates[epoch * len(loader) + i]
                optimizer.zero_grad()
                loss_of(x, y).backward()
                step()

    return timed(train, epochs * len(loader))


def torch_compile(name):
    return torch(name, compiled=True)


def scan(name):
    import jax
    import jax.numpy as jnp
    import numpy as np

    if name == "sgd":
        return float("nan")
    rows, features, hidden, batch, epochs = FLOWS[name]
    x, y = map(jnp.asarray, data(rows, features))
    draw = np.random.default_rng(1)
    sizes = [(features, hidden), (hidden, 1)] if hidden else [(features, 1)]
    params = [(jnp.asarray(draw.normal(size=s).astype("f4") * 0.1), jnp.zeros(s[1])) for s in sizes]
    order = np.stack([draw.permutation(rows) for _ in range(epochs)]).reshape(-1, batch)
    rates = rates_of(name, len(order))

    def loss_of(params, rows_of_batch):
        h = x[rows_of_batch]
        for i, (weight, bias) in enumerate(params):
            h = h @ weight + bias
            h = jax.nn.relu(h) if i + 1 < len(params) else h
        return jnp.mean((h - y[rows_of_batch]) ** 2)

    def step(carry, now):
        params, m, v, t = carry
        chosen, rate = now
        value, grads = jax.value_and_grad(loss_of)(params, chosen)
        t = t + 1
        m = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g, m, grads)
        v = jax.tree.map(lambda a, g: 0.999 * a + 0.001 * g * g, v, grads)
        one, two = 1 - 0.9**t, 1 - 0.999**t
        params = jax.tree.map(lambda p, a, b: p - rate * (a / one) / jnp.sqrt(b / two + 1e-8), params, m, v)
        return (params, m, v, t), value

    @jax.jit
    def train(params, order, rates):
        zeros = jax.tree.map(jnp.zeros_like, params)
        return jax.lax.scan(step, (params, zeros, zeros, jnp.float32(0)), (order, rates))

    return timed(lambda: jax.block_until_ready(train(params, jnp.asarray(order), jnp.asarray(rates, "f4"))), len(order))


def sklearn(name):
    import warnings

    from sklearn.linear_model import SGDRegressor
    from sklearn.neural_network import MLPRegressor

    warnings.simplefilter("ignore")
    rows, features, hidden, batch, epochs = FLOWS[name]
    x, y = data(rows, features)
    if hidden:
        model = MLPRegressor(
            hidden_layer_sizes=(hidden,), alpha=0.0, batch_size=batch, max_iter=epochs, tol=0.0, n_iter_no_change=10**6
        )
    elif name == "sgd":
        model = SGDRegressor(penalty=None, learning_rate="constant", eta0=1e-3, max_iter=epochs, tol=None)
    else:
        return float("nan")
    return timed(lambda: model.fit(x, y[:, 0]), epochs * rows // batch)


SIDES = {
    "fit": fit,
    "runner": runner,
    "torch": torch,
    "compile": torch_compile,
    "scan": scan,
    "hand": hand,
    "sklearn": sklearn,
}


def measure(side, flow, threads):
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TINYGRAD_LR_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads)), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, __file__, "--side", side, "--flow", flow]
    if threads == 1 and hasattr(os, "sched_setaffinity"):  # XLA takes its threads from the processors it may use
        command = ["taskset", "-c", "0", *command]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        print(f"  {side} does not run here: {(done.stderr.strip().splitlines() or ['no message'])[-1][:150]}")
        return float("nan")
    return float(done.stdout.split()[-1]) * 1e6


def growth(name):
    """What fit costs at n, 2n and 4n steps: microseconds a step, and what tracemalloc sees beside the history."""
    import tracemalloc

    from tinygrad_lr import training

    *parts, loader, epochs = ours(name)
    training.fit(*parts, loader, epochs=epochs, progress=False, compiled=True)
    for times in (1, 2, 4):
        start = now()
        training.fit(*parts, loader, epochs=epochs * times, progress=False, compiled=True)
        taken, steps = now() - start, epochs * times * len(loader)
        tracemalloc.start()
        history = training.fit(*parts, loader, epochs=epochs * times, progress=False, compiled=True)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        columns = len(history) * 8 * (2 + len(history.groups))
        print(
            f"{name}: {steps} steps, {taken / steps * 1e6:.3f} us a step, peak {peak / 1e6:.2f} MB, of which the "
            f"history's columns {columns / 1e6:.2f} MB"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="processes a side")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--flow", choices=FLOWS)
    parser.add_argument("--growth", action="store_true", help="time and memory of fit at n, 2n and 4n steps")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(SIDES[options.side](options.flow))
        return
    if options.growth:
        growth(options.flow or "article")
        return
    print(
        f"float32, {options.threads} thread(s), medians of {options.rounds} processes, microseconds a step"
        + (" of processor time" if options.threads == 1 else "")
    )
    for flow in [options.flow] if options.flow else FLOWS:
        found: dict[str, list[float]] = {side: [] for side in SIDES}
        for _ in range(options.rounds):
            for side in SIDES:
                if not (found[side] and found[side][-1] != found[side][-1]):  # once is enough to see that it cannot
                    found[side].append(measure(side, flow, options.threads))
        medians = {side: statistics.median(values) for side, values in found.items()}
        print(f"{flow}: " + ", ".join(f"{side} {value:.2f}" for side, value in medians.items() if value == value))
        for side in ("fit", "runner"):
            peers = [(peer, medians[peer] / medians[side]) for peer in SIDES if peer not in ("fit", "runner")]
            print(f"  {side}: " + ", ".join(f"{peer} / {side} = {r:.2f}" for peer, r in peers if r == r), flush=True)


if __name__ == "__main__":
    main()
