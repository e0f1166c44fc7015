"""SM3: Anil, Gupta, Koren and Singer, NeurIPS 2019, arXiv:1901.11150, SM3-II.

v = min(R, C) + g^2 of a matrix, with R, C of its row and column;  v = V + g^2 of a vector
m <- mu m + (1 - mu) g / sqrt(v + eps), and 0 for the quotient where v is 0
theta <- theta - lr m
R, C <- the largest v of each row and column;  V <- v
"""

import numpy as np

from .._factored import (
    COLUMN,
    COLUMN_OF,
    COLUMNS_OF,
    FIRST,
    HEIGHT,
    LAST,
    PART,
    ROW,
    START,
    VECTOR,
    WIDTH,
    FactoredKernel,
)
from .._jit import choose, compiled, maximum, minimum, over_arrays, sqrt

SCALARS = ("sign", "lr", "momentum", "one_minus_momentum", "eps", "zero", "one")


@compiled
def rule(param, grad, m, below, lr, momentum, one_minus_momentum, eps, zero, one):
    """Theta, m and v of an element, of which v is at least `below`."""
    v = below + grad * grad
    u = choose(v == zero, zero, grad / sqrt(choose(v == zero, one, v) + eps))
    m = momentum * m + one_minus_momentum * u
    return param - lr * m, m, v


@compiled
def steps(
    k,
    counts,
    pieces,
    matrices,
    firsts,
    sizes,
    sums,
    parts,
    factors,
    row_factors,
    column_factors,
    sign,
    lr,
    momentum,
    one_minus_momentum,
    eps,
    zero,
    one,
    param,
    grad,
    row_max,
    column_max,
    accumulator,
    momentum_buffer,
):
    """Of a piece: theta and m, the rows' largest v or a vector's, and the largest v of columns."""
    start, width, row, column, part = (
        pieces[k, START],
        pieces[k, WIDTH],
        pieces[k, ROW],
        pieces[k, COLUMN],
        pieces[k, PART],
    )
    for j in range(part, part + 2 * width):
        parts[np.uint64(j)] = 0.0
    for i in range(pieces[k, HEIGHT]):
        if row >= 0:
            least = row_max[row + i]
            for j in range(width):
                at, of = np.uint64(start + i * width + j), np.uint64(part + j)
                below = minimum(least, column_max[np.uint64(column + j)])
                param[at], momentum_buffer[at], v = rule(
                    param[at],
                    sign * grad[at],
                    momentum_buffer[at],
                    below,
                    lr,
                    momentum,
                    one_minus_momentum,
                    eps,
                    zero,
                    one,
                )
                parts[of] = maximum(parts[of], np.float64(v))
                parts[np.uint64(part + width + j)] = v
            largest = 0.0
            for j in range(part + width, part + 2 * width):
                largest = maximum(largest, parts[np.uint64(j)])
            row_max[row + i] = largest
        else:
            for j in range(width):
                at, of = np.uint64(start + j), np.uint64(pieces[k, VECTOR] + j)
                param[at], momentum_buffer[at], accumulator[of] = rule(
                    param[at],
                    sign * grad[at],
                    momentum_buffer[at],
                    accumulator[of],
                    lr,
                    momentum,
                    one_minus_momentum,
                    eps,
                    zero,
                    one,
                )


@compiled
def columns(
    k,
    counts,
    pieces,
    matrices,
    firsts,
    sizes,
    sums,
    parts,
    factors,
    row_factors,
    column_factors,
    sign,
    lr,
    momentum,
    one_minus_momentum,
    eps,
    zero,
    one,
    param,
    grad,
    row_max,
    column_max,
    accumulator,
    momentum_buffer,
):
    """Of a matrix: the largest v of its columns."""
    for j in range(matrices[k, COLUMNS_OF]):
        largest = 0.0
        for piece in range(matrices[k, FIRST], matrices[k, LAST]):
            largest = maximum(largest, parts[pieces[piece, PART] + j])
        column_max[matrices[k, COLUMN_OF] + j] = largest


rule_of, minimum_of = over_arrays(rule), over_arrays(minimum)


def over_numpy(
    counts,
    pieces,
    matrices,
    firsts,
    sizes,
    sums,
    parts,
    factors,
    row_factors,
    column_factors,
    sign,
    lr,
    momentum,
    one_minus_momentum,
    eps,
    zero,
    one,
    param,
    grad,
    row_max,
    column_max,
    accumulator,
    momentum_buffer,
):
    """Both stages over whole arrays: the same operations, and so the same bits."""
    scalars = lr, momentum, one_minus_momentum, eps, zero, one
    for first, last, height, width, row, column in matrices.tolist():
        if first == last:
            column_max[column : column + width] = 0.0
            continue
        start = pieces[first, START]
        rows, places = slice(row, row + height), slice(column, column + width)
        block = slice(start, start + height * width)
        theta, g, m = (array[block].reshape(height, width) for array in (param, grad, momentum_buffer))
        below = minimum_of(row_max[rows, None], column_max[None, places])
        theta[:], m[:], v = rule_of(theta, sign * g, m, below, *scalars)
        row_max[rows], column_max[places] = np.max(v, axis=1, initial=0.0), np.max(v, axis=0, initial=0.0)
    for _, start, _, width, row, _, vector, _ in pieces.tolist():
        if row < 0:
            at, of = slice(start, start + width), slice(vector, vector + width)
            param[at], momentum_buffer[at], accumulator[of] = rule_of(
                param[at], sign * grad[at], momentum_buffer[at], accumulator[of], *scalars
            )


FORMS = {"row_max": "rows", "column_max": "columns", "accumulator": "vector"}
KERNELS = {
    "plain": FactoredKernel(
        rule,
        (*FORMS, "momentum_buffer"),
        scalar_names=SCALARS,
        stages=(("pieces", steps), ("matrices", columns)),
        forms=FORMS,
        numpy_stages=over_numpy,
    )
}
