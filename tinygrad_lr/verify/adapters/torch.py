"""Adapter of torch's optimizers. Arrays share memory with torch's tensors, so that aliasing in torch shows here."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..protocol import Array, Gradients, NotApplicable
from .inheritance import ancestors_of
from .translation import (
    Names,
    PeerMaker,
    Theirs,
    arguments_of,
    checked_prepare,
    checked_without,
    imported,
    own_arguments,
    said,
    speaks_of,
    target_of,
    title_of,
)

# What classes call a hyperparameter, where torch's own name for it is not among their arguments; the first that is
# there counts.
NAMES: dict[str, tuple[Theirs, ...]] = {
    "lr": ("lr", "learning_rate"),
    "betas": ("betas", ("beta1", "beta2"), ("beta_1", "beta_2")),
    "eps": ("eps", "epsilon"),
    "epsilons": ("eps",),
    "clip_threshold": ("d", "clip_threshold"),
    "decoupled_weight_decay": ("decoupled_weight_decay", "weight_decouple", "decouple", "decoupled_decay"),
    "initial_distance": ("d0",),
}
# Classes whose argument of that name is something else.
OTHERWISE: dict[str, Names] = {
    "lion_pytorch.Lion": {"decoupled_weight_decay": None}  # whether the decay is divided by the first rate
}


class TorchSubject:
    """One of torch's optimizers with the methods of protocol.py."""

    def __init__(
        self,
        cls: Any,
        params: list[Array],
        settings: dict[str, Any],
        translate: Callable[[Mapping[str, Any]], dict[str, Any]],
        prepare: Callable[[Any], Any] | None = None,
    ) -> None:
        self._torch = imported("torch", "torch==2.13.0")
        self._translate, self._prepare = translate, prepare
        self._tensors = self._of(params)
        self.optimizer = cls(self._first_argument(cls), **settings)
        self._needs_closure = _requires_closure(self.optimizer.step)
        self._prepared()

    def _prepared(self) -> None:
        if self._prepare is not None:
            self._prepare(self.optimizer)

    def _of(self, params: list[Array]) -> list[Any]:
        return [self._leaf(np.asarray(p)) for p in params]

    def _leaf(self, array: Array) -> Any:
        """A tensor of its own with the array's values and, where torch has them, its strides."""
        strides = [stride // array.itemsize for stride in array.strides]
        if min(strides, default=1) > 0 and array.size:
            tensor = self._torch.empty_strided(array.shape, strides, dtype=self._shared(np.empty(0, array.dtype)).dtype)
            tensor.copy_(self._shared(array))
        else:
            tensor = self._torch.tensor(array)
        return tensor.requires_grad_()

    def _shared(self, array: Array) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of arrays that cannot be written
            return self._torch.from_numpy(array)

    def _first_argument(self, cls: Any) -> Any:
        """The parameters in the form that the class takes: tensors, tensors with names, or a module that has them."""
        first = next(iter(inspect.signature(cls).parameters), "params")
        named = [(f"p{i}", tensor) for i, tensor in enumerate(self._tensors)]
        if first in ("named_parameters", "named_params"):
            return named
        if first in ("model", "module"):
            module = self._torch.nn.Module()
            self._tensors = [self._torch.nn.Parameter(tensor.detach()) for tensor in self._tensors]
            for (name, _), parameter in zip(named, self._tensors, strict=True):
                module.register_parameter(name, parameter)
            return module
        return self._tensors

    @property
    def params(self) -> list[Array]:
        """The parameters' values, in torch's memory."""
        return [tensor.detach().numpy() for tensor in self._tensors]

    def step(self, grads: Gradients) -> None:
        """Assign the gradients, sharing memory, and step.

        A class that asks for a closure gets one of the linear loss sum(g theta), whose gradient is g everywhere.
        """
        given = [None if g is None else self._shared(np.asarray(g)) for g in grads]

        def closure() -> Any:
            for tensor, g in zip(self._tensors, given, strict=True):
                tensor.grad = g
            pairs = zip(self._tensors, given, strict=True)
            return sum(((t.detach() * g).sum() for t, g in pairs if g is not None), self._torch.zeros(()))

        for tensor, g in zip(self._tensors, given, strict=True):
            tensor.grad = g
        if not self._needs_closure:
            try:
                self.optimizer.step()
                return
            except Exception as error:
                if "closure" not in f"{type(error).__name__} {error}".lower():
                    raise
                self._needs_closure = True
        self.optimizer.step(closure)

    def add_group(self, params: list[Array], **hyperparameters: Any) -> None:
        """Add parameters with hyperparameters of their own."""
        tensors = self._of(params)
        known = {**self.optimizer.defaults, **self.optimizer.param_groups[0]}
        theirs = {key: value for key, value in self._translate(hyperparameters).items() if key in known}
        self.optimizer.add_param_group({"params": tensors, **theirs})
        self._tensors += tensors
        self._prepared()

    def set_hyperparameters(self, **changes: Any) -> None:
        """Change hyperparameters in every group.

        Raises:
            NotApplicable: the groups have no such entry.
        """
        theirs = self._translate(changes)
        for group in self.optimizer.param_groups:
            if absent := [name for name in theirs if name not in group]:
                raise NotApplicable(f"the optimizer's groups have no {', '.join(absent)}, which could be changed")
            group.update(theirs)

    def get_state(self) -> dict[str, Any]:
        """torch's state_dict with NumPy arrays in the place of tensors, whose memory they share; all else as it is."""
        return self._plain(self.optimizer.state_dict())  # type: ignore[no-any-return]

    def _plain(self, value: Any) -> Any:
        if not isinstance(value, self._torch.Tensor):
            return _mapped(self._plain, value)
        try:
            return value.detach().numpy()
        except (TypeError, RuntimeError):
            pass
        try:  # NumPy has no such number: its bits, which can be copied and loaded
            whole = {1: self._torch.uint8, 2: self._torch.int16}[value.element_size()]
            bits = value.detach().view(whole).numpy().view(Bits)
            bits.of = value.dtype
            return bits
        except (KeyError, TypeError, RuntimeError):
            return value

    def set_state(self, state: dict[str, Any]) -> None:
        """Load a state, in the layout of `get_state`, into torch, with the types that it had."""
        self.optimizer.load_state_dict(self._as_torch(state))
        self._prepared()

    def _as_torch(self, value: Any) -> Any:
        if isinstance(value, Bits) and value.of is not None:
            return self._shared(value.view(np.ndarray)).view(value.of)
        return self._shared(value) if isinstance(value, np.ndarray) else _mapped(self._as_torch, value)


class Bits(np.ndarray):
    """The bits of numbers that NumPy does not have (bfloat16). `of` is their dtype in torch."""

    of: Any = None

    def numbers(self) -> Array:
        """The numbers in float32."""
        library = imported("torch", "torch==2.13.0")
        found = library.from_numpy(np.array(self)).view(self.of)
        return found.float().numpy()  # type: ignore[no-any-return]

    def __array_finalize__(self, other: Any) -> None:
        self.of = getattr(other, "of", None)


def _mapped(change: Callable[[Any], Any], value: Any) -> Any:
    """A dict, list or tuple with each entry changed; all else as it is."""
    if isinstance(value, dict):
        return {key: change(entry) for key, entry in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(change, value))
    return type(value)(map(change, value)) if type(value) in (list, tuple) else value


def _requires_closure(step: Any) -> bool:
    try:
        first = next(iter(inspect.signature(step).parameters.values()), None)
    except (TypeError, ValueError):
        return False
    return first is not None and first.default is first.empty and first.kind is first.POSITIONAL_OR_KEYWORD


def _inherited(cls: Any, base: Any) -> dict[str, str]:
    """What a class does as torch's base class does it: property id -> that class."""
    found = {}
    if cls.state_dict is base.state_dict:  # which shares, whatever a class does when it loads
        found["P8"] = "torch.optim.Optimizer"
    if hasattr(inspect.getmodule(cls.step), "_get_scalar_dtype"):  # of torch's step counts: float32
        found["P9.count"] = "torch.optim.Optimizer"
    return found


def torch(
    cls: Any,
    *,
    names: Names | None = None,
    without: Iterable[str] = (),
    state_names: Mapping[str, str | None] | None = None,
    prepare: Callable[[Any], Any] | None = None,
    **fixed: Any,
) -> PeerMaker:
    """A maker of one of torch's optimizers, or of anybody's that derives from them: `torch(torch.optim.Adam)`.

    Args:
        cls: a subclass of torch.optim.Optimizer, or a function `make(params, **hyperparameters)` that returns such
            an optimizer; it is called once here to see of which class.
        names: the formula's name of a hyperparameter -> the argument of the class; a tuple of arguments (one for each
            member), a function from the value to a dict of arguments, or None where there is no argument for it.
        without: the formula's names that are not passed.
        state_names: the formula's state -> the name of the array that the class keeps it in, or None where it is not to
            be compared. What is not named is looked for (states.py).
        prepare: called with the optimizer after it is built, and again after groups are added and states loaded:
            `lambda optimizer: optimizer.train()`. What it returns is not used.
        fixed: arguments that every one is built with, such as `foreach=True`.

    Raises:
        ImportError: torch is missing; the message names the remedy.
        TypeError, ValueError: neither an optimizer class of torch nor a function that returns such an optimizer, or a
            name that it does not have.
    """
    library = imported("torch", "torch==2.13.0")
    kind = class_made_by(cls, library)
    title, known = title_of(cls), arguments_of(cls)
    usual = {name: _first_of(choices, own_arguments(cls), known) for name, choices in NAMES.items()}
    without, prepare = checked_without(without), checked_prepare(prepare)
    renamed, taken = said(cls, {**usual, **OTHERWISE.get(title, {})}, names, without, title)
    maker = PeerMaker(
        lambda params, settings: TorchSubject(cls, params, settings, maker.renamed, prepare),
        title,
        renamed,
        taken,
        fixed,
        missing_gradients=True,
        without=without,
        spoken_of=names or (),
        state_names=state_names,
        inherited=_inherited(kind, library.optim.Optimizer),
        language="torch",
        prepare=prepare,
        target=target_of(cls),
    )
    maker.ancestors = lambda: ancestors_of(
        kind,
        maker,
        lambda other: torch(other, **{k: v for k, v in fixed.items() if k in arguments_of(other)}),
        lambda other, params, settings: TorchSubject(other, params, settings, dict, None),
    )
    return maker


def class_made_by(cls: Any, library: Any) -> Any:
    """The class itself, or that of what a function makes of one parameter."""
    wanted = "expected a class such as torch.optim.Adam, or a function of the parameters that returns such an optimizer"
    kind = cls
    if not isinstance(cls, type) and callable(cls):
        needed = [p.name for p in inspect.signature(cls).parameters.values() if p.default is p.empty][1:]
        rates = {name: 1e-3 for name in needed if name in NAMES["lr"]}
        try:
            kind = type(cls([library.zeros(1, requires_grad=True)], **rates))
        except Exception as error:
            raise TypeError(f"{wanted}; {title_of(cls)} raised {type(error).__name__}: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, library.optim.Optimizer)):
        got = repr(cls) if kind is cls else f"{title_of(cls)}, which returned {kind.__module__}.{kind.__qualname__}"
        raise TypeError(f"{wanted}; got {got}")
    return kind


def returns_torch_optimizer(function: Any) -> bool:
    """Whether a function returns an optimizer of torch. It is called only where its code speaks of torch.

    Example:
        >>> returns_torch_optimizer(lambda params, lr=0.1: None)
        False
    """
    library = sys.modules.get("torch")
    if library is None or not inspect.isfunction(function) or not speaks_of(function, "torch", library.optim.Optimizer):
        return False
    try:
        class_made_by(function, library)
    except TypeError:
        return False
    return True


def _first_of(choices: tuple[Theirs, ...], *known: set[str]) -> Theirs:
    """The first of some names that a class, or else a base of it, has arguments for, or the first of all."""
    for arguments in known:
        for theirs in choices:
            if ({theirs} if isinstance(theirs, str) else set(theirs or ())) <= arguments:  # type: ignore[arg-type]
                return theirs
    return choices[0]
