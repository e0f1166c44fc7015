"""Adamax: Kingma and Ba, ICLR 2015, arXiv:1412.6980, section 7.1, Algorithm 2.

    m <- beta1 m + (1 - beta1) g
    u <- max(beta2 u, |g| + eps_in)
    theta <- theta - rate m / (u + eps_out)

Scalars from the host: rate = lr / (1 - beta1^t); one of `eps_in` (torch, optax) and `eps_out` (keras) is zero; `zero`
is 0 in the arrays' dtype; sign, weight_decay and shrink as in sgd.py.
"""

from .._jit import choose, compiled, maximum
from .._kernel import Kernel


@compiled
def rule(param, grad, m, u, rate, beta1, one_minus_beta1, beta2, eps_in, eps_out, zero, sign, weight_decay, shrink):
    grad = sign * grad + weight_decay * param
    m = beta1 * m + one_minus_beta1 * grad
    u = maximum(beta2 * u, choose(grad < zero, zero - grad, grad) + eps_in)
    return shrink * param - rate * m / (u + eps_out), m, u


KERNELS = {"plain": Kernel(rule, ("exp_avg", "exp_inf"))}
