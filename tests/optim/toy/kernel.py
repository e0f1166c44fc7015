"""Toy: m <- mu m + (1 - mu) g; theta <- theta - lr m."""

from tinygrad_lr.kernels import Kernel, compiled


@compiled
def rule(param, grad, average, lr, momentum, rest, sign):
    average = momentum * average + rest * (sign * grad)
    return param - lr * average, average


KERNELS = {"plain": Kernel(rule, ("exp_avg",))}
