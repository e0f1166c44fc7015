"""From nothing to a trained model: `tinygrad-lr train` with an empty and with a filled cache of compiled kernels,
beside a torch script that imports torch and runs the article's flow. Wall time of whole processes, in turn, with the
bytecode of both sides on disk, as pip leaves it (PYTHONDONTWRITEBYTECODE would make ours compile in every process).

Run: python benchmarks/startup.py [--compiled]      (needs the extras `plot` and `peers`)
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def wall(command, **environment):
    """Seconds from the start of a process to its end."""
    whole = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run(command, env={**whole, **environment}, check=True, capture_output=True)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="processes a side")
    parser.add_argument("--compiled", action="store_true", help="time `tinygrad-lr train --compiled`")
    options = parser.parse_args()
    rounds, compiled = options.rounds, ["--compiled"] if options.compiled else []
    torch_flow = [sys.executable, str(Path(__file__).with_name("article.py")), "--side", "torch", "--epochs", "10"]
    found: dict[str, list[float]] = {"empty cache": [], "filled cache": [], "torch": []}
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            train = [sys.executable, "-m", "tinygrad_lr", "train", "--out", f"{folder}/run", *compiled]
            again = [sys.executable, "-m", "tinygrad_lr", "train", "--out", f"{folder}/again", *compiled]
            found["empty cache"].append(wall(train, NUMBA_CACHE_DIR=f"{folder}/cache"))
            found["filled cache"].append(wall(again, NUMBA_CACHE_DIR=f"{folder}/cache"))
        found["torch"].append(wall(torch_flow, OMP_NUM_THREADS="1"))
        print(
            f"round {number + 1}: " + ", ".join(f"{name} {values[-1]:.2f} s" for name, values in found.items()),
            file=sys.stderr,
        )
    print(f"process start to end, medians of {rounds} (fastest to slowest)")
    ours = " ".join(["tinygrad-lr train", *compiled])
    for name, values in found.items():
        what = "torch: import and the article's flow" if name == "torch" else f"{ours}, {name}"
        print(f"  {what:44} {statistics.median(values):5.2f} s   ({min(values):.2f} to {max(values):.2f})")
    for name in ("empty cache", "filled cache"):
        ratio = statistics.median(found[name]) / statistics.median(found["torch"])
        print(f"  {ours}, {name} / torch: {ratio:.2f}")


if __name__ == "__main__":
    main()
