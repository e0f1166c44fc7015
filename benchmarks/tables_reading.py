"""Reading a large table, from the file to standardised float32: ours, and polars and pandas with NumPy's arithmetic.

Run: python benchmarks/tables_reading.py             (needs the extras `tables` and `peers`)
     python benchmarks/tables_reading.py --rows 100000

Each measurement is a process of its own, the sides in turn. Printed are the medians by the clock and of processor time,
their ratios, and the peak memory beyond what the process had when it had read a small table in the same way. The file
lies in the system's cache for all of them.
  read     read_table, by pyarrow
  ours     read_table, TableEncoder.fit, features and targets
  python   the same without the extra: NumPy's parser
  polars   polars.read_csv, then mean, deviation and float32 by NumPy, column by column, one-hot columns for texts
  pandas   the same with pandas.read_csv
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COLUMNS = 20
# name: how many of the columns are texts, with 3 and with 10 kinds
TABLES = {"numbers": 0, "mixed": 2}


def write(folder: Path, rows: int) -> None:
    """The tables, each as a CSV file."""
    import numpy as np
    import polars

    draw = np.random.default_rng(0)
    for name, texts in TABLES.items():
        columns = {f"x{i}": draw.normal(size=rows).round(4) for i in range(COLUMNS - 4 - texts)}
        columns |= {f"k{i}": draw.integers(0, 1000, rows) for i in range(3)}
        for i in range(texts):
            kinds = np.array(list("abcdefghij"[: (3, 10)[i]]))
            columns[f"t{i}"] = kinds[draw.integers(0, len(kinds), rows)]
        columns["y"] = draw.normal(size=rows).round(3)
        polars.DataFrame(columns).write_csv(folder / f"{name}.csv")


def peak() -> int:
    """The most memory that the process had so far, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def read(path):
    from tinygrad_lr.data.tables import read_table

    return len(read_table(path))


def ours(path):
    from tinygrad_lr.data.encoding import TableEncoder
    from tinygrad_lr.data.tables import read_table

    table = read_table(path)
    encoder = TableEncoder.fit(table, "y")
    return encoder.features(table).shape, encoder.targets(table).shape


def python(path):
    from tinygrad_lr.data import arrow

    arrow.is_available = lambda: False
    return ours(path)


def with_polars(path):
    import polars

    frame = polars.read_csv(path)
    codes = {name: frame[name].cast(polars.Categorical).to_physical() for name in frame.columns if name[0] == "t"}
    return with_codes(frame, codes)


def with_pandas(path):
    import pandas

    frame = pandas.read_csv(path)
    codes = {name: frame[name].astype("category").cat.codes for name in frame.columns if name[0] == "t"}
    return with_codes(frame, codes)


def with_codes(frame, codes):
    """NumPy's arithmetic on the columns of a frame, texts being codes."""
    import numpy as np

    rows = len(frame)
    codes = {name: each.to_numpy().astype(np.int64) for name, each in codes.items()}
    inputs = [name for name in frame.columns if name != "y"]
    out = np.zeros((rows, sum(codes[name].max() + 1 if name in codes else 1 for name in inputs)), np.float32)
    place = 0
    for name in inputs:
        if name in codes:
            out[np.arange(rows), place + codes[name]] = 1
            place += codes[name].max() + 1
        else:
            values = frame[name].to_numpy().astype(np.float64)
            out[:, place] = (values - values.mean()) / values.std()
            place += 1
    target = frame["y"].to_numpy()
    return out.shape, ((target - target.mean()) / target.std()).astype(np.float32).shape


SIDES = {"read": read, "ours": ours, "python": python, "polars": with_polars, "pandas": with_pandas}


def run(side: str, path: str) -> None:
    """One measurement: seconds, and bytes beyond those of a process that read a small table in the same way."""
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.csv"
        with open(path) as file:
            small.write_text("".join(line for line, _ in zip(file, range(2000), strict=False)))
        if side in ("read", "ours"):
            from tinygrad_lr.data import tables

            large, tables.LARGE = tables.LARGE, 0  # so that pyarrow is imported
            SIDES[side](small)
            tables.LARGE = large
        else:
            SIDES[side](small)
    before, started, worked = peak(), time.perf_counter(), time.process_time()
    SIDES[side](path)
    print(json.dumps([time.perf_counter() - started, time.process_time() - worked, peak() - before]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5, help="processes a side")
    parser.add_argument("--sides", default=",".join(SIDES), help="(default: %(default)s)")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--path", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        run(options.side, options.path)
        return
    if options.path:
        write(Path(options.path), options.rows)
        return
    sides = options.sides.split(",")
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: the peak memory of a process counts what its parent had.
        subprocess.run([sys.executable, __file__, "--path", folder, "--rows", str(options.rows)], check=True)
        for table in TABLES:
            path = os.path.join(folder, f"{table}.csv")
            found: dict[str, list[list[float]]] = {side: [] for side in sides}
            for _ in range(options.rounds):
                for side in sides:
                    command = [sys.executable, __file__, "--side", side, "--path", path]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    found[side].append(json.loads(done.stdout.splitlines()[-1]))
            float32 = options.rows * COLUMNS * 4
            size = f"{os.path.getsize(path) / 1e6:.0f} MB, in float32 {float32 / 1e6:.0f} MB"
            print(f"{table}: {options.rows} rows, {COLUMNS} columns, {size}")
            medians = {side: list(map(statistics.median, zip(*values, strict=True))) for side, values in found.items()}
            for side, (clock, worked, memory) in medians.items():
                base = medians.get("polars", medians[side])
                print(
                    f"  {side:7} {clock:6.2f} s ({clock / base[0]:.2f} of polars), processor {worked:6.2f} s "
                    f"({worked / base[1]:.2f}), {memory / 1e6:5.0f} MB, {memory / float32:.1f} times the float32 table",
                    flush=True,
                )


if __name__ == "__main__":
    main()
