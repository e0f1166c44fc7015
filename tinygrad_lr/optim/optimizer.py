"""Optimizer: parameter groups, one kernel call per run of parameters, state_dict. Read sgd.py next.

A class of the family says which dialects it has, which hyperparameters (the arguments of its constructor:
hyperparameters.py), which kernel a group needs (`variant`), and the rule's scalars, computed on the host in float64:
those that every step shares (`constants`) and those of step t (`moving`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tinygrad_lr import backend
from tinygrad_lr.engine import Tensor
from tinygrad_lr.engine.dtypes import to_host
from tinygrad_lr.kernels._run import run

from . import saving
from .arena import Segment
from .clipping import clipping
from .common import common_constants, common_moving
from .groups import EXTRA_KEYS, ParamGroup, check_extra, named_groups, refuse_unrepresentable, unknown_key
from .hyperparameters import Hyperparameter, Params, declared, documented
from .validation import Validator, flag

if TYPE_CHECKING:
    from tinygrad_lr.kernels._kernel import Kernel

__all__ = ["Optimizer", "kernels"]


@cache
def kernels(module: str) -> dict[str, Kernel]:
    """The kernels of one file, imported at first use, because they bring Numba in.

    Args:
        module: a file of kernels/updates/, or the full name of a module elsewhere: one that has a dot.
    """
    name = module if "." in module else f"tinygrad_lr.kernels.updates.{module}"
    found: dict[str, Kernel] = importlib.import_module(name).KERNELS
    return found


class Optimizer:
    """What all optimizers share. Not used itself: see `optim.OPTIMIZERS`.

    A class of the family is written as `class Mine(Optimizer, dialects=("paper", "torch"))`: the first dialect is the
    default.

    Args:
        params: an iterable of Tensors, of (name, Tensor) pairs, or of dicts with a key "params" and hyperparameters of
            their own. The optimizer moves their values side by side into one buffer; `Tensor.data` stays a view of it.
        dialect: whose defaults a hyperparameter takes where it is None: a key of `dialects`.
        given: the hyperparameters by name, as a class has them in `locals()`; other names are ignored.

    Raises:
        TypeError: something that is no floating-point leaf Tensor, or an unknown hyperparameter.
        ValueError: no parameters, one parameter twice, a value out of range, an unknown dialect.
    """

    # What a class of the family says.

    kernels: str
    """The file of its kernels: see `kernels` above."""
    examined: ClassVar[Sequence[Mapping[str, Any]]] = [{}]
    """Settings, besides the defaults of each dialect, in which tests, benchmarks and documents examine it: together
    they need every kernel."""
    state_dtypes: ClassVar[Sequence[str]] = ("float32",)
    """How it can keep its state; "float32" stands for the parameters' dtype."""

    def variant(self, group: Mapping[str, Any]) -> str:
        """Which of the kernel file's updates a group needs."""
        return "plain"

    @classmethod
    def kernels_for(cls, state_dtype: str) -> str:
        """The file of its kernels where it keeps its state so; of what it cannot keep so, the file of all others."""
        return f"{cls.kernels}_{state_dtype}" if state_dtype in cls.state_dtypes[1:] else cls.kernels

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        """The rule's scalars that neither the learning rate nor the step changes."""
        return common_constants(group)

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        """The rule's other scalars, at step t = 1, 2, ...; a group has the same ones at every step."""
        return common_moving(group)

    def constraints(self, group: Mapping[str, Any]) -> None:
        """Raise a ValueError where hyperparameters (the rate aside) contradict each other."""

    def initial_state(self, group: Mapping[str, Any], key: str) -> float:
        """What a state array is filled with before the first step."""
        return 0.0

    # What follows from it.

    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = {}
    """By name; a class whose constructor is inherited may say some of them anew."""
    validators: ClassVar[Mapping[str, Validator]] = {}
    dialects: ClassVar[Mapping[str, dict[str, Any]]] = {}
    """Every dialect's defaults; the first dialect is in force where none is named."""
    _arguments: ClassVar[Mapping[str, Hyperparameter | str]] = {}

    def __init_subclass__(cls, dialects: Sequence[str] = (), **more: Any) -> None:
        super().__init_subclass__(**more)
        said = {**(declared(cls.__init__) if "__init__" in vars(cls) else {}), **vars(cls).get("hyperparameters", {})}
        names = tuple(dialects) or tuple(cls.dialects)
        for name, row in said.items():
            unknown = set() if isinstance(row, str) else set(row.of_dialects) - set(names)
            if unknown:
                raise TypeError(f"{cls.__name__}: {name} has a default for {unknown}, but the dialects are {names}")
        cls._arguments = {**cls._arguments, **said}
        rows = {name: row for name, row in cls._arguments.items() if isinstance(row, Hyperparameter)}
        cls.hyperparameters = rows
        cls.validators = {name: row.check for name, row in rows.items()}
        cls.dialects = {each: {name: row.in_dialect(each) for name, row in rows.items()} for each in names}
        if cls.__doc__ and names:
            cls.__doc__ = documented(cls.__doc__, cls._arguments, names)

    def __init__(self, params: Params, dialect: str, given: Mapping[str, Any]) -> None:
        if dialect not in self.dialects:
            known = ", ".join(map(repr, self.dialects))
            raise ValueError(f"{type(self).__name__} knows the dialects {known}; got {dialect!r}")
        chosen = {key: given[key] for key in self.hyperparameters if given.get(key) is not None}
        self.dialect = dialect
        self.defaults = self.checked({**self.dialects[dialect], **chosen})
        self.param_groups: list[ParamGroup] = []
        self._segments: list[list[Segment]] = []
        self._plans: list[Plan | None] = []
        self._names: dict[int, str] = {}
        groups = named_groups(params)
        self._refuse_duplicates([param for group in groups for _, param in group["params"]])
        prepared = [self._prepared(group) for group in groups]
        for values, names in prepared:
            self._adopt(values, names)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        """All of the rule's scalars at step t = 1, 2, ..., in float64."""
        return {**self.constants(group), **self.moving(group, step)}

    def kernel(self, group: Mapping[str, Any]) -> Kernel:
        """The kernel that updates a group."""
        return kernels(self.kernels)[self.variant(group)]

    def state_keys(self) -> set[str]:
        """Every name a state array of this optimizer can have."""
        return {key for kernel in kernels(self.kernels).values() for key in kernel.states}

    def saved(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The arrays that a state_dict holds for one parameter, from those that are kept: copies on the host."""
        return {key: saving.on_host(array) for key, array in state.items()}

    def kept(self, segment: Segment, i: int, saved: Mapping[str, Any]) -> dict[str, Any]:
        """The reverse of `saved`: new arrays to be kept for parameter i of a segment, checked."""
        return saving.converted(segment, i, saved, self.state_keys())

    def _chosen(self) -> dict[str, Any]:
        """What was chosen for all groups at once, for `repr`."""
        return {"dialect": self.dialect}

    # Groups.

    def checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Every hyperparameter, checked alone and together."""
        for key in values:
            if key not in self.validators:
                raise unknown_key(key, self.validators, type(self).__name__)
        found = {key: self.validators[key](key, value) for key, value in values.items()}
        self.constraints(found)
        return found

    def _check_item(self, group: ParamGroup, key: str, value: Any) -> Any:
        """What `group[key] = value` stores."""
        if key in EXTRA_KEYS:
            return check_extra(key, value)
        if key == "params":
            raise ValueError("a group's parameters cannot be assigned; use add_param_group for more parameters")
        if key not in self.validators:
            raise unknown_key(key, self.validators, type(self).__name__)
        value = self.validators[key](key, value)
        if key != "lr":  # the rate changes at every step, and stands in no constraint
            self.constraints({**group, key: value})
        refuse_unrepresentable(key, value, group["params"])
        return value

    def _refuse_duplicates(self, params: list[Tensor]) -> None:
        seen = {id(param) for group in self.param_groups for param in group["params"]}
        for param in params:
            if id(param) in seen:
                raise ValueError(
                    f"parameter {param.name or ''} of shape {param.shape} appears more than once; "
                    "give each parameter to one group, once"
                )
            seen.add(id(param))

    def _prepared(self, group: dict[str, Any]) -> tuple[dict[str, Any], list[str | None]]:
        """One group's values, checked against this optimizer, before anything is changed."""
        values = {
            key: value for key, value in group.items() if key not in ("params", *EXTRA_KEYS) and value is not None
        }
        hyperparameters = self.checked({**self.defaults, **values})
        extra = {key: check_extra(key, group[key]) for key in EXTRA_KEYS if key in group}
        params = [param for _, param in group["params"]]
        if not params:
            raise ValueError("a parameter group is empty; leave it out or give it parameters")
        for key, value in hyperparameters.items():
            refuse_unrepresentable(key, value, params)
        return {"params": params, **hyperparameters, **extra}, [name for name, _ in group["params"]]

    def _adopt(self, values: dict[str, Any], names: list[str | None]) -> None:
        """Name the parameters, move them into arenas and append the group."""
        taken = set(self._names.values())
        for i, (param, name) in enumerate(zip(values["params"], names, strict=True)):
            base = name or f"group{len(self.param_groups)}.param{i}"
            unique, copies = base, 1
            while unique in taken:
                copies += 1
                unique = f"{base}#{copies}"
            taken.add(unique)
            self._names[id(param)] = unique
        alike: dict[tuple[Any, str], list[Tensor]] = {}
        for param in values["params"]:
            alike.setdefault((param.dtype, param.device), []).append(param)
        self._segments.append([Segment(p, [self._names[id(x)] for x in p]) for p in alike.values()])
        self._plans.append(None)
        self.param_groups.append(ParamGroup(values, partial(type(self)._check_item, self)))

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with hyperparameters of their own; what the group does not say takes the optimizer's defaults.

        Args:
            group: a dict with the key "params" (a Tensor, Tensors or (name, Tensor) pairs) and any hyperparameters.

        Raises:
            TypeError: `group` is no dict, or has an unknown hyperparameter.
            ValueError: a parameter belongs to this optimizer already, or a value is out of range.

        Example:
            >>> from tinygrad_lr import optim, zeros
            >>> optimizer = optim.SGD([zeros(3, requires_grad=True)], lr=0.1)
            >>> optimizer.add_param_group({"params": zeros(2, requires_grad=True), "lr": 0.01})
            >>> [group["lr"] for group in optimizer.param_groups]
            [0.1, 0.01]
        """
        if not isinstance(group, Mapping):
            raise TypeError(f"a parameter group must be a dict with a key 'params', got {type(group).__name__}")
        (named,) = named_groups([group])
        self._refuse_duplicates([param for _, param in named["params"]])
        self._adopt(*self._prepared(named))

    # Steps.

    def step(
        self, closure: Callable[[], Any] | None = None, *, max_norm: float | None = None, zero_grad: bool = False
    ) -> Any:
        """Update every parameter that has a gradient; parameters without one keep value, state and step count.

        With `max_norm` and `zero_grad` the gradients are read twice, for their norm and by the update that clips them,
        and never written: a whole step in one pass over the values and states.

        Args:
            closure: computes and returns the loss, called first (as in torch).
            max_norm: clip the gradients by their global norm, over all groups, in the same pass; `.grad` stays as it
                is (see `clip_grad_norm_`). None: no clipping.
            zero_grad: forget the gradients after the update, as `zero_grad()` does. Without, they stay.

        Returns:
            What the closure returned, or None.

        Raises:
            ValueError: `max_norm` is not above 0.
            FloatingPointError: with `max_norm`, a gradient holds NaN or infinity; nothing is changed.
        """
        if zero_grad is not False:
            zero_grad = flag("zero_grad", zero_grad)
        loss = None if closure is None else closure()
        factor = 1.0 if max_norm is None else self._clipping(max_norm) or 1.0
        for i, group in enumerate(self.param_groups):
            plan = self._plans[i]
            if plan is None or plan.changes != group.changes:
                plan = self._planned(i)
            kernel = plan.kernel
            for segment in self._segments[i]:
                on = "cuda" if segment.device == "cuda" else backend.get()
                for first, stop, step in segment.runs():
                    scalars = plan.scalars(self.moving(group, step + 1), segment.dtype, factor)
                    run(kernel, on, segment.buffers(first, stop, kernel.states), scalars)
                    segment.advance(first, stop, step + 1)
        if zero_grad:
            self.zero_grad()
        return loss

    def _planned(self, i: int) -> Plan:
        """The plan of group i as its hyperparameters are now, and its states made where they are new."""
        group = self.param_groups[i]
        self._plans[i] = plan = Plan(self, group)
        for segment in self._segments[i]:
            for key in plan.kernel.states:
                segment.need(key, self.initial_state(group, key), *plan.kernel.stored(key))
        return plan

    def _clipping(self, max_norm: float) -> float | None:
        """The factor that clips the gradients; None where they are short enough."""
        segments = [segment for segments in self._segments for segment in segments]
        grads = [to_host(each.buffers(first, stop, ())[1]) for each in segments for first, stop, _ in each.runs()]

        def named() -> list[tuple[str, Any]]:
            every = [param for each in segments for param in each.params if param._grad is not None]
            return [(self._names[id(param)], to_host(param._grad)) for param in every]

        return clipping(grads, max_norm, named)[1]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients.

        Args:
            set_to_none: True sets every gradient to None, and a parameter that gets none before the next step is left
                alone by it. False fills the gradients that exist with zeros: the step then decays and coasts.
        """
        if set_to_none is not True:
            set_to_none = flag("set_to_none", set_to_none)
        for segments in self._segments:
            for segment in segments:
                segment.zero_grad(set_to_none)

    # State.

    @property
    def state(self) -> dict[Tensor, Mapping[str, Any]]:
        """Per parameter that has made a step: `step` and the state arrays, live views in the parameter's shape."""
        return {
            param: MappingProxyType(segment.state_of(i))
            for segments in self._segments
            for segment in segments
            for i, param in enumerate(segment.params)
            if segment.steps[i] > 0
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue, as plain dicts, numbers and copies of arrays, in torch's layout.

        Returns:
            `{"state": {index: {"step": int, key: array}}, "param_groups": [{..., "params": [index], "param_names":
            [name]}]}`, with torch's key names for the state.
        """
        return saving.dump(self)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a `state_dict()`: of this class, or of torch's optimizer of that name.

        Parameters are matched by name; a dict without `param_names` (torch's, unless it was built from named
        parameters) is matched by position. Shapes must be equal. Nothing is changed unless everything fits, and
        nothing of `state_dict` is aliased.

        Raises:
            TypeError: not a dict of that layout, or an unknown hyperparameter.
            ValueError: names, counts, shapes or state keys that do not fit, or a value out of range.
        """
        saving.load(self, state_dict)

    def __repr__(self) -> str:
        chosen = ", ".join(f"{key}={value!r}" for key, value in self._chosen().items())
        lines = [f"{type(self).__name__}({chosen}"]
        for i, group in enumerate(self.param_groups):
            values = ", ".join(f"{key}={value!r}" for key, value in group.items() if key != "params")
            lines.append(f"  group {i}: {len(group['params'])} parameters, {values}")
        return "\n".join([*lines, ")"])

    def __reduce__(self) -> Any:
        raise TypeError(
            "an optimizer is tied to its parameters and cannot be copied or pickled: "
            "save state_dict(), build a new optimizer and load_state_dict() there"
        )


class Plan:
    """What the steps of one group have in common: its kernel, and its scalars as arrays, in which a step writes those
    that the rate or its number changes. It holds until a hyperparameter is assigned (`ParamGroup.changes`)."""

    __slots__ = ("_arrays", "_moving", "_sign", "_sign_at", "changes", "kernel")

    def __init__(self, optimizer: Optimizer, group: ParamGroup) -> None:
        self.changes = group.changes
        self.kernel = optimizer.kernel(group)
        moving = optimizer.moving(group, 1)
        values = {**optimizer.constants(group), **moving}
        _refuse_other_scalars(type(optimizer).__name__, self.kernel.scalars, values)
        self._moving = [(name, at) for at, name in enumerate(self.kernel.scalars) if name in moving]
        self._sign, self._sign_at = values["sign"], self.kernel.scalars.index("sign")
        with np.errstate(over="ignore", under="ignore"):
            arrays = [np.array([values[name] for name in self.kernel.scalars]).astype(kind) for kind in ("f4", "f8")]
        self._arrays: dict[Any, tuple[Any, Any]] = {array.dtype: (array, array.data) for array in arrays}

    def scalars(self, moving: Mapping[str, float], dtype: np.dtype[Any], factor: float = 1.0) -> Any:
        """All scalars in the rule's order, in the arrays' dtype: an array that the next call changes.

        `factor` multiplies the gradient, as its sign does.
        """
        array, cast = self._arrays[dtype]  # a memoryview casts as NumPy does, in a third of the time
        for name, at in self._moving:
            cast[at] = moving[name]
        cast[self._sign_at] = self._sign * factor
        return array


def _refuse_other_scalars(name: str, taken: Sequence[str], values: Mapping[str, float]) -> None:
    """A rule's scalars must be computed, and "sign", by which clipping multiplies the gradient, be among them."""
    missing = [scalar for scalar in taken if scalar not in values]
    if missing:
        raise TypeError(
            f"the rule of {name} takes {missing[0]!r}, which {name} does not compute in constants or moving"
        )
    if "sign" not in taken:
        raise TypeError(f"the rule of {name} must take a scalar 'sign' and multiply the gradient by it, got {taken}")
