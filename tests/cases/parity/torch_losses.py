"""What torch's documentation and tests of its losses show: examples of each loss, its reductions, shapes and options.

Values and gradients are those of torch on the same numbers, to the rounding of sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from .autograd import Sides, agree, numbers
from .cases import Case

SUITE = "torch.nn losses"
NOT_APPLICABLE = {
    "size_average, reduce": "deprecated in torch; reduction says the same",
    "other losses (CTC, Poisson, triplets, margins, KL)": "not built",
    "half precision, complex and sparse inputs": "Tensors hold float32, float64, int64 and bool",
}
Row = tuple[str, Callable[[], None], str]
REDUCTIONS = ("mean", "sum", "none")
SHAPES = [(), (1,), (5,), (3, 5), (2, 3, 4)]
EMPTY = "a mean over no elements is an error that names the empty batch; torch gives NaN"
BROADCAST = "shapes that differ are an error: (n, 1) against (n,) would compare every pair; torch warns and broadcasts"
LIMIT = "the loss of an infinite logit is its limit; torch gives NaN"


def loss(build: Callable[[Any, Any], Any], given: np.ndarray, target: np.ndarray) -> None:
    """A loss module on an input and a target, with its gradients for the input and for a target of floats."""
    import torch

    from tinygrad_lr import nn, tensor

    floats = target.dtype.kind == "f"
    sides = Sides(given, target) if floats else Sides(given)
    ours, theirs = build(nn, tensor), build(torch.nn, torch.tensor)
    if floats:
        sides.compare(ours, theirs, 64)
    else:
        sides.compare(lambda x: ours(x, tensor(target)), lambda x: theirs(x, torch.tensor(target)), 64)


def share(*shape: int) -> np.ndarray:
    """Numbers from 0 to 1."""
    return np.abs(numbers(*shape)) / 2


def probabilities(*shape: int) -> np.ndarray:
    """Numbers above 0 whose sums over the classes are 1."""
    found = share(*shape) + 0.1
    return found / found.sum(axis=min(len(shape) - 1, 1), keepdims=True)


def classes(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape, dtype=int)).reshape(shape) * 7 % 3


REGRESSION: dict[str, Callable[[Any, str], Any]] = {
    "L1Loss": lambda nn, how: nn.L1Loss(reduction=how),
    "MSELoss": lambda nn, how: nn.MSELoss(reduction=how),
    "SmoothL1Loss": lambda nn, how: nn.SmoothL1Loss(reduction=how),
    "SmoothL1Loss, beta=0.5": lambda nn, how: nn.SmoothL1Loss(reduction=how, beta=0.5),
    "SmoothL1Loss, beta=0": lambda nn, how: nn.SmoothL1Loss(reduction=how, beta=0.0),
    "HuberLoss": lambda nn, how: nn.HuberLoss(reduction=how),
    "HuberLoss, delta=0.5": lambda nn, how: nn.HuberLoss(reduction=how, delta=0.5),
}
OPTIONS_OF_TWO: dict[str, Callable[[Any], dict[str, Any]]] = {
    "no options": lambda make: {},
    "weight": lambda make: {"weight": make([0.5, 2.0, 1.0, 0.0, 3.0])},
    "pos_weight": lambda make: {"pos_weight": make([0.5, 2.0, 1.0, 0.0, 3.0])},
}
OPTIONS_OF_MANY: dict[str, Callable[[Any], dict[str, Any]]] = {
    "no options": lambda make: {},
    "weight": lambda make: {"weight": make([0.5, 2.0, 1.0])},
    "label_smoothing": lambda make: {"label_smoothing": 0.1},
    "weight, label_smoothing": lambda make: {"weight": make([0.5, 2.0, 1.0]), "label_smoothing": 0.5},
    "ignore_index": lambda make: {"ignore_index": 1},
}


def all_cases() -> Iterable[Row]:
    for name, build in REGRESSION.items():
        for how in REDUCTIONS:
            for shape in SHAPES:
                given = np.asarray(numbers(*shape))
                run = partial(loss, lambda nn, make, b=build, r=how: b(nn, r), given, np.flip(given) * 0.75)
                yield f"{name}, {how}, {shape}: values", run, ""
            empty = np.zeros((0, 3))
            run = partial(loss, lambda nn, make, b=build, r=how: b(nn, r), empty, empty)
            yield f"{name}, {how}: no elements", run, EMPTY if how == "mean" else ""
        run = partial(loss, lambda nn, make, b=build: b(nn, "sum"), numbers(4, 1), numbers(1, 4))
        yield f"{name}: shapes that broadcast", run, BROADCAST
    yield from of_two_classes()
    yield from of_classes()
    yield from documented()


def of_two_classes() -> Iterable[Row]:
    def made(nn: Any, make: Any, options: Any, how: str) -> Any:
        double = lambda values: make(np.array(values))  # noqa: E731
        return nn.BCEWithLogitsLoss(reduction=how, **options(double))

    for name, options in OPTIONS_OF_TWO.items():
        for how in REDUCTIONS:
            for shape in ((5,), (4, 5)):
                run = partial(loss, partial(made, options=options, how=how), numbers(*shape) * 3, share(*shape))
                yield f"BCEWithLogitsLoss, {name}, {how}, {shape}: values", run, ""
    for y in (0.0, 1.0):
        for x, why in ((1e4, ""), (-1e4, ""), (1e308, ""), (np.inf, LIMIT if y else ""), (-np.inf, LIMIT)):
            run = partial(finite_as_torchs, np.array([x]), np.array([y]))
            yield f"BCEWithLogitsLoss, {x} and {y}: extreme logits", run, why


def finite_as_torchs(x: np.ndarray, y: np.ndarray) -> None:
    """The loss without the target's gradient, which is infinite for an infinite logit."""
    import torch

    from tinygrad_lr import nn, tensor

    sides = Sides(x)
    sides.compare(
        lambda x: nn.BCEWithLogitsLoss()(x, tensor(y)), lambda x: torch.nn.BCEWithLogitsLoss()(x, torch.tensor(y))
    )


def of_classes() -> Iterable[Row]:
    def made(nn: Any, make: Any, name: str, options: Any, how: str) -> Any:
        double = lambda values: make(np.array(values))  # noqa: E731
        return getattr(nn, name)(reduction=how, **options(double))

    for option, options in OPTIONS_OF_MANY.items():
        for how in REDUCTIONS:
            build = partial(made, name="CrossEntropyLoss", options=options, how=how)
            for shape in ((3,), (5, 3), (2, 3, 4), (2, 3, 2, 2)):
                target = np.array(2) if len(shape) == 1 else classes(shape[0], *shape[2:])
                run = partial(loss, build, numbers(*shape) * 3, target)
                yield f"CrossEntropyLoss, {option}, {how}, {shape}: classes", run, ""
                if option != "ignore_index":
                    run = partial(loss, build, numbers(*shape) * 3, probabilities(*shape))
                    yield f"CrossEntropyLoss, {option}, {how}, {shape}: probabilities", run, ""
            if "smoothing" not in option:
                build = partial(made, name="NLLLoss", options=options, how=how)
                for shape in ((3,), (5, 3), (2, 3, 4)):
                    target = np.array(2) if len(shape) == 1 else classes(shape[0], *shape[2:])
                    yield (
                        f"NLLLoss, {option}, {how}, {shape}: classes",
                        partial(loss, build, numbers(*shape), target),
                        "",
                    )
    plain = partial(made, name="CrossEntropyLoss", options=OPTIONS_OF_MANY["no options"], how="mean")
    for name, logits, why in (
        ("1e4", [1e4, 0.0, -1e4], ""),
        ("the largest number", [1e308, -1e308, 0.0], ""),
        ("-infinity", [-np.inf, 0.0, 1.0], ""),
        ("infinity", [0.0, np.inf, 1.0], LIMIT),
        ("NaN", [0.0, np.nan, 1.0], ""),
    ):
        run = partial(loss, plain, np.array([logits]), np.array([1]))
        yield f"CrossEntropyLoss, {name}: extreme logits", run, why
    ignored = partial(loss, plain, numbers(2, 3), np.full(2, -100))
    yield "CrossEntropyLoss, all ignored: no elements", ignored, EMPTY


def documented() -> Iterable[Row]:
    """What the documentation of torch prints."""

    def pos_weight() -> None:
        from tinygrad_lr import full, nn, ones

        criterion = nn.BCEWithLogitsLoss(pos_weight=ones([64]))
        agree(np.round(criterion(full([10, 64], 1.5), ones([10, 64])).numpy(), 4), np.float32(0.2014), "the value", 1)

    def two_dimensions() -> None:
        from tinygrad_lr import nn, randn
        from tinygrad_lr.random import randint

        data = randn(8, 4, 6, 6, requires_grad=True)
        output = nn.NLLLoss()(data.log_softmax(dim=1), randint(0, 4, (8, 6, 6)))
        output.backward()
        assert output.shape == () and data.grad is not None and data.grad.shape == data.shape

    yield "BCEWithLogitsLoss, pos_weight: documented", pos_weight, ""
    yield "NLLLoss, images: documented", two_dimensions, ""


CASES = [Case(SUITE, *row) for row in all_cases()]
