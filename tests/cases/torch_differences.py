"""Where a result is meant to differ from torch's, and why: the one list.

tests/engine/test_edges.py checks DIFFERS and CALLS, and tests/cases/parity/autograd.py APART; cases of losses say it
where they stand, in tests/cases/parity/torch_losses.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Difference:
    """Where a row gives something else than torch: "values" or the number of an input, when, and the reason."""

    row: str
    part: str | int
    where: Callable[..., Any]  # of the gradient that comes in, and the inputs
    reason: str


@dataclass
class CallThatDiffers:
    """A call of a Tensor, ours and torch's, whose gradient or error differs, and the reason."""

    name: str
    given: np.ndarray
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    reason: str


def overflows(g, a, b):
    """Where a quotient is no number that can be written down."""
    with np.errstate(all="ignore"):
        return ~np.isfinite(a / b)


SELECTED = "a gradient of 0 is selected; torch multiplies by it: inf * 0 is NaN"
DIFFERS = [
    Difference("abs", 0, lambda g, a: a == 0, SELECTED),
    Difference("abs", 0, lambda g, a: np.isnan(a), "NaN goes through; torch takes 0 for its sign"),
    Difference("sign", "values", lambda g, a: np.isnan(a), "NaN goes through; torch takes 0 for its sign"),
    Difference("atan2", 0, lambda g, a, b: a * a + b * b == 0, SELECTED),
    Difference("atan2", 1, lambda g, a, b: a * a + b * b == 0, SELECTED),
    Difference("pow", 1, lambda g, a, b: (a == 0) & (b >= 0), SELECTED),
    Difference("remainder", "values", overflows, "NumPy's is exact; torch's is NaN where the quotient overflows"),
    Difference("root", 0, lambda g, a: a == 0, "a row of norm and std, whose derivative at 0 is 0 in torch too"),
]
CALLS = [
    CallThatDiffers(
        "softmax of an infinite element",
        np.array([[np.inf, 0.0, 1.0]]),
        lambda t: t.log_softmax(1).clip(min=-9) * t.softmax(1),
        lambda t: t.log_softmax(1).clip(min=-9) * t.softmax(1),
        "an infinite logit has the values of the limit, 1 and 0; torch gives NaN",
    ),
    CallThatDiffers(
        "amax of NaN",
        np.array([[1.0, np.nan]]),
        lambda t: t.amax(dim=1),
        lambda t: t.amax(dim=1),
        "the NaN takes the gradient, as in torch's max(); in its amax all of the axis becomes NaN",
    ),
    CallThatDiffers(
        "prod with infinities",
        np.array([np.inf, 2.0]),
        lambda t: t.prod(),
        lambda t: t.prod(),
        "the gradient is the product of the others; torch divides by the element: inf / inf",
    ),
    CallThatDiffers(
        "mean of no elements",
        np.zeros(0),
        lambda t: t.mean(),
        lambda t: t.mean(),
        "an error that names the empty batch; torch gives NaN",
    ),
]


def is_nan(x: float) -> bool:
    return x != x


# Where torch is otherwise: the op and the dtypes, at which points, and why ours stays.
Apart = tuple[Callable[..., bool], str]
BOTH = ("float32", "float64")
APART: dict[tuple[str, str], Apart] = {
    **{("abs", dtype): (is_nan, "the gradient at NaN is NaN; torch gives 0") for dtype in BOTH},
    **{("sign", dtype): (is_nan, "the sign of NaN is NaN, as in NumPy; torch gives 0") for dtype in BOTH},
    **{
        ("a ** 0.5", dtype): (
            lambda x: bool(x <= -1e308 or (x == 0 and np.signbit(x)) or x == -1e-320),
            "0.5 * a ** -0.5 is infinite at -0 and 0 at -infinity by IEEE 754; torch has -infinity and NaN",
        )
        for dtype in BOTH
    },
    ("a % b", "float64"): (
        lambda a, b: abs(a) < np.inf and b != 0 and abs(a) > abs(b) * 1.7e308,
        "a remainder is exact; torch divides, which overflows, and gives NaN",
    ),
}
