"""Loops that move and sum numbers, for compiled training: rows of a batch, gather, scatter, sums, extremes, choices.

All arrays are flat, where nothing else is said.

Every op that only selects, repeats or rearranges elements is `gather` with an array of places, and its vector-Jacobian
product is `scatter_add` with the same array. Totals run in float64 and are rounded once. Next: elementwise.py.
"""

import numpy as np

from .._jit import compiled


@compiled
def take_rows(table, order, start, out):
    """out[i] = table[order[start + i]], row by row; both have two axes."""
    for i in range(out.shape[0]):
        row = order[start + i]
        for k in range(out.shape[1]):
            out[i, k] = table[row, k]


@compiled
def copy(a, out):
    for i in range(out.size):
        out[i] = a[i]


@compiled
def add_to(a, out):
    for i in range(out.size):
        out[i] += a[i]


@compiled
def spread(a, out):
    """Every element becomes the single element of a."""
    value = a[0]
    for i in range(out.size):
        out[i] = value


@compiled
def divide(a, divisor, out):
    by = out.dtype.type(divisor)
    for i in range(out.size):
        out[i] = a[i] / by


@compiled
def gather(a, places, out):
    for i in range(out.size):
        out[i] = a[places[i]]


@compiled
def scatter_add(a, places, out):
    """out = 0, then out[places[i]] += a[i] in the order of i."""
    for i in range(out.size):
        out[i] = 0
    for i in range(a.size):
        out[places[i]] += a[i]


@compiled
def total(a, divisor, out):
    """out[0] = the sum of a, divided by divisor."""
    found = 0.0
    for i in range(a.size):
        found += a[i]
    out[0] = found / divisor


@compiled
def turn(a, out):
    """out[r, j] = a[j, r]."""
    for r in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[r, j] = a[j, r]


@compiled
def add_row(row, out):
    """Add the row to every row of out, which has two axes."""
    for r in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[r, j] += row[j]


@compiled
def column_sums(a, out):
    """out[j] = the sum over r of a[r, j], in the order of r."""
    for j in range(out.size):
        out[j] = 0
    for r in range(a.shape[0]):
        for j in range(a.shape[1]):
            out[j] += a[r, j]


@compiled
def squared_error(prediction, target, error, out):
    """error = prediction - target and out = its squares."""
    for i in range(error.size):
        error[i] = prediction[i] - target[i]
        out[i] = error[i] * error[i]


@compiled
def total_squared_error(prediction, target, divisor, error, out):
    """error = prediction - target and out[0] = the sum of its squares, divided by divisor."""
    found = 0.0
    for i in range(error.size):
        error[i] = prediction[i] - target[i]
        found += error[i] * error[i]
    out[0] = found / divisor


@compiled
def scaled_error(g, error, scale, out):
    """The gradient of a total: error * (g[0] * scale), the factor rounded once."""
    factor = error.dtype.type(g[0] * scale)
    for i in range(out.size):
        out[i] = error[i] * factor


@compiled
def scaled_errors(g, error, scale, out):
    """The gradient of the squares: error * (g * scale), element by element."""
    factor = error.dtype.type(scale)
    for i in range(out.size):
        out[i] = error[i] * (g[i] * factor)


@compiled
def largest(a, places, out):
    """out[p] = the largest a[i] with places[i] = p; NaN is larger than all."""
    for p in range(out.size):
        out[p] = -np.inf
    for i in range(a.size):
        if a[i] > out[places[i]] or a[i] != a[i]:
            out[places[i]] = a[i]


@compiled
def least(a, places, out):
    """out[p] = the least a[i] with places[i] = p; NaN is less than all."""
    for p in range(out.size):
        out[p] = np.inf
    for i in range(a.size):
        if a[i] < out[places[i]] or a[i] != a[i]:
            out[places[i]] = a[i]


@compiled
def product(a, places, out):
    """out[p] = the product of all a[i] with places[i] = p."""
    for p in range(out.size):
        out[p] = 1
    for i in range(a.size):
        out[places[i]] *= a[i]


@compiled
def product_back(g, a, places, running, out):
    """out[i] = g[p] times the product of the other a with places = p: of those before, and of those after."""
    for p in range(running.size):
        running[p] = 1
    for i in range(a.size):
        out[i] = running[places[i]]
        running[places[i]] *= a[i]
    for p in range(running.size):
        running[p] = g[p]
    for i in range(a.size - 1, -1, -1):
        out[i] *= running[places[i]]
        running[places[i]] *= a[i]


@compiled
def shared(g, value, a, places, counts, out):
    """g[p], shared by the elements with places[i] = p that equal value[p] or are NaN; 0 for the others."""
    for p in range(counts.size):
        counts[p] = 0
    for i in range(a.size):
        p = places[i]
        if a[i] == value[p] or a[i] != a[i]:
            counts[p] += 1
            out[i] = 1
        else:
            out[i] = 0
    for i in range(a.size):
        if out[i] != 0:
            out[i] = g[places[i]] / counts[places[i]]


@compiled
def choose(condition, a, b, out):
    """a where a condition holds, and b elsewhere."""
    for i in range(out.size):
        out[i] = a[i] if condition[i] else b[i]


@compiled
def chosen(condition, held, g, out):
    """g where a condition is as `held` says (1 or 0), and 0 elsewhere."""
    for i in range(out.size):
        if condition[i] == held:
            out[i] = g[i]
        else:
            out[i] = 0


@compiled
def put_columns(a, first, out):
    """The columns of a become those of out from the first on; both have two axes."""
    for r in range(a.shape[0]):
        for k in range(a.shape[1]):
            out[r, first + k] = a[r, k]


@compiled
def take_columns(a, first, out):
    """out = so many columns of a, from the first on; both have two axes."""
    for r in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[r, k] = a[r, first + k]


@compiled
def running_sums(a, out):
    """out[r, j, k] = the sum of a[r, 0, k] to a[r, j, k]; both have three axes."""
    for r in range(a.shape[0]):
        for j in range(a.shape[1]):
            for k in range(a.shape[2]):
                out[r, j, k] = a[r, j, k] if j == 0 else out[r, j - 1, k] + a[r, j, k]


@compiled
def running_sums_back(a, out):
    """out[r, j, k] = the sum of a[r, j, k] to the last one of its axis; both have three axes."""
    last = a.shape[1] - 1
    for r in range(a.shape[0]):
        for j in range(last, -1, -1):
            for k in range(a.shape[2]):
                out[r, j, k] = a[r, j, k] if j == last else out[r, j + 1, k] + a[r, j, k]
