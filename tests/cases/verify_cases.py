"""Optimizers that several tests of the kit use."""

import numpy as np

DESCENT = """
import numpy as np

class Descent:
    def __init__(self, params, lr=0.1):
        self.params, self.lr = params, lr
    def step(self, grads):
        for p, g in zip(self.params, grads):
            if g is not None:
                p -= p.dtype.type(self.lr) * self.used(g)
    def used(self, g):
        return g
"""


class OneCount:
    """Plain NumPy: one step count for all parameters."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.params, self.lr, self.betas, self.eps, self.t = params, lr, betas, eps, 0
        self.m, self.v = ([np.zeros_like(p) for p in params] for _ in range(2))

    def step(self, grads):
        self.t += 1
        b1, b2 = self.betas
        for p, g, m, v in zip(self.params, grads, self.m, self.v, strict=True):
            if g is not None:
                m[...] = b1 * m + (1 - b1) * g
                v[...] = b2 * v + (1 - b2) * g * g
                p -= self.lr * (m / (1 - b1**self.t)) / (np.sqrt(v / (1 - b2**self.t)) + self.eps)
