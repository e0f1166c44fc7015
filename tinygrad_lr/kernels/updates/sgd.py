"""Gradient descent, plain, with momentum and with Nesterov's momentum.

    plain      theta <- theta - lr g
    momentum   b <- mu b + gain g ;  theta <- theta - rate b
    Nesterov   b <- mu b + gain g ;  theta <- theta - rate (mu b + fresh g)

Sources: Polyak, USSR Comp. Math. 4 (1964) for momentum; Nesterov, Soviet Math. Doklady 27 (1983), in the form of
Sutskever, Martens, Dahl and Hinton, ICML 2013. There the learning rate stands inside the buffer: gain = lr,
rate = 1, fresh = lr. With the rate outside (torch): gain = 1, rate = lr, fresh = 1. Dampening multiplies the gain.

Scalars from the host: sign (-1 to maximise), weight_decay (coupled, added to g), shrink = 1 - lr * weight_decay
(decoupled; 1 without). With sign = 1, weight_decay = 0 and shrink = 1 they change no bit.
"""

from .._jit import compiled
from .._kernel import Kernel


@compiled
def rule(param, grad, lr, sign, weight_decay, shrink):
    grad = sign * grad + weight_decay * param
    return (shrink * param - lr * grad,)


@compiled
def momentum_rule(param, grad, buffer, rate, momentum, gain, sign, weight_decay, shrink):
    grad = sign * grad + weight_decay * param
    buffer = momentum * buffer + gain * grad
    return shrink * param - rate * buffer, buffer


@compiled
def nesterov_rule(param, grad, buffer, rate, momentum, gain, fresh, sign, weight_decay, shrink):
    grad = sign * grad + weight_decay * param
    buffer = momentum * buffer + gain * grad
    return shrink * param - rate * (momentum * buffer + fresh * grad), buffer


KERNELS = {
    "plain": Kernel(rule, ()),
    "momentum": Kernel(momentum_rule, ("momentum_buffer",)),
    "nesterov": Kernel(nesterov_rule, ("momentum_buffer",)),
}
