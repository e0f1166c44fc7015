"""The article's training flow, eager: microseconds a step here and in torch, and from process start to the end.

Run: python benchmarks/article.py            (needs the extra `peers`: pip install -e '.[peers]')

Each measurement is a process of its own, the two sides in turn; medians and the ratio of the medians are printed. Both
sides run the same lines: the article's flow differs in its imports only. A step is everything between two batches:
drawing the batch, decay_lr_poly, zero_grad, forward, loss, backward, optimizer step.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

EPOCHS, WARM_UP_EPOCHS, BATCHES = 300, 5, 10


def flow(nn, optim, data, randn, decay_lr_poly, epochs):
    """The article's flow; returns the seconds of each epoch after the first five."""
    x, y = randn(100, 10), randn(100, 1)
    loader = data.DataLoader(data.TensorDataset(x, y), batch_size=10, shuffle=True)
    model, loss_fn, lr = nn.Linear(10, 1), nn.MSELoss(), 0.01
    optimizer = optim.Adam(model.parameters(), lr=lr)
    seconds = []
    for epoch in range(epochs):
        start = time.perf_counter()
        model.train()
        for batch_idx, (features, target) in enumerate(loader):
            batch_lr = decay_lr_poly(lr, epoch, batch_idx, epochs, len(loader), 5, 1)
            for group in optimizer.param_groups:
                group["lr"] = batch_lr
            optimizer.zero_grad()
            loss = loss_fn(model(features), target)
            loss.backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    return seconds[WARM_UP_EPOCHS:] or seconds


def ours(epochs):
    from tinygrad_lr import data, nn, optim, randn, schedules

    return flow(nn, optim, data, randn, schedules.decay_lr_poly, epochs)


def printed_decay_lr_poly(base_lr, epoch_i, batch_i, total_epochs, total_batches, warm_up, power=1.0):
    """As the article prints it, for torch's side."""
    import numpy as np

    if warm_up > 0 and epoch_i < warm_up:
        rate = (epoch_i * total_batches + batch_i) / (warm_up * total_batches)
    else:
        rate = np.power(
            1.0 - ((epoch_i - warm_up) * total_batches + batch_i) / ((total_epochs - warm_up) * total_batches), power
        )
    return rate * base_lr


def torch(epochs):
    import torch
    from torch import nn, optim
    from torch.utils import data

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    return flow(nn, optim, data, torch.randn, printed_decay_lr_poly, epochs)


SIDES = {"tinygrad_lr": ours, "torch": torch}


def measure(side, epochs, threads):
    """Seconds a step (median over epochs) and of the whole process, measured from outside."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TINYGRAD_LR_NUM_THREADS": str(threads)}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--side", side, "--epochs", str(epochs)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout), time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="processes a side")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        seconds = SIDES[options.side](options.epochs)
        print(statistics.median(seconds) / BATCHES)
        return
    steps: dict[str, list[float]] = {side: [] for side in SIDES}
    wholes: dict[str, list[float]] = {side: [] for side in SIDES}
    for round_number in range(options.rounds):
        for side in SIDES:
            step, _ = measure(side, options.epochs, options.threads)
            _, whole = measure(side, 10, options.threads)
            steps[side].append(step * 1e6)
            wholes[side].append(whole)
            print(
                f"round {round_number + 1}: {side:12} {step * 1e6:8.1f} us a step, 10 epochs from process start "
                f"{whole:.2f} s",
                file=sys.stderr,
            )
    print(
        f"article's flow, Linear(10, 1), batch 10, Adam, float32, {options.threads} thread(s), "
        f"medians of {options.rounds} processes"
    )
    for title, found, unit in [("a step", steps, "us"), ("process start to the end of 10 epochs", wholes, "s")]:
        medians = {side: statistics.median(values) for side, values in found.items()}
        for side, median in medians.items():
            low, high = min(found[side]), max(found[side])
            print(f"  {title}: {side:12} {median:8.2f} {unit}   ({low:.2f} to {high:.2f})")
        print(f"  {title}: torch / tinygrad_lr = {medians['torch'] / medians['tinygrad_lr']:.1f}")


if __name__ == "__main__":
    main()
