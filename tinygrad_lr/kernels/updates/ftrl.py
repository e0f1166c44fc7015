"""FTRL-Proximal: McMahan et al., KDD 2013, "Ad Click Prediction: a View from the Trenches", Algorithm 1.

    sigma = (sqrt(n + g * g) - sqrt(n)) / lr + (sqrt(n) + beta) change
    z <- z + g - sigma theta
    n <- n + g * g
    theta <- (clip(z, -l1, l1) - z) / ((beta + sqrt(n)) / lr + l2)

At lr = 0 nothing is defined, and nothing changes. Scalars from the host: inverse = 1 / lr, and 0 at lr = 0; change =
1 / lr - 1 / (the lr before), so that sigma is what 1 / eta, eta = lr / (beta + sqrt(n)), grew by, as section 3 has it;
it is 0 at a constant rate, and where the dialect leaves it out (keras). l2 is doubled where the dialect says so
(keras); `zero` is 0 in the arrays' dtype; sign as in sgd.py.
"""

from .._jit import choose, compiled, sqrt
from .._kernel import Kernel


@compiled
def rule(param, grad, before, linear, inverse, change, beta, l1, l2, zero, sign):
    grad = sign * grad
    n = before + grad * grad
    root, root_before = sqrt(n), sqrt(before)
    sigma = (root - root_before) * inverse + (root_before + beta) * change
    z = linear + (grad - sigma * param)
    clipped = choose(z > l1, l1, choose(z < zero - l1, zero - l1, z))
    moved = (clipped - z) / ((root + beta) * inverse + l2)
    return choose(inverse > zero, moved, param), choose(inverse > zero, n, before), choose(inverse > zero, z, linear)


KERNELS = {"plain": Kernel(rule, ("accumulator", "linear"))}
