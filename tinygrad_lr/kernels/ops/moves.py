"""Loops that move and sum numbers, for compiled training: rows of a batch, gather, scatter, sums. All arrays are flat.

Every op that only selects, repeats or rearranges elements is `gather` with an array of places, and its vector-Jacobian
product is `scatter_add` with the same array. Totals run in float64 and are rounded once. Next: elementwise.py.
"""

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
