"""What torch's tests expect of an optimizer (test/test_optim.py), over torch's configurations of the optimizers here.

The configurations are those of torch 2.13 (torch/testing/_internal/common_optimizers.py), without its arguments for
other implementations of one formula. Every expectation runs on each of them, in float64.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from tinygrad_lr import Tensor, no_grad, optim, schedules
from tinygrad_lr.optim.lr_scheduler import LRScheduler

from .cases import Case

SUITE = "torch.optim"
TENSOR_LR = "tensor lr"  # stands for a rate that is a tensor, of each library its own

CONFIGURATIONS: dict[str, dict[str, dict[str, Any]]] = {
    "SGD": {
        "default": {},
        "lr": {"lr": 1e-2},
        "tensor lr": {"lr": TENSOR_LR},
        "weight decay": {"weight_decay": 0.5},
        "momentum": {"momentum": 0.9},
        "maximize": {"weight_decay": 0.1, "maximize": True},
        "dampening": {"momentum": 0.9, "dampening": 0.5},
        "momentum, weight decay": {"momentum": 0.9, "weight_decay": 0.1},
        "nesterov": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    },
    "Adagrad": {
        "default": {},
        "weight decay": {"weight_decay": 0.1},
        "maximize": {"weight_decay": 0.1, "maximize": True},
        "lr": {"lr": 0.1},
        "initial accumulator": {"initial_accumulator_value": 0.1, "weight_decay": 0.1},
        "lr decay": {"lr": 0.1, "lr_decay": 0.5, "weight_decay": 0.1},
        "tensor lr": {"lr": TENSOR_LR},
    },
    "RMSprop": {
        "default": {},
        "lr": {"lr": 1e-3},
        "weight decay": {"weight_decay": 0.1},
        "maximize": {"maximize": True},
        "centered": {"weight_decay": 0.1, "centered": True},
        "maximize, weight decay": {"maximize": True, "weight_decay": 0.1},
        "momentum": {"weight_decay": 0.1, "centered": True, "momentum": 0.1},
        "maximize, centered, momentum": {"maximize": True, "weight_decay": 0.1, "centered": True, "momentum": 0.1},
    },
    **{
        name: {
            "default": {},
            "lr": {"lr": 0.01},
            "weight decay": {"weight_decay": 0.1},
            "maximize": {"weight_decay": 0.1, "maximize": True},
            "amsgrad": {"weight_decay": 0.1, "amsgrad": True},
            "tensor lr": {"lr": TENSOR_LR},
        }
        for name in ("Adam", "AdamW")
    },
}

NOT_APPLICABLE = {
    "complex and sparse parameters": "Tensors are real and dense",
    "foreach, fused, capturable and differentiable implementations": "there is one implementation of a formula; the "
    "arguments are accepted with None or False",
    "CUDA streams, several GPUs, gradient scaling": "they belong to torch's GPU runtime",
}


class Run:
    """One library's optimizer over the parameters of torch's tests: a weight (10, 5) and a bias (10,)."""

    def __init__(
        self, library: str, name: str, options: dict[str, Any], groups: Callable[[Any, Any], Any] | None = None
    ):
        rng = np.random.default_rng(0)
        self.library = library
        self.x = self.tensor(rng.normal(size=5), False)
        self.params = [self.tensor(rng.normal(size=(10, 5))), self.tensor(rng.normal(size=10))]
        options = {key: self.rate() if value is TENSOR_LR else value for key, value in options.items()}
        given = groups(*self.params) if groups else self.params
        if library == "ours":
            self.optimizer = getattr(optim, name)(given, dialect="torch", **options)
        else:
            import torch

            self.optimizer = getattr(torch.optim, name)(given, **options)

    def tensor(self, values: Any, requires_grad: bool = True) -> Any:
        values = np.array(values)
        if self.library == "ours":
            return Tensor(values, requires_grad=requires_grad, dtype="float64")
        import torch

        return torch.tensor(values, requires_grad=requires_grad, dtype=torch.float64)

    def rate(self) -> Any:
        if self.library == "ours":
            return Tensor(0.001, dtype="float64")
        import torch

        return torch.tensor(0.001, dtype=torch.float64)

    def loss(self) -> Any:
        weight, bias = self.params
        return ((weight @ self.x + bias) ** 2).sum()

    def closure(self) -> Any:
        self.optimizer.zero_grad()
        loss = self.loss()
        loss.backward()
        return loss

    def steps(self, count: int, scheduler: Any = None) -> Run:
        for _ in range(count):
            self.closure()
            self.optimizer.step()
            if scheduler is not None:
                scheduler.step()
        return self

    def values(self) -> np.ndarray:
        return np.concatenate([np.array(each.detach().numpy()).ravel() for each in self.params])


def alike(ours: Run, theirs: Run, steps: int = 50) -> None:
    """Values of two runs agree up to rounding: a step has less than 100 operations on a value."""
    one, other = ours.values(), theirs.values()
    bound = 100 * steps * np.finfo(np.float64).eps * max(1.0, np.abs(other).max())
    assert np.abs(one - other).max() <= bound, f"{np.abs(one - other).max():.3g} apart, {bound:.3g} allowed"


def same(one: Run, other: Run) -> None:
    assert one.values().tobytes() == other.values().tobytes()


# Expectations. Each takes a function that makes a new Run of a library.

Make = Callable[..., Run]


def equals_torch(make: Make) -> None:
    alike(make("ours").steps(50), make("torch").steps(50))


def goes_in_the_right_direction(make: Make) -> None:
    run = make("ours")
    before = run.loss().item()
    after = run.steps(20).loss().item()
    assert after > before if run.optimizer.param_groups[0]["maximize"] else after < before


def closure_gives_the_loss(make: Make) -> None:
    run, plain = make("ours"), make("ours")
    for _ in range(5):
        loss = run.optimizer.step(run.closure)
        assert loss.item() == plain.closure().item()
        plain.optimizer.step()
    same(run, plain)


def closure_inside_no_grad(make: Make) -> None:
    run, plain = make("ours"), make("ours")
    with no_grad():
        run.optimizer.step(run.closure)
    same(run, plain.steps(1))


def follows_a_scheduler(make: Make) -> None:
    import torch

    ours, theirs = make("ours"), make("torch")
    factor = schedules.warmup(5).then(schedules.cosine(25))
    ours.steps(20, LRScheduler(ours.optimizer, factor))
    theirs.steps(20, torch.optim.lr_scheduler.LambdaLR(theirs.optimizer, factor))
    alike(ours, theirs)


def two_groups_with_their_own_rates(make: Make) -> None:
    groups = lambda weight, bias: [{"params": [weight]}, {"params": bias, "lr": 0.02}]  # noqa: E731
    alike(make("ours", groups=groups).steps(50), make("torch", groups=groups).steps(50))


def two_groups_with_their_own_weight_decay(make: Make) -> None:
    groups = lambda weight, bias: [{"params": weight, "weight_decay": 0.2}, {"params": [bias]}]  # noqa: E731
    alike(make("ours", groups=groups).steps(50), make("torch", groups=groups).steps(50))


def nothing_moves_without_gradients(make: Make) -> None:
    run = make("ours")
    before = run.values()
    run.optimizer.step()
    assert run.values().tobytes() == before.tobytes() and run.optimizer.state_dict()["state"] == {}


def zero_gradients_as_torch(make: Make) -> None:
    runs = [make("ours").steps(3), make("torch").steps(3)]
    for run in runs:
        for param in run.params:
            param.grad = param.grad * 0
        run.optimizer.step()
    alike(*runs)


def can_be_printed(make: Make) -> None:
    run = make("ours").steps(1)
    for each in (run.optimizer, copy.deepcopy(run.optimizer), pickle.loads(pickle.dumps(run.optimizer))):
        assert type(run.optimizer).__name__ in repr(each) and str(run.optimizer.param_groups[0]["lr"]) in repr(each)


def state_dict_is_deterministic(make: Make) -> None:
    run = make("ours").steps(3)
    one, other = run.optimizer.state_dict(), run.optimizer.state_dict()
    assert pickle.dumps(one) == pickle.dumps(other) and repr(one) == repr(make("ours").steps(3).optimizer.state_dict())


def loads_its_own_state(make: Make) -> None:
    whole, first, second = make("ours").steps(6), make("ours").steps(3), make("ours")
    goes_on(first, second, first.optimizer.state_dict())
    same(second.steps(3), whole)


def goes_on(first: Run, second: Run, state: Any) -> None:
    """Take the values and the state of a run."""
    start = 0
    for param in second.params:
        size = int(np.prod(param.shape))
        part = first.values()[start : start + size].reshape(tuple(param.shape))
        if second.library == "ours":
            param.data = part
        else:
            param.data.copy_(second.tensor(part))
        start += size
    second.optimizer.load_state_dict(state)


def loads_a_saved_file_of_its_state(make: Make) -> None:
    whole, first, second = make("ours").steps(6), make("ours").steps(3), make("ours")
    goes_on(first, second, pickle.loads(pickle.dumps(first.optimizer.state_dict())))
    same(second.steps(3), whole)


def loads_torchs_state(make: Make) -> None:
    theirs, ours = make("torch").steps(3), make("ours")
    goes_on(theirs, ours, theirs.optimizer.state_dict())
    alike(ours.steps(3), theirs.steps(3))


def torch_loads_its_state_by_for_torch(make: Make) -> None:
    ours, theirs = make("ours").steps(3), make("torch")
    goes_on(ours, theirs, optim.for_torch(ours.optimizer.state_dict()))
    alike(ours.steps(3), theirs.steps(3))


def torch_loads_its_state_as_it_is(make: Make) -> None:
    ours, theirs = make("ours").steps(3), make("torch")
    goes_on(ours, theirs, ours.optimizer.state_dict())


def loads_a_state_without_newer_options(make: Make) -> None:
    """As one of an older version is: options that a group lacks stay as they are."""
    whole, first, second = make("ours").steps(6), make("ours").steps(3), make("ours")
    state = first.optimizer.state_dict()
    for group in state["param_groups"]:
        del group["maximize"]
    goes_on(first, second, state)
    same(second.steps(3), whole)


def loads_a_step_of_any_number_type(make: Make) -> None:
    whole = make("ours").steps(6)
    for number in (int, float, np.int64, np.float32, partial(np.asarray, dtype=np.float64)):
        first, second = make("ours").steps(3), make("ours")
        state = first.optimizer.state_dict()
        for entry in state["state"].values():
            entry["step"] = number(entry["step"])
        goes_on(first, second, state)
        same(second.steps(3), whole)


def loads_named_into_unnamed_and_back(make: Make) -> None:
    named = lambda weight, bias: [("weight", weight), ("bias", bias)]  # noqa: E731
    whole = make("ours").steps(6)
    for one, other in ((named, None), (None, named), (named, named)):
        first, second = make("ours", groups=one).steps(3), make("ours", groups=other)
        goes_on(first, second, first.optimizer.state_dict())
        same(second.steps(3), whole)


def can_be_pickled(make: Make) -> None:
    whole, run = make("ours").steps(6), make("ours").steps(3)
    run.params, run.optimizer = pickle.loads(pickle.dumps((run.params, run.optimizer)))
    same(run.steps(3), whole)


def can_be_deep_copied(make: Make) -> None:
    whole, run = make("ours").steps(6), make("ours").steps(3)
    other = make("ours")
    other.params, other.optimizer = copy.deepcopy((run.params, run.optimizer))
    before = run.values()
    same(other.steps(3), whole)
    assert run.values().tobytes() == before.tobytes(), "the copy moved the parameters of the original"
    same(run.steps(3), whole)


def has_a_state_after_a_step(make: Make) -> None:
    import torch

    ours, theirs = make("ours").steps(1), make("torch").steps(1)
    for one, other in zip(ours.params, theirs.params, strict=True):
        expected = {key for key, value in theirs.optimizer.state[other].items() if isinstance(value, torch.Tensor)}
        assert expected - {"step"} <= set(ours.optimizer.state[one])


def a_group_added_takes_the_defaults(make: Make) -> None:
    ours, theirs = make("ours", groups=lambda w, b: [w]), make("torch", groups=lambda w, b: [w])
    for run in (ours, theirs):
        run.steps(3)
        run.optimizer.add_param_group({"params": run.params[1]})
        run.steps(3)
        assert run.optimizer.param_groups[1]["weight_decay"] == run.optimizer.defaults["weight_decay"]
    alike(ours, theirs)


def a_parameter_without_elements(make: Make) -> None:
    runs = [make("ours"), make("torch")]
    for run in runs:
        empty = run.tensor(np.zeros((0, 3)))
        run.optimizer.add_param_group({"params": [empty]})
        empty.grad = np.zeros((0, 3)) if run.library == "ours" else run.tensor(np.zeros((0, 3)), False)
        run.steps(3)
        assert tuple(empty.shape) == (0, 3)
    alike(*runs)


def a_rate_that_is_changed_between_steps(make: Make) -> None:
    runs = [make("ours"), make("torch")]
    for run in runs:
        run.steps(3)
        run.optimizer.param_groups[0]["lr"] = 0.03
        run.steps(3)
    alike(*runs)


def gradients_to_zero_or_none(make: Make) -> None:
    run = make("ours").steps(1)
    run.closure()
    run.optimizer.zero_grad(set_to_none=False)
    assert all(not np.any(param.grad) for param in run.params)
    run.closure()
    run.optimizer.zero_grad()
    assert all(param.grad is None for param in run.params)


def step_hooks_run_in_order(make: Make) -> None:
    """Those of all optimizers outside, and each removed by its handle."""
    run, calls = make("ours"), []
    handles = [
        optim.register_optimizer_step_post_hook(lambda *_: calls.append("after all")),
        run.optimizer.register_step_post_hook(lambda *_: calls.append("after")),
        optim.register_optimizer_step_pre_hook(lambda *_: calls.append("before all")),
        run.optimizer.register_step_pre_hook(lambda *_: calls.append("before")),
    ]
    try:
        run.steps(1)
        handles[1].remove()
        run.steps(1)
    finally:
        for each in handles:
            each.remove()
    run.steps(1)
    assert calls == ["before all", "before", "after", "after all", "before all", "before", "after all"]


def hooks_of_state_dicts(make: Make) -> None:
    run, calls = make("ours").steps(1), []
    run.optimizer.register_state_dict_pre_hook(lambda _: calls.append("second"))
    run.optimizer.register_state_dict_pre_hook(lambda _: calls.append("first"), prepend=True)
    run.optimizer.register_state_dict_post_hook(lambda _, saved: {**saved, "more": 1})
    saved = run.optimizer.state_dict()
    run.optimizer.register_load_state_dict_pre_hook(lambda _, saved: calls.append(saved.pop("more")))
    run.optimizer.register_load_state_dict_post_hook(lambda _: calls.append("loaded"))
    run.optimizer.load_state_dict(saved)
    assert calls == ["first", "second", 1, "loaded"] and saved["more"] == 1


EXPECTATIONS = [
    equals_torch,
    goes_in_the_right_direction,
    closure_gives_the_loss,
    closure_inside_no_grad,
    follows_a_scheduler,
    two_groups_with_their_own_rates,
    two_groups_with_their_own_weight_decay,
    nothing_moves_without_gradients,
    zero_gradients_as_torch,
    can_be_printed,
    state_dict_is_deterministic,
    loads_its_own_state,
    loads_a_saved_file_of_its_state,
    loads_torchs_state,
    torch_loads_its_state_by_for_torch,
    loads_a_state_without_newer_options,
    loads_a_step_of_any_number_type,
    loads_named_into_unnamed_and_back,
    can_be_pickled,
    can_be_deep_copied,
    has_a_state_after_a_step,
    a_group_added_takes_the_defaults,
    a_parameter_without_elements,
    a_rate_that_is_changed_between_steps,
    gradients_to_zero_or_none,
    step_hooks_run_in_order,
    hooks_of_state_dicts,
]

# What an optimizer must refuse, as torch does: the arguments, and a word of the message.


def refuses(kind: type[Exception] | tuple[type[Exception], ...], word: str, call: Callable[[], object]) -> None:
    try:
        call()
    except kind as error:
        assert word in str(error), str(error)
        return
    raise AssertionError("nothing was raised")


def parameter() -> Tensor:
    return Tensor([[1.0]], requires_grad=True)


def duplicated(cls: Any, in_groups: bool) -> object:
    one = parameter()
    return cls([{"params": one}, {"params": one}] if in_groups else [one, one])


REFUSED: dict[str, tuple[Any, str, Callable[[Any], object]]] = {
    "a Tensor in place of a list": (TypeError, "list", lambda cls: cls(parameter())),
    "a parameter twice": (ValueError, "more than once", lambda cls: duplicated(cls, False)),
    "a parameter in two groups": (ValueError, "more than once", lambda cls: duplicated(cls, True)),
    "a rate of two elements": (
        (TypeError, ValueError),
        "lr",
        lambda cls: cls([parameter()], lr=Tensor([0.001, 0.001])),
    ),
    "names for some parameters": ((TypeError, ValueError), "name", lambda cls: cls([("w", parameter()), parameter()])),
    "no parameters": (ValueError, "parameter", lambda cls: cls([])),
    "a set of parameters": (TypeError, "set", lambda cls: cls([{"params": {parameter()}}])),
    "a computed Tensor": (ValueError, "leaves", lambda cls: cls([parameter() * 2])),
    "a negative rate": (ValueError, "lr", lambda cls: cls([parameter()], lr=-1e-2)),
    "a negative weight decay": (ValueError, "weight_decay", lambda cls: cls([parameter()], weight_decay=-1.0)),
    "an unknown option": (TypeError, "warp", lambda cls: cls([parameter()], warp=9)),
}
REFUSED_BY: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "SGD": {
        "a negative momentum": ("momentum", {"momentum": -0.5}),
        "nesterov without momentum": ("nesterov", {"nesterov": True}),
    },
    "Adagrad": {"a negative lr decay": ("lr_decay", {"lr_decay": -0.5})},
    "RMSprop": {"a negative momentum": ("momentum", {"momentum": -1.0})},
    "Adam": {"a beta of 1": ("betas", {"betas": (1.0, 0.0)})},
    "AdamW": {"a beta of 1": ("betas", {"betas": (1.0, 0.0)})},
}
AS_IT_IS = "its state is arrays, which torch's load_state_dict does not take; `optim.for_torch` makes tensors of them"
DIFFERS = {"names for some parameters": "a name is an aid here, and parameters without one are matched by position"}


def words(expectation: Callable[..., None]) -> str:
    return expectation.__name__.replace("_", " ")


def cases() -> Iterable[Case]:
    for name, configurations in CONFIGURATIONS.items():
        for said, options in configurations.items():
            make = partial(_make, name, options)
            for expectation in EXPECTATIONS:
                yield Case(SUITE, f"{name}, {said}: {words(expectation)}", partial(expectation, make))
        cls, make = getattr(optim, name), partial(_make, name, {"momentum": 0.9} if name == "SGD" else {})
        run = partial(torch_loads_its_state_as_it_is, make)
        yield Case(SUITE, f"{name}: torch loads its state as it is", run, AS_IT_IS)
        for what, (kind, word, call) in REFUSED.items():
            run = partial(refuses, kind, word, partial(call, cls))
            yield Case(SUITE, f"{name}: {what} is refused", run, DIFFERS.get(what, ""))
        for what, (word, options) in REFUSED_BY[name].items():
            run = partial(refuses, (TypeError, ValueError), word, partial(cls, [parameter()], **options))
            yield Case(SUITE, f"{name}: {what} is refused", run)


def _make(name: str, options: dict[str, Any], library: str, groups: Any = None) -> Run:
    return Run(library, name, options, groups)


CASES = list(cases())
