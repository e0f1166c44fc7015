"""Every row beside torch at the edges: 0, -0, infinities, NaN, the largest and the smallest numbers; no elements, one
number, repeated axes. Values and gradients, in float32 and float64.

tests/cases/torch_differences.py lists where another result is meant, and why.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from torch_differences import CALLS, DIFFERS

from tinygrad_lr import Tensor
from tinygrad_lr.engine.ops import OPS
from tinygrad_lr.engine.tensor import apply

torch = pytest.importorskip("torch", reason="torch says what is right at the edges: `pip install 'tinygrad_lr[peers]'`")

EDGES = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 1e-320, -1e-320, 1e-40, 1e30, 1e308, -1e308, np.inf, -np.inf, np.nan]
)
SHAPES = [
    ((), ()),
    ((0,), (1,)),
    ((2, 1), (3,)),
    ((), (2, 0)),
    ((1,), ()),
]  # two operands; the first alone where one is

# torch's function of each row that acts element by element, where it has another name.
THEIRS = {
    "neg": torch.neg,
    "at_least": torch.clamp_min,
    "at_most": torch.clamp_max,
    "root": torch.sqrt,
    "log1p": torch.log1p,
    "floor_divide": lambda a, b: torch.div(a, b, rounding_mode="floor"),
    "softplus": torch.nn.functional.softplus,
    "silu": torch.nn.functional.silu,
    "gelu": lambda a: torch.nn.functional.gelu(a.double()).to(a.dtype),  # of infinity it has NaN in float32 alone
    "gelu_tanh": lambda a: torch.nn.functional.gelu(a, approximate="tanh"),
}
# Rows one of whose inputs is an option in torch: tests/nn/test_losses.py and test_activations.py compare them.
WITH_OPTIONS = (
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "huber",
    "smooth_l1",
    "weighted",
    "leaky_relu",
    "elu",
)
WITH_OPTIONS += ("softplus_below",)


def functions():
    return [name for name, op in OPS.items() if op.rules and op.conditions == 0 and name not in WITH_OPTIONS]


def of_torch(name):
    return THEIRS.get(name) or getattr(torch, name)


def close(found, expected, dtype):
    """Within 4 units in the last place, or of the smallest number; NaN equals NaN."""
    limits = np.finfo(dtype)
    with np.errstate(all="ignore"):
        error = np.abs(found.astype(np.float64) - expected)
        near = error <= 32 * limits.eps * np.abs(expected) + 8 * float(limits.smallest_subnormal)
    return (found == expected) | (np.isnan(found) & np.isnan(expected)) | (near & np.isfinite(expected))


def compared(name, inputs, g):
    """For the values and each gradient: what we find, and what torch does."""
    ours = [Tensor(each, requires_grad=True) for each in inputs]
    theirs = [torch.tensor(each, requires_grad=True) for each in inputs]
    with np.errstate(all="ignore"):
        out, expected = apply(OPS[name], tuple(ours)), of_torch(name)(*theirs)
        if g is None:
            g = np.ones(out.shape, out.dtype)
        out.backward(g)
    if expected.requires_grad:
        expected.backward(torch.tensor(g))
    yield "values", out.numpy(), expected.detach().numpy()
    for i, (x, y) in enumerate(zip(ours, theirs, strict=True)):
        yield i, x.grad, np.zeros(y.shape, x.dtype) if y.grad is None else y.grad.numpy()


@pytest.mark.filterwarnings("ignore:.* encountered in .*:RuntimeWarning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", functions())
def test_edges_are_those_of_torch(name, dtype):
    with np.errstate(over="ignore"):
        edges = EDGES.astype(dtype)
    count = len(OPS[name].vjps)
    gradients = np.array([1.0, -2.0, np.inf, np.nan], dtype)
    *inputs, g = (each.ravel().copy() for each in np.meshgrid(*[edges] * count, gradients))
    for part, found, expected in compared(name, inputs, g):
        allowed = np.zeros(found.shape, bool)
        for each in DIFFERS:
            if (each.row, each.part) == (name, part):
                allowed |= each.where(g, *inputs)
        wrong = ~close(found, expected, dtype) & ~allowed
        shown = [
            (*(x[i] for x in inputs), g[i], found[i], expected[i]) for i in itertools.islice(np.flatnonzero(wrong), 12)
        ]
        assert not wrong.any(), f"{name}, {part}, {wrong.sum()} differ (inputs, g, ours, torch's): " + "\n".join(
            map(str, shown)
        )


@pytest.mark.parametrize("name", functions())
def test_no_elements_one_number_and_repeated_axes_are_as_in_torch(name):
    count, (low, high) = len(OPS[name].vjps), OPS[name].domain[0]
    rng = np.random.default_rng(0)
    for shapes in SHAPES:
        inputs = [np.asarray(rng.uniform(max(low, 0.6), high, shape).astype("f4")) for shape in shapes[:count]]
        for part, found, expected in compared(name, inputs, None):
            assert found.shape == expected.shape and found.dtype == expected.dtype, (shapes, part)
            assert close(found, expected, "float32").all(), (shapes, part, found, expected)


@pytest.mark.filterwarnings("ignore:.* encountered in .*:RuntimeWarning")
def test_every_difference_is_one():
    """What DIFFERS allows does differ."""
    for each in DIFFERS:
        count = len(OPS[each.row].vjps)
        *inputs, g = (x.ravel().copy() for x in np.meshgrid(*[EDGES] * count, np.array([1.0, np.inf, np.nan])))
        ((found, expected),) = [(a, b) for part, a, b in compared(each.row, inputs, g) if part == each.part]
        where = each.where(g, *inputs)
        assert (~close(found, expected, "float64") & where).any(), each


@pytest.mark.filterwarnings("ignore:.* encountered in .*:RuntimeWarning", "ignore:.*degrees of freedom")
@pytest.mark.parametrize("which", CALLS, ids=lambda each: each.name)
def test_every_call_that_differs_does(which):
    def result(call, made):
        try:
            with np.errstate(all="ignore"):
                out = call(made)
                out.sum().backward()
        except (RuntimeError, ValueError) as error:
            return type(error).__name__
        return np.asarray(made.grad)

    whole = which.given.dtype.kind != "f"
    ours = result(which.ours, Tensor(which.given, not whole))
    theirs = result(which.theirs, torch.tensor(which.given, requires_grad=not whole))
    assert isinstance(ours, str) or isinstance(theirs, str) or not close(ours, theirs, "float64").all(), (ours, theirs)
