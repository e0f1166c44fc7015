"""An estimate of the Hessian's diagonal enters Sophia-H's average: arXiv:2305.14342, Algorithm 3.

    h <- beta2 h + (1 - beta2) estimate

The loops are those of all updates (_kernel.py): h stands where they have the parameter, the estimate where they have
the gradient. `sign` is -1 where the objective is maximised, as in sgd.py.
"""

from .._jit import compiled
from .._kernel import Kernel


@compiled
def averaged(h, estimate, beta2, one_minus_beta2, sign):
    return (beta2 * h + one_minus_beta2 * (sign * estimate),)


AVERAGE = Kernel(averaged, ())
