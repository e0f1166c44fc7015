"""Whole trainings: compiled here, torch eager, and jax.jit over lax.scan; microseconds a step.

Run: python benchmarks/training.py            (needs the extra `peers`, and jax: pip install jax)

Each measurement is a process of its own, the sides in turn; medians and the ratios of the medians are printed. The time
is that of a second training of the same length in the process, so that compiling is left out on all sides.
  fit     fit(..., compiled=True): order of each epoch, rates, gather, forward, backward, update, history of every step
  runner  the same without orders and history: what lax.scan does, whose orders and rates are given as arrays too
  torch   DataLoader, forward, backward, step of torch.optim.Adam, as in the article
  scan    one jitted lax.scan over all steps: gather, forward, backward, Adam written out
  sklearn MLPRegressor's own Adam, batches and shuffling, relu, no regularisation: the same work, where there is a layer
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
    "mlp32": (3200, 64, 32, 32, 60),
    "mlp256": (3200, 64, 256, 32, 60),
    "mlp1024": (3200, 64, 1024, 128, 60),
}


def data(rows, features):
    import numpy as np

    draw = np.random.default_rng(0)
    return draw.normal(size=(rows, features)).astype("f4"), draw.normal(size=(rows, 1)).astype("f4")


def timed(train, steps):
    train()
    start = time.perf_counter()
    train()
    return (time.perf_counter() - start) / steps


def ours(name):
    from tinygrad_lr import manual_seed, nn, optim
    from tinygrad_lr.data import DataLoader, TensorDataset

    rows, features, hidden, batch, epochs = FLOWS[name]
    manual_seed(0)
    loader = DataLoader(TensorDataset(*data(rows, features)), batch_size=batch, shuffle=True)
    model = nn.Linear(features, 1)
    if hidden:
        model = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, 1))
    return model, nn.MSELoss(), optim.Adam(model.parameters(), lr=1e-3), loader, epochs


def fit(name):
    from tinygrad_lr import training

    *parts, loader, epochs = ours(name)
    steps = epochs * len(loader)
    return timed(lambda: training.fit(*parts, loader, epochs=epochs, progress=False, compiled=True), steps)


def runner(name):
    import numpy as np

    from tinygrad_lr.compiled import Runner

    *parts, loader, epochs = ours(name)
    made = Runner(*parts, loader)
    order = loader.orders(0, epochs)
    rates = np.full((epochs * len(loader), 1), 1e-3)
    return timed(lambda: made.run(order, 0, rates), len(rates))


def torch(name):
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    rows, features, hidden, batch, epochs = FLOWS[name]
    epochs = max(1, epochs // 10)
    loader = DataLoader(TensorDataset(*map(torch.from_numpy, data(rows, features))), batch_size=batch, shuffle=True)
    model = nn.Linear(features, 1)
    if hidden:
        model = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, 1))
    loss_fn, optimizer = nn.MSELoss(), torch.optim.Adam(model.parameters(), lr=1e-3)

    def train():
        for _ in range(epochs):
            for x, y in loader:
                optimizer.zero_grad()
                loss_fn(model(x), y).backward()
                optimizer.step()

    return timed(train, epochs * len(loader))


def scan(name):
    import jax
    import jax.numpy as jnp
    import numpy as np

    rows, features, hidden, batch, epochs = FLOWS[name]
    x, y = map(jnp.asarray, data(rows, features))
    draw = np.random.default_rng(1)
    sizes = [(features, hidden), (hidden, 1)] if hidden else [(features, 1)]
    params = [(jnp.asarray(draw.normal(size=s).astype("f4") * 0.1), jnp.zeros(s[1])) for s in sizes]
    order = np.stack([draw.permutation(rows) for _ in range(epochs)]).reshape(-1, batch)
    rates = jnp.full(len(order), 1e-3)

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

    return timed(lambda: jax.block_until_ready(train(params, jnp.asarray(order), rates)), len(order))


def sklearn(name):
    import warnings

    from sklearn.neural_network import MLPRegressor

    warnings.simplefilter("ignore")
    rows, features, hidden, batch, epochs = FLOWS[name]
    if not hidden:
        return float("nan")
    x, y = data(rows, features)
    model = MLPRegressor(
        hidden_layer_sizes=(hidden,), alpha=0.0, batch_size=batch, max_iter=epochs, tol=0.0, n_iter_no_change=10**6
    )
    return timed(lambda: model.fit(x, y[:, 0]), epochs * rows // batch)


SIDES = {"fit": fit, "runner": runner, "torch": torch, "scan": scan, "sklearn": sklearn}


def measure(side, flow, threads):
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TINYGRAD_LR_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads)), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, __file__, "--side", side, "--flow", flow]
    if threads == 1 and hasattr(os, "sched_setaffinity"):  # XLA takes its threads from the processors it may use
        command = ["taskset", "-c", "0", *command]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout) * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="processes a side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--flow", choices=FLOWS)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(SIDES[options.side](options.flow))
        return
    print(f"Adam, float32, {options.threads} thread(s), medians of {options.rounds} processes, microseconds a step")
    for flow in [options.flow] if options.flow else FLOWS:
        found: dict[str, list[float]] = {side: [] for side in SIDES}
        for _ in range(options.rounds):
            for side in SIDES:
                found[side].append(measure(side, flow, options.threads))
        medians = {side: statistics.median(values) for side, values in found.items()}
        print(f"{flow}: " + ", ".join(f"{side} {value:.2f}" for side, value in medians.items() if value == value))
        for side in ("fit", "runner"):
            peers = [(peer, medians[peer] / medians[side]) for peer in ("torch", "scan", "sklearn")]
            print(f"  {side}: " + ", ".join(f"{peer} / {side} = {r:.2f}" for peer, r in peers if r == r), flush=True)


if __name__ == "__main__":
    main()
