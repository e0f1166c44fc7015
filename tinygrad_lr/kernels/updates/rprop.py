"""Rprop: Riedmiller and Braun, IEEE International Conference on Neural Networks 1993; iRprop-: Igel and Huesken, 2000.

    s = g g_before
    D <- D times eta_plus where s > 0, times eta_minus where s < 0, within [smallest, largest]
    where s < 0   Rprop takes the step before back, iRprop- stays; and g_before <- 0
    elsewhere     theta <- theta - D sign(g), and g_before <- g

The sign of 0 is 0, and that of NaN is NaN. Scalars from the host: `first` is 1 in a parameter's first step, whose D
starts from `initial`, and 0 later; `zero` and `one` in the arrays' dtype; sign as in sgd.py.
"""

from .._jit import choose, compiled, maximum
from .._kernel import Kernel


@compiled
def along_the_sign(x, size, zero):
    return choose(x > zero, size, choose(x < zero, zero - size, x * size))


@compiled
def adapted(size, agreement, eta_minus, eta_plus, smallest, largest, zero, one):
    factor = choose(agreement > zero, eta_plus, choose(agreement < zero, eta_minus, one + agreement))
    size = maximum(smallest, size * factor)
    return choose(size > largest, largest, size)


@compiled
def kept(grad, agreement, zero):
    return choose(agreement < zero, zero, choose(agreement >= zero, grad, agreement))


@compiled
def rule(param, grad, previous, size, initial, first, eta_minus, eta_plus, smallest, largest, zero, one, sign):
    agreement = sign * grad * previous
    size = adapted(choose(first > zero, initial, size), agreement, eta_minus, eta_plus, smallest, largest, zero, one)
    grad = kept(sign * grad, agreement, zero)
    return param - along_the_sign(grad, size, zero), grad, size


@compiled
def backtracking_rule(
    param, grad, previous, size, initial, first, eta_minus, eta_plus, smallest, largest, zero, one, sign
):
    agreement = sign * grad * previous
    before = choose(first > zero, initial, size)
    size = adapted(before, agreement, eta_minus, eta_plus, smallest, largest, zero, one)
    grad = kept(sign * grad, agreement, zero)
    back = choose(agreement < zero, along_the_sign(previous, before, zero), zero)
    return param - (along_the_sign(grad, size, zero) - back), grad, size


KERNELS = {
    "plain": Kernel(rule, ("prev", "step_size")),
    "backtracking": Kernel(backtracking_rule, ("prev", "step_size")),
}
