"""Where BLAS overtakes the loops: the time of one product of a compiled step, by each, for small layers.

Run: OPENBLAS_NUM_THREADS=1 python benchmarks/products.py
     OPENBLAS_NUM_THREADS=1 python benchmarks/products.py --turned    (nt by BLAS, and by way of its transpose)

The products of a layer (rows, in) -> (rows, out) are nt (forward), nn (gradient of the input) and tn (gradient of the
weight). Printed: multiplications, microseconds of the loops and of BLAS, their ratio (above 1: BLAS is faster);
processor time, best of 7. kernels/ops/matmul.py and compiled/lowering.py (BLAS_FROM) use what this finds.
"""

import sys
import time

import numba
import numpy as np

from tinygrad_lr.kernels.ops import matmul, moves

LAYERS = [
    (4, 4, 4),
    (10, 10, 1),
    (8, 8, 8),
    (10, 10, 10),
    (32, 10, 10),
    (10, 100, 1),
    (16, 16, 16),
    (32, 64, 1),
    (32, 16, 16),
    (32, 256, 1),
    (128, 32, 1),
    (32, 32, 32),
    (10, 64, 64),
    (32, 64, 32),
    (128, 1024, 1),
    (32, 64, 256),
]


def repeated(kernel, arguments):
    names = ", ".join(f"a{i}" for i in range(len(arguments)))
    scope = {"kernel": kernel}
    exec(f"def many(n, {names}):\n    for _ in range(n):\n        kernel({names})", scope)
    return numba.njit(error_model="numpy")(scope["many"])


def microseconds(kernel, *arguments):
    many = repeated(kernel, arguments)
    many(1, *arguments)
    count, taken = 1, 0.0
    while taken < 0.01:
        count *= 4
        start = time.process_time()
        many(count, *arguments)
        taken = time.process_time() - start
    best = taken
    for _ in range(6):
        start = time.process_time()
        many(count, *arguments)
        best = min(best, time.process_time() - start)
    return best / count * 1e6


@numba.njit(error_model="numpy")
def nt_turned(a, b, scratch, out):
    matmul.nt_blas(b, a, scratch)
    moves.turn(scratch, out)


def turned():
    draw = np.random.default_rng(0)
    print("microseconds of nt_blas over those of its transpose by nt_blas, turned; above 1: that is faster")
    for ins in (16, 64, 256):
        for rows in (8, 16, 32, 48, 64, 128):
            ratios = []
            for outs in (32, 64, 128, 256, 512, 1024):
                x, w, out, scratch = (
                    draw.normal(size=s).astype("f4") for s in ((rows, ins), (outs, ins), (rows, outs), (outs, rows))
                )
                one = microseconds(matmul.nt_blas, x, w, out)
                ratios.append(one / microseconds(nt_turned, x, w, scratch, out))
            found = " ".join(f"{ratio:5.2f}" for ratio in ratios)
            print(f"{rows:4} x {ins:4} -> 32 64 128 256 512 1024: {found}", flush=True)


def main():
    if sys.argv[1:] == ["--turned"]:
        turned()
        return
    draw = np.random.default_rng(0)
    for rows, ins, outs in LAYERS:
        x, w, g = (draw.normal(size=s).astype("f4") for s in ((rows, ins), (outs, ins), (rows, outs)))
        out, x_grad, w_grad = np.empty_like(g), np.empty_like(x), np.empty_like(w)
        if outs == 1:
            loops = [("nt_column", matmul.nt_column, (x, w, out))]
        else:
            loops = [("nt", matmul.nt, (x, w, np.empty((ins, outs), "f4"), out))]
        loops += [("nn", matmul.nn, (g, w, x_grad)), ("tn", matmul.tn, (g, x, w_grad))]
        for name, kernel, arguments in loops:
            blas = getattr(matmul, f"{name[:2]}_blas")
            without_scratch = (*arguments[:2], arguments[-1])
            one, other = microseconds(kernel, *arguments), microseconds(blas, *without_scratch)
            print(
                f"{rows:4} x {ins:4} -> {outs:4}  {rows * ins * outs:7}  {name:9} loops {one:8.3f}  BLAS {other:8.3f}"
                f"  {one / other:5.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
