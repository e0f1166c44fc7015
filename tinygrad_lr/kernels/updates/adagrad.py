"""AdaGrad: Duchi, Hazan and Singer, Journal of Machine Learning Research 12 (2011), pages 2121-2159.

    G <- G + g * g
    theta <- theta - lr g / (sqrt(G + eps_in) + eps_out)

One of `eps_in` (the article: inside the root) and `eps_out` (the paper and torch: outside) is zero, so that the
placement of epsilon needs no branch. Scalars from the host: lr (torch's lr_decay already applied), sign, weight_decay
and shrink as in sgd.py.
"""

from .._jit import compiled, sqrt
from .._kernel import Kernel


@compiled
def rule(param, grad, total, lr, eps_in, eps_out, sign, weight_decay, shrink):
    grad = sign * grad + weight_decay * param
    total = total + grad * grad
    return shrink * param - lr * grad / (sqrt(total + eps_in) + eps_out), total


KERNELS = {"plain": Kernel(rule, ("sum",))}
