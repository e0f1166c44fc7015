"""Adafactor: Shazeer and Stern, ICML 2018, arXiv:1804.04235, Algorithms 4 and 5.

    R, C <- keep (R, C) + weight (means over rows and columns of g^2 + floor)
    V = R / mean(R) C of a matrix;  V <- keep V + weight (g^2 + floor) of a vector
    U = g / sqrt(V)
    theta <- shrink theta - factor U,  factor = max(rms(theta), least_scale) rate / max(rms(U) / threshold, 1)
    With momentum: m <- momentum m + (1 - momentum) factor U, and theta loses m

1 / sqrt(V) of a matrix is the product of a row's factor sqrt(mean(R) / R) and a column's 1 / sqrt(C), at most `most`.
Means and sums are taken in float64. Scalars from the host: weight = t^beta2_decay and keep = 1 - weight; `floor` is
epsilon where it is added to squares, `least_average`, `most` (1 / epsilon) and `least_variance` (its square) are what
is there where mean(R) and V are clamped (torch); `scales` is 0 where the parameter's rms is no factor; of lr_decay =
lr weight_decay and step_decay = weight_decay, by which shrink = 1 - lr_decay - step_decay max(rms(theta), ...) rate,
one is zero.
"""

import numpy as np

from .._factored import (
    COLUMN,
    COLUMN_OF,
    COLUMNS_OF,
    FIRST,
    HEIGHT,
    LAST,
    PARAM,
    PART,
    ROW,
    ROW_OF,
    ROWS_OF,
    START,
    VECTOR,
    WIDTH,
    FactoredKernel,
    column_sums_numpy,
    row_sum,
    row_sums_numpy,
)
from .._jit import choose, compiled, maximum, minimum, over_arrays, sqrt

SCALARS = (
    "sign",
    "keep",
    "weight",
    "floor",
    "least_average",
    "most",
    "least_variance",
    "rate",
    "least_scale",
    "scales",
    "lr_decay",
    "step_decay",
    "threshold",
    "momentum",
    "one_minus_momentum",
)


@compiled
def averaged(old, new, keep, weight):
    return keep * old + weight * new


@compiled
def rule(grad, v, least_variance):
    """U of an element of a vector."""
    return grad / sqrt(maximum(v, least_variance))


@compiled
def of_matrix(grad, row, column, most):
    """U of an element of a matrix."""
    return grad * minimum(row * column, most)


@compiled
def row_factor(row, average):
    return sqrt(average / row)


@compiled
def column_factor(column):
    return 1.0 / sqrt(column)


@compiled
def decided(squares, of_update, size, rate, least_scale, scales, lr_decay, step_decay, threshold):
    """The factor of U, and what theta shrinks by."""
    scale = choose(scales > 0.0, maximum(sqrt(squares / size), least_scale) * rate, rate)
    factor = scale / maximum(sqrt(of_update / size) / threshold, 1.0)
    return factor, 1.0 - (lr_decay + step_decay * scale)


@compiled
def stepped(param, u, factor, shrink):
    return shrink * param - factor * u


@compiled
def stepped_by_average(param, m, u, factor, shrink, momentum, one_minus_momentum):
    m = momentum * m + one_minus_momentum * (factor * u)
    return shrink * param - m, m


@compiled
def squares(
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
    keep,
    weight,
    floor,
    least_average,
    most,
    least_variance,
    rate,
    least_scale,
    scales,
    lr_decay,
    step_decay,
    threshold,
    momentum,
    one_minus_momentum,
    param,
    grad,
    row_var,
    col_var,
    variance,
    *more,
):
    """Of a piece: the averages of rows or of a vector, sums of squares of columns and of theta, and U^2 of a vector."""
    start, width, row, vector, part = (
        pieces[k, START],
        pieces[k, WIDTH],
        pieces[k, ROW],
        pieces[k, VECTOR],
        pieces[k, PART],
    )
    line, aside = part + width, part + 2 * width
    for j in range(part, part + 3 * width):
        parts[np.uint64(j)] = 0.0
    for i in range(pieces[k, HEIGHT]):
        for j in range(width):
            at = np.uint64(start + i * width + j)
            x, y = np.float64(sign * grad[at]), np.float64(param[at])
            parts[np.uint64(line + j)] = x * x + floor
            parts[np.uint64(aside + j)] += y * y
        if row >= 0:
            for j in range(width):
                parts[np.uint64(part + j)] += parts[np.uint64(line + j)]
            mean = param.dtype.type(row_sum(parts, line, width) / width)
            row_var[row + i] = averaged(row_var[row + i], mean, keep, weight)
        else:
            for j in range(width):
                at, of = np.uint64(vector + j), np.uint64(line + j)
                variance[at] = averaged(variance[at], param.dtype.type(parts[of]), keep, weight)
                u = np.float64(rule(sign * grad[np.uint64(start + j)], variance[at], least_variance))
                parts[of] = u * u
    sums[k, 0] = row_sum(parts, aside, width)
    sums[k, 1] = row_sum(parts, line, width) if row < 0 else 0.0


@compiled
def averages(
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
    keep,
    weight,
    floor,
    least_average,
    most,
    least_variance,
    rate,
    least_scale,
    scales,
    lr_decay,
    step_decay,
    threshold,
    momentum,
    one_minus_momentum,
    param,
    grad,
    row_var,
    col_var,
    variance,
    *more,
):
    """Of a matrix: its columns' averages, and the factors of rows and columns."""
    height, width, row, column = (
        matrices[k, ROWS_OF],
        matrices[k, COLUMNS_OF],
        matrices[k, ROW_OF],
        matrices[k, COLUMN_OF],
    )
    for j in range(width):
        total = 0.0
        for piece in range(matrices[k, FIRST], matrices[k, LAST]):
            total += parts[pieces[piece, PART] + j]
        mean = param.dtype.type(total / height)
        col_var[column + j] = averaged(col_var[column + j], mean, keep, weight)
        column_factors[column + j] = column_factor(np.float64(col_var[column + j]))
    total = 0.0
    for i in range(row, row + height):
        total += np.float64(row_var[i])
    average = maximum(total / height, np.float64(least_average))
    for i in range(row, row + height):
        row_factors[i] = row_factor(np.float64(row_var[i]), average)


@compiled
def updates(
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
    keep,
    weight,
    floor,
    least_average,
    most,
    least_variance,
    rate,
    least_scale,
    scales,
    lr_decay,
    step_decay,
    threshold,
    momentum,
    one_minus_momentum,
    param,
    grad,
    row_var,
    col_var,
    variance,
    *more,
):
    """Of a piece of a matrix: the sum of U^2."""
    start, width, row, column, part = (
        pieces[k, START],
        pieces[k, WIDTH],
        pieces[k, ROW],
        pieces[k, COLUMN],
        pieces[k, PART],
    )
    if row >= 0:
        for j in range(part, part + width):
            parts[np.uint64(j)] = 0.0
        for i in range(pieces[k, HEIGHT]):
            factor = row_factors[row + i]
            for j in range(width):
                grad_here = sign * grad[np.uint64(start + i * width + j)]
                u = np.float64(of_matrix(grad_here, factor, column_factors[np.uint64(column + j)], most))
                parts[np.uint64(part + j)] += u * u
        sums[k, 1] = row_sum(parts, part, width)


@compiled
def decisions(
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
    keep,
    weight,
    floor,
    least_average,
    most,
    least_variance,
    rate,
    least_scale,
    scales,
    lr_decay,
    step_decay,
    threshold,
    momentum,
    one_minus_momentum,
    param,
    grad,
    row_var,
    col_var,
    variance,
    *more,
):
    """Of a parameter: the factor of U, and what theta shrinks by."""
    of_theta, of_update = 0.0, 0.0
    for piece in range(firsts[k], firsts[k + 1]):
        of_theta += sums[piece, 0]
        of_update += sums[piece, 1]
    size = np.float64(max(sizes[k], 1))
    rates = np.float64(rate), np.float64(least_scale)  # plain Python's maximum would keep float32
    factors[k, 0], factors[k, 1] = decided(of_theta, of_update, size, *rates, scales, lr_decay, step_decay, threshold)


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
    keep,
    weight,
    floor,
    least_average,
    most,
    least_variance,
    rate,
    least_scale,
    scales,
    lr_decay,
    step_decay,
    threshold,
    momentum,
    one_minus_momentum,
    param,
    grad,
    row_var,
    col_var,
    variance,
):
    """Of a piece: theta."""
    start, width, row, column, vector = (
        pieces[k, START],
        pieces[k, WIDTH],
        pieces[k, ROW],
        pieces[k, COLUMN],
        pieces[k, VECTOR],
    )
    factor, shrink = factors[pieces[k, PARAM], 0], factors[pieces[k, PARAM], 1]
    for i in range(pieces[k, HEIGHT]):
        if row >= 0:
            for j in range(width):
                at = np.uint64(start + i * width + j)
                u = of_matrix(sign * grad[at], row_factors[row + i], column_factors[np.uint64(column + j)], most)
                param[at] = stepped(param[at], u, factor, shrink)
        else:
            for j in range(width):
                at = np.uint64(start + j)
                u = rule(sign * grad[at], variance[np.uint64(vector + j)], least_variance)
                param[at] = stepped(param[at], u, factor, shrink)


@compiled
def steps_by_average(
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
    keep,
    weight,
    floor,
    least_average,
    most,
    least_variance,
    rate,
    least_scale,
    scales,
    lr_decay,
    step_decay,
    threshold,
    momentum,
    one_minus_momentum,
    param,
    grad,
    row_var,
    col_var,
    variance,
    exp_avg,
):
    """Of a piece: theta and the average of its steps."""
    start, width, row, column, vector = (
        pieces[k, START],
        pieces[k, WIDTH],
        pieces[k, ROW],
        pieces[k, COLUMN],
        pieces[k, VECTOR],
    )
    factor, shrink = factors[pieces[k, PARAM], 0], factors[pieces[k, PARAM], 1]
    for i in range(pieces[k, HEIGHT]):
        if row >= 0:
            for j in range(width):
                at = np.uint64(start + i * width + j)
                u = of_matrix(sign * grad[at], row_factors[row + i], column_factors[np.uint64(column + j)], most)
                param[at], exp_avg[at] = stepped_by_average(
                    param[at], exp_avg[at], u, factor, shrink, momentum, one_minus_momentum
                )
        else:
            for j in range(width):
                at = np.uint64(start + j)
                u = rule(sign * grad[at], variance[np.uint64(vector + j)], least_variance)
                param[at], exp_avg[at] = stepped_by_average(
                    param[at], exp_avg[at], u, factor, shrink, momentum, one_minus_momentum
                )


rule_of, of_matrix_of, averaged_of, stepped_of, stepped_by_average_of, decided_of = (
    over_arrays(each) for each in (rule, of_matrix, averaged, stepped, stepped_by_average, decided)
)
row_factor_of, column_factor_of = over_arrays(row_factor), over_arrays(column_factor)


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
    keep,
    weight,
    floor,
    least_average,
    most,
    least_variance,
    rate,
    least_scale,
    scales,
    lr_decay,
    step_decay,
    threshold,
    momentum,
    one_minus_momentum,
    param,
    grad,
    row_var,
    col_var,
    variance,
    exp_avg=None,
):
    """All stages over whole arrays: the same operations in the same order, and so the same bits."""
    kind = param.dtype.type
    update = np.empty_like(param)
    for k in range(len(pieces)):
        number, start, height, width, row, _, vector, part = pieces[k].tolist()
        block = slice(start, start + height * width)
        g, theta = (array[block].reshape(height, width) for array in (grad, param))
        terms = np.square(sign * g, dtype=np.float64) + floor
        sums[k] = row_sums_numpy(column_sums_numpy(np.square(theta, dtype=np.float64))[None])[0], 0.0
        if row >= 0:
            parts[part : part + width] = column_sums_numpy(terms)
            rows = slice(row, row + height)
            row_var[rows] = averaged_of(row_var[rows], (row_sums_numpy(terms) / width).astype(kind), keep, weight)
        else:
            of = slice(vector, vector + width)
            variance[of] = averaged_of(variance[of], terms[0].astype(kind), keep, weight)
            update[block] = rule_of(sign * g[0], variance[of], least_variance)
            sums[k, 1] = row_sums_numpy(np.square(update[None, block], dtype=np.float64))[0]
    for first, last, height, width, row, column in matrices.tolist():
        rows, columns = slice(row, row + height), slice(column, column + width)
        found = np.zeros((1 + last - first, width))
        for i, piece in enumerate(range(first, last), start=1):
            found[i] = parts[pieces[piece, PART] : pieces[piece, PART] + width]
        mean = (column_sums_numpy(found) / height).astype(kind)
        col_var[columns] = averaged_of(col_var[columns], mean, keep, weight)
        column_factors[columns] = column_factor_of(col_var[columns].astype(np.float64))
        total = np.cumsum(np.append(0.0, row_var[rows].astype(np.float64)))[-1]
        average = maximum_of(total / height, np.float64(least_average))
        row_factors[rows] = row_factor_of(row_var[rows].astype(np.float64), average)
    for k in range(len(pieces)):
        _, start, height, width, row, column, _, _ = pieces[k].tolist()
        if row >= 0:
            block = slice(start, start + height * width)
            g = sign * grad[block].reshape(height, width)
            u = of_matrix_of(
                g, row_factors[row : row + height, None], column_factors[None, column : column + width], most
            )
            update[block] = u.reshape(-1)
            sums[k, 1] = row_sums_numpy(column_sums_numpy(np.square(u, dtype=np.float64))[None])[0]
    for p in range(len(sizes)):
        of_theta, of_update = np.cumsum(np.append([[0.0, 0.0]], sums[firsts[p] : firsts[p + 1]], axis=0), axis=0)[-1]
        size = np.float64(max(sizes[p], 1))
        factors[p] = decided_of(of_theta, of_update, size, rate, least_scale, scales, lr_decay, step_decay, threshold)
    for k in range(len(pieces)):
        number, start, height, width = pieces[k, :4].tolist()
        block, (factor, shrink) = slice(start, start + height * width), factors[number]
        if exp_avg is None:
            param[block] = stepped_of(param[block], update[block], factor, shrink)
        else:
            param[block], exp_avg[block] = stepped_by_average_of(
                param[block], exp_avg[block], update[block], factor, shrink, momentum, one_minus_momentum
            )


maximum_of = over_arrays(maximum)
FORMS = {"row_var": "rows", "col_var": "columns", "variance": "vector"}
BEFORE = (("pieces", squares), ("matrices", averages), ("pieces", updates), ("parameters", decisions))
KERNELS = {
    "plain": FactoredKernel(
        rule,
        tuple(FORMS),
        scalar_names=SCALARS,
        stages=(*BEFORE, ("pieces", steps)),
        forms=FORMS,
        numpy_stages=over_numpy,
    ),
    "momentum": FactoredKernel(
        rule,
        (*FORMS, "exp_avg"),
        scalar_names=SCALARS,
        stages=(*BEFORE, ("pieces", steps_by_average)),
        forms=FORMS,
        numpy_stages=over_numpy,
    ),
}
