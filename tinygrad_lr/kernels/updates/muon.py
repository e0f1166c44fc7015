"""Muon: Jordan et al., 2024, kellerjordan.github.io/posts/muon.

    B <- mu B + gain g;  O = ahead B + fresh g
    X = O / max(norm(O) + eps, least);  count times: A = X X^T, X <- first X + (second A + third A^2) X
    theta <- shrink theta - lr scale X,  scale = sqrt(max(rows, columns) / divisor)

Scalars from the host, which say what the libraries do otherwise: an average (gain = 1 - mu) or a sum (gain = 1), with
Nesterov's momentum (ahead = mu) or without (ahead = 1, fresh = 0), corrected for its start or not. One of `eps` and
`least` is 0. The divisor is by_rows rows + by_columns columns + fixed, of which two terms are 0.
"""

from .._jit import compiled, maximum, sqrt
from .._matrices import MatrixKernel


@compiled
def measure(
    param,
    grad,
    buffer,
    number,
    lr,
    momentum,
    gain,
    ahead,
    fresh,
    eps,
    least,
    sign,
    shrink,
    first,
    second,
    third,
    count,
    by_rows,
    by_columns,
    fixed,
):
    grad = sign * grad
    buffer = momentum * buffer + gain * grad
    o = ahead * buffer + fresh * grad
    return buffer, o, o, o, o


@compiled
def decide(
    total,
    rows,
    columns,
    lr,
    momentum,
    gain,
    ahead,
    fresh,
    eps,
    least,
    sign,
    shrink,
    first,
    second,
    third,
    count,
    by_rows,
    by_columns,
    fixed,
):
    divisor = by_rows * rows + by_columns * columns + fixed
    return maximum(sqrt(total) + eps, least), sqrt(maximum(rows, columns) / divisor)


@compiled
def begin(
    x,
    grad,
    buffer,
    size,
    lr,
    momentum,
    gain,
    ahead,
    fresh,
    eps,
    least,
    sign,
    shrink,
    first,
    second,
    third,
    count,
    by_rows,
    by_columns,
    fixed,
):
    return (ahead * buffer + fresh * (sign * grad)) / size, buffer


@compiled
def polynomial(
    square,
    gram,
    lr,
    momentum,
    gain,
    ahead,
    fresh,
    eps,
    least,
    sign,
    shrink,
    first,
    second,
    third,
    count,
    by_rows,
    by_columns,
    fixed,
):
    return (second * gram + third * square,)


@compiled
def advance(
    x,
    product,
    lr,
    momentum,
    gain,
    ahead,
    fresh,
    eps,
    least,
    sign,
    shrink,
    first,
    second,
    third,
    count,
    by_rows,
    by_columns,
    fixed,
):
    return (first * x + product,)


@compiled
def rule(
    param,
    x,
    scale,
    lr,
    momentum,
    gain,
    ahead,
    fresh,
    eps,
    least,
    sign,
    shrink,
    first,
    second,
    third,
    count,
    by_rows,
    by_columns,
    fixed,
):
    return (shrink * param - lr * scale * x,)


KERNELS = {
    "plain": MatrixKernel(
        rule, ("momentum_buffer",), measure=measure, decide=decide, begin=begin, polynomial=polynomial, advance=advance
    )
}
