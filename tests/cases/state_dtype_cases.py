"""Adam with its moments in fewer bytes, for the tests of it: subjects, and parameters of several blocks."""

import numpy as np
import pytest

from tinygrad_lr import optim
from tinygrad_lr.kernels import _jit
from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.protocol import Case

SHORT = ["bfloat16", "int8"]
every_short = pytest.mark.parametrize("state_dtype", SHORT)
# Uncompiled, a block of 256 is as many turns of Python: there the loops are held to NumPy's bits in one test alone.
FASTEST = "numpy" if _jit.COMPILER_IS_OFF else "numba"
every_backend = pytest.mark.parametrize("backend", ["numpy"] if _jit.COMPILER_IS_OFF else ["numba", "numpy"])


def own(state_dtype, backend=FASTEST, cls=optim.Adam, dialect="article"):
    return adapters.own(cls, dialect=dialect, backend=backend, state_dtype=state_dtype)


def stepped(state_dtype, params, gradients, backend=FASTEST, **hyperparameters):
    """The subject after these gradients (a list for each step, or one array for a single parameter)."""
    subject = own(state_dtype, backend)(params, **hyperparameters)
    for grads in gradients:
        subject.step(grads if isinstance(grads, list) else [grads])
    return subject


def moments(subject, i=0):
    return subject.storage.decoded(subject.get_state()["state"][i], np.float64)


def long_case(spec, dtype, seed=0, sizes=(600, 256, 5), steps=3):
    """Parameters of several blocks, the last ones short."""
    rng = np.random.default_rng(seed)
    params = [rng.normal(size=n).astype(dtype) for n in sizes]
    scales = [10.0 ** rng.uniform(-3, 3, size=n) for n in sizes]
    gradients = [[(s * rng.normal(size=s.size)).astype(dtype) for s in scales] for _ in range(steps)]
    gradients[1][1] = None
    return Case(spec, params, gradients)
