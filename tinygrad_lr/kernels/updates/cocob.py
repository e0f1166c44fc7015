"""COCOB: Orabona and Tommasi, NeurIPS 2017, arXiv:1705.07795, Algorithm 2; the gradients are multiplied by lr.

    L <- max(L, |g|)
    G <- G + |g|
    R <- max(R - g (theta - theta_0), 0)
    C <- C - g
    theta <- theta_0 + C / (L max(G + L, alpha L)) (L + R)

L starts from a small number. Scalars from the host: `first` is 1 in a parameter's first step, which remembers theta_0,
and 0 later; `zero` is 0 in the arrays' dtype; sign and weight_decay (coupled) as in sgd.py.
"""

from .._jit import choose, compiled, maximum
from .._kernel import Kernel


@compiled
def rule(param, grad, start, scale, sizes, reward, total, lr, alpha, first, zero, sign, weight_decay):
    grad = lr * (sign * grad + weight_decay * param)
    start = choose(first > zero, param, start)
    size = choose(grad < zero, zero - grad, grad)
    scale = maximum(scale, size)
    sizes = sizes + size
    reward = maximum(zero, reward - grad * (param - start))
    total = total - grad
    step = total / (scale * maximum(alpha * scale, sizes + scale)) * (scale + reward)
    return start + step, start, scale, sizes, reward, total


KERNELS = {"plain": Kernel(rule, ("p0", "L", "G", "R", "C"))}
