"""Optimizer: parameter groups, one kernel call per run of parameters, state_dict. Read sgd.py next.

A class of the family says which dialects it has, which hyperparameters (the arguments of its constructor:
hyperparameters.py), which kernel a group needs (`variant`), and the rule's scalars, computed on the host in float64:
those that every step shares (`constants`) and those of step t (`moving`). Where a step's scalars depend on those of the
steps before (a product of all betas so far), the class keeps `numbers`.
"""

from __future__ import annotations

import copy
import importlib
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from tinygrad_lr import backend, explaining
from tinygrad_lr.engine import Tensor
from tinygrad_lr.engine.dtypes import copy_into, to_host
from tinygrad_lr.engine.recording import enable_grad
from tinygrad_lr.integers import shown

from . import saving
from .arena import Segment
from .clipping import clipping, first_not_finite, norm_of
from .common import common_constants, common_moving
from .groups import (
    EXTRA_KEYS,
    TORCH_ONLY,
    Named,
    Parameters,
    ParamGroup,
    ParamGroups,
    check_extra,
    named_groups,
    refuse_shared_memory,
    refuse_torch_options,
    refuse_typo,
    refuse_unrepresentable,
)
from .hooks import (
    AFTER,
    BEFORE,
    EVERYWHERE,
    STEP_HOOKS,
    Hooks,
    RemovableHandle,
    are_running,
    around,
    hooked,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from .hyperparameters import Hyperparameter, Params, declared, documented
from .report import StepReport
from .state import State
from .validation import Validator, flag, non_negative

if TYPE_CHECKING:
    from tinygrad_lr.kernels._kernel import Kernel

__all__ = [
    "Optimizer",
    "kernels",
    "register_optimizer_step_post_hook",  # where torch has them, too
    "register_optimizer_step_pre_hook",
]


@cache
def kernels(module: str) -> dict[str, Kernel]:
    """The kernels of one file, imported at first use, because they bring Numba in.

    Args:
        module: a file of kernels/updates/, or the full name of a module elsewhere: one that has a dot.
    """
    name = module if "." in module else f"tinygrad_lr.kernels.updates.{module}"
    found: dict[str, Kernel] = importlib.import_module(name).KERNELS
    return found


KEPT_AS = "_compiled_runner"  # the attribute with the compiled step that `fit` leaves for the next call
# What is made anew in a copy, and is not pickled.
TRANSIENT = (
    KEPT_AS,
    "_groups",
    "_hooks_run_in",
    "_kept",
    "_load_hooks",
    "_lock",
    "_names",
    "_named",
    "_places",
    "_plans",
    "_rules",
    "_save_hooks",
    "_segments",
    "_step_hooks",
)


class Optimizer:
    """What all optimizers share. Not used itself: see `optim.OPTIMIZERS`.

    A class of the family is written as `class Mine(Optimizer, dialects=("paper", "torch"))`: the first dialect is the
    default. Its rule is a kernel.

    A class may also be written as in torch, with a `step` of its own in Python:

        class Mine(Optimizer):
            def __init__(self, params, lr=0.1):
                super().__init__(params, dict(lr=lr))

            def step(self, closure=None):
                for group in self.param_groups:
                    for p in group["params"]:
                        if p.grad is not None:
                            entry = self.state[p]  # a dict, for arrays and numbers
                            p.data -= group["lr"] * p.grad

    Groups, `state_dict`, hooks, schedulers, copies and `fit` work with it; compiled training needs a kernel.

    Several threads may share an optimizer: a step, its closure included, is one unit, and so are `zero_grad`,
    `add_param_group`, `state_dict` and `load_state_dict`.
    `copy.deepcopy` and `pickle` copy the parameters too: `copy.deepcopy((model, optimizer))` keeps the two together.

    Args:
        params: an iterable of Tensors, of (name, Tensor) pairs, or of dicts with a key "params" and hyperparameters of
            their own. The optimizer moves their values side by side into one buffer; `Tensor.data` stays a view of it.
        defaults: whose defaults a hyperparameter takes where it is None: a key of `dialects`. Or, for a class with a
            step of its own, a dict of all hyperparameters with their defaults.
        given: the hyperparameters by name, as a class has them in `locals()`; other names are ignored.

    Raises:
        TypeError: something that is no floating-point leaf Tensor, a set, or an unknown hyperparameter.
        ValueError: no parameters, one parameter twice, two that share memory, a value out of range, an unknown dialect.
    """

    # What a class of the family says.

    kernels: str
    """The file of its kernels: see `kernels` above."""
    examined: ClassVar[Sequence[Mapping[str, Any]]] = [{}]
    """Settings, besides the defaults of each dialect, in which tests, benchmarks and documents examine it: together
    they need every kernel."""
    counts_steps: ClassVar[bool] = True
    """Whether its rule depends on the number of the step, so that a saved state must have it: see `needs_step`."""
    numbers: ClassVar[Mapping[str, float]] = {}
    """What it keeps for each parameter besides arrays: numbers in float64, as they are before the first step."""
    torch_names: ClassVar[Mapping[str, str]] = {}
    """What torch calls a hyperparameter, where that is another name: constructors, groups and states may have it."""
    state_dtypes: ClassVar[Sequence[str]] = ("float32",)
    """How it can keep its state; "float32" stands for the parameters' dtype."""
    state_dtype: str = "float32"
    """How it keeps its state: one of `state_dtypes`."""

    def variant(self, group: Mapping[str, Any]) -> str:
        """Which of the kernel file's updates a group needs."""
        return "plain"

    @classmethod
    def kernels_for(cls, state_dtype: str) -> str:
        """The file of its kernels where it keeps its state so; of what it cannot keep so, the file of all others."""
        return f"{cls.kernels}_{state_dtype}" if state_dtype in cls.state_dtypes[1:] else cls.kernels

    @classmethod
    def every_kernel(cls, state_dtype: str = "float32") -> Sequence[Kernel]:
        """All kernels that a group may need where it keeps its state so."""
        return list(kernels(cls.kernels_for(state_dtype)).values())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        """The rule's scalars that neither the learning rate nor the step changes."""
        return common_constants(group)

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        """The rule's other scalars, at step t = 1, 2, ...; a group has the same ones at every step."""
        return common_moving(group)

    def next_numbers(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        """Its `numbers` in step t, from those after step t - 1, which `group` holds beside the hyperparameters.

        What it returns under other names is for `moving` in this step alone.
        """
        return {name: group[name] for name in self.numbers}

    def needs_step(self, group: Mapping[str, Any]) -> bool:
        """Whether the rule of a group depends on the number of the step."""
        return self.counts_steps

    def from_torch(self, values: Mapping[str, Any], params: Sequence[Tensor] = ()) -> dict[str, Any]:
        """Hyperparameters by the names that they have here, where some have torch's."""
        for theirs, ours in self.torch_names.items():
            if theirs in values and ours in values:
                raise TypeError(f"{theirs} is torch's name of {ours}; leave one of them out")
        return {self.torch_names.get(key, key): value for key, value in values.items()}

    def is_of_torch(self, saved: Mapping[str, Any]) -> bool:
        """Whether a saved group is one of torch's, which has none of the options by which dialects differ."""
        return any(key in saved for key in TORCH_ONLY)

    def constraints(self, group: Mapping[str, Any]) -> None:
        """Raise a ValueError where hyperparameters (the rate aside) contradict each other."""

    def refuse_change(self, group: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Raise a ValueError where values contradict what a group was made for."""

    def check_ready(self) -> None:
        """Raise a RuntimeError where no step can be made now."""

    def initial_state(self, group: Mapping[str, Any], key: str) -> float:
        """What a state array is filled with before the first step."""
        return 0.0

    # What follows from it.

    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = {}
    """By name; a class whose constructor is inherited may say some of them anew."""
    validators: Mapping[str, Validator] = {}
    dialects: ClassVar[Mapping[str, dict[str, Any]]] = {}
    """Every dialect's defaults; the first dialect is in force where none is named."""
    _arguments: ClassVar[Mapping[str, Hyperparameter | str]] = {}

    def __init_subclass__(cls, dialects: Sequence[str] = (), **more: Any) -> None:
        super().__init_subclass__(**more)
        if "step" in vars(cls):
            cls.step = hooked(cls.step)  # type: ignore[method-assign]
        names = tuple(dialects) or tuple(cls.dialects)
        own = names and "__init__" in vars(cls)  # without dialects the arguments say nothing: torch's way
        said = {**(declared(cls.__init__) if own else {}), **vars(cls).get("hyperparameters", {})}
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

    def __init__(
        self, params: Params, defaults: str | Mapping[str, Any], given: Mapping[str, Any] | None = None
    ) -> None:
        self._own_state: MutableMapping[Any, Any] | None = None  # where the step is written in Python
        groups = named_groups(params)
        members = [each.param for group in groups for each in group["params"]]
        if isinstance(defaults, Mapping) and given is None:
            self._own_state = defaultdict(dict)
            self.validators = {key: non_negative if key == "lr" else _as_it_is for key in defaults}
            self.defaults = self.checked(defaults)
        else:
            self.dialect, self.defaults = self._chosen_defaults(defaults, given or {}, members)
        self._has_called_step = False
        self._begin()
        self._refuse_duplicates(members)
        prepared = [part for group in groups for part in self._divided(group)]
        for values, members in prepared:
            self._adopt(values, members)

    def _chosen_defaults(
        self, dialect: Any, given: Mapping[str, Any], params: Sequence[Tensor]
    ) -> tuple[str, dict[str, Any]]:
        """The dialect, and each hyperparameter as it was given or as the dialect has it, checked."""
        name = type(self).__name__
        if not isinstance(dialect, str) or dialect not in self.dialects:
            known = ", ".join(map(repr, self.dialects))
            raise ValueError(f"{name} knows the dialects {known}; got {shown(dialect)}")
        options = {key: value for key, value in given.get("torch_options", {}).items() if key not in self.torch_names}
        for key in options:
            if key not in TORCH_ONLY:
                refuse_typo(key, self.validators, f"{name}.__init__() got an unexpected keyword argument {key!r}: it")
                raise TypeError(f"{name}.__init__() got an unexpected keyword argument {key!r}")
        refuse_torch_options(options)
        chosen = {key: given[key] for key in self.hyperparameters if given.get(key) is not None}
        theirs = {k: v for k, v in given.get("torch_options", {}).items() if k in self.torch_names and v is not None}
        chosen = self.from_torch({**chosen, **theirs}, params)
        return dialect, self.checked({**self.dialects[dialect], **chosen})

    def _begin(self) -> None:
        """Have no groups."""
        self._rules = _rules_of(self)
        self._lock = threading.RLock()
        self._step_hooks, self._save_hooks, self._load_hooks = Hooks(of_steps=True), Hooks(), Hooks()
        self._hooks_run_in: int | None = None  # the thread whose step runs them
        self._groups = ParamGroups()
        self._segments: list[list[Segment]] = []
        self._plans: list[Plan | None] = []
        self._places: dict[int, tuple[int, Segment, int]] = {}  # of each parameter by id: group, segment, place there
        self._named: dict[int, Named] = {}
        self._names: dict[int, str] = {}  # unique ones, for messages

    @property
    def param_groups(self) -> ParamGroups:
        """The groups: a list of dicts with "params" and hyperparameters. `add_param_group` makes it longer."""
        return self._groups

    @param_groups.setter
    def param_groups(self, value: object) -> NoReturn:
        raise AttributeError(
            "param_groups cannot be assigned; change a group's values, use add_param_group for more parameters, or "
            "build a new optimizer"
        )

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        """All of the rule's scalars at step t = 1, 2, ..., in float64, if all steps were made with these values."""
        numbers: Mapping[str, float] = self.numbers
        for earlier in range(1, step) if numbers else ():
            numbers = self.next_numbers({**group, **numbers}, earlier)
        return {**self.constants(group), **self.moving(self.numbered(group, step, numbers), step)}

    def numbered(self, group: Mapping[str, Any], step: int, before: Mapping[str, float]) -> Mapping[str, Any]:
        """A group with the `numbers` of step t beside its values, from those before the step: what `moving` takes."""
        if not self.numbers:
            return group
        now = {**group, **before}
        now.update(self.next_numbers(now, step))
        return now

    def kernel(self, group: Mapping[str, Any]) -> Kernel:
        """The kernel that updates a group."""
        return kernels(self.kernels)[self.variant(group)]

    def state_keys(self) -> set[str]:
        """Every name a state array of this optimizer can have."""
        return {key for kernel in self.every_kernel(self.state_dtype) for key in kernel.states}

    def needed(self, group: Mapping[str, Any]) -> Sequence[str]:
        """The states that a group's parameters have after their first step, as a state_dict names them."""
        return *self.kernel(group).states, *self.numbers

    def has_entry(self, segment: Segment, i: int) -> bool:
        """Whether a state_dict has an entry for parameter i of a segment: it made a step."""
        return segment.steps[i] > 0

    def saved(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The arrays that a state_dict holds for one parameter, from those that are kept: copies on the host."""
        return {key: saving.on_host(array) for key, array in state.items()}

    def kept(self, segment: Segment, i: int, saved: Mapping[str, Any]) -> dict[str, Any]:
        """The reverse of `saved`: new arrays to be kept for parameter i of a segment, checked."""
        known = {key: each.stored(key) for each in self.every_kernel(self.state_dtype) for key in each.states}
        return saving.converted(segment, i, saved, known)

    def _chosen(self) -> dict[str, Any]:
        """What was chosen for all groups at once, for `repr`."""
        return {"dialect": self.dialect} if self._own_state is None else {}

    # Groups.

    def checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Every hyperparameter, checked alone and together."""
        found = {key: self.validators[key](key, value) for key, value in values.items()}
        self.constraints(found)
        return found

    def checked_items(self, group: Mapping[str, Any], items: Mapping[str, Any]) -> dict[str, Any]:
        """What `group.update(items)` stores: every item checked alone, and all of them together with the group."""
        found = {}
        for key, value in self.from_torch(items, group["params"]).items():
            if key == "params":
                if value is group["params"]:
                    continue
                raise ValueError("a group's parameters cannot be assigned; use add_param_group for more parameters")
            found[key] = self.checked_item(key, value)
        if any(key in self.validators and key != "lr" for key in found):  # the rate stands in no constraint
            self.constraints({**group, **found})
        self.refuse_change(group, found)
        for key, value in found.items():
            if key in self.validators:
                refuse_unrepresentable(key, value, group["params"])
        return found

    def checked_item(self, key: str, value: Any) -> Any:
        """What a group stores for a key, whatever its other values."""
        if key in self.validators:
            return self.validators[key](key, value)
        if key in EXTRA_KEYS:
            return check_extra(key, value)
        if key in TORCH_ONLY:
            refuse_torch_options({key: value})
        else:
            refuse_typo(key, self.validators, type(self).__name__, open_to_others=self._own_state is not None)
        return value

    def _refuse_duplicates(self, params: list[Tensor]) -> None:
        seen = set(self._names)
        for param in params:
            if id(param) in seen:
                raise ValueError(
                    f"parameter {param.name or ''} of shape {param.shape} appears more than once; "
                    "give each parameter to one group, once"
                )
            seen.add(id(param))
        if self._own_state is None:
            refuse_shared_memory([*[each.param for each in self._named.values()], *params])

    def _prepared(self, group: dict[str, Any]) -> tuple[dict[str, Any], list[Named]]:
        """One group's values, checked against this optimizer, before anything is changed."""
        members: list[Named] = group["params"]
        if not members:
            raise ValueError("a parameter group is empty; leave it out or give it parameters")
        params = [each.param for each in members]
        given = self.from_torch({key: value for key, value in group.items() if key != "params"}, params)
        if self._own_state is None:  # None: the default
            given = {key: value for key, value in given.items() if value is not None or key not in self.validators}
        chosen = {key: value for key, value in given.items() if key in self.validators}
        hyperparameters = self.checked({**self.defaults, **chosen})
        for key, value in hyperparameters.items():
            refuse_unrepresentable(key, value, params)
        others = {key: self.checked_item(key, value) for key, value in given.items() if key not in self.validators}
        return {**hyperparameters, **others}, members

    def _divided(self, group: dict[str, Any]) -> list[tuple[dict[str, Any], list[Named]]]:
        """The groups that a class makes of one, each as `_prepared` gives it."""
        return [self._prepared(group)]

    def _adopt(self, values: dict[str, Any], members: Sequence[Named]) -> None:
        """Name the parameters, move them into arenas and append the group."""
        number = len(self._groups)
        taken = set(self._names.values())
        for i, each in enumerate(members):
            base = each.name or f"group{number}.param{i}"
            unique, copies = base, 1
            while unique in taken:
                copies += 1
                unique = f"{base}#{copies}"
            taken.add(unique)
            self._named[id(each.param)], self._names[id(each.param)] = each, unique
        params = [each.param for each in members]
        alike: dict[tuple[Any, str], list[Tensor]] = {}
        for param in params if self._own_state is None else ():
            alike.setdefault((param.dtype, param.device), []).append(param)
        segments = [Segment(p, [self._names[id(x)] for x in p], self.numbers) for p in alike.values()]
        self._places |= {id(p): (number, segment, i) for segment in segments for i, p in enumerate(segment.params)}
        self._segments.append(segments)
        self._plans.append(None)
        list.append(self._groups, ParamGroup({"params": Parameters(params), **values}, self._rules))

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
        with self._lock:
            self._refuse_duplicates([each.param for each in named["params"]])
            for values, members in self._divided(named):
                self._adopt(values, members)

    # Steps.

    def step(
        self,
        closure: Callable[[], Any] | None = None,
        *,
        max_norm: float | None = None,
        zero_grad: bool = False,
        skip_nonfinite: bool = False,
        report: bool = False,
    ) -> Any:
        """Update every parameter that has a gradient; parameters without one keep value, state and step count.

        With `max_norm` and `zero_grad` the gradients are read twice, for their norm and by the update that clips them,
        and never written: a whole step in one pass over the values and states.

        Args:
            closure: computes and returns the loss, called first and with gradients recorded, also inside `no_grad`
                (as in torch).
            max_norm: clip the gradients by their global norm, over all groups, in the same pass; `.grad` stays as it
                is (see `clip_grad_norm_`). None: no clipping.
            zero_grad: forget the gradients after the update, as `zero_grad()` does. Without, they stay.
            skip_nonfinite: where a gradient holds NaN or infinity, make no step: parameters, state and counts of steps
                stay as they are. This reads the gradients again.
            report: return a `StepReport`: whether the step was made, and why not, each group's rate, and the norm of
                the gradients. This reads the gradients again.

        Returns:
            What the closure returned, or None; with `report`, a `StepReport`, which has it as `loss`.

        Raises:
            TypeError: the closure cannot be called.
            ValueError: `max_norm` is not above 0.
            FloatingPointError: with `max_norm` and without `skip_nonfinite`, a gradient holds NaN or infinity; nothing
                is changed.
        """
        if STEP_HOOKS and (self._step_hooks or EVERYWHERE) and not are_running(self):  # one look where there are none
            given = {"max_norm": max_norm, "zero_grad": zero_grad, "skip_nonfinite": skip_nonfinite, "report": report}
            kwargs = {name: value for name, value in given.items() if value is not None and value is not False}
            return around(Optimizer.step, self, () if closure is None else (closure,), kwargs)
        if skip_nonfinite is not False or report is not False:
            skips, report = flag("skip_nonfinite", skip_nonfinite), flag("report", report)
            found = self._looking_step(closure, max_norm, flag("zero_grad", zero_grad), skips)
            return found if report else found.loss
        if zero_grad is not False:
            zero_grad = flag("zero_grad", zero_grad)
        with self._lock:
            self.check_ready()
            loss = None if closure is None else _with_gradients(closure)
            factor = 1.0 if max_norm is None else self._clipping(max_norm) or 1.0
            self._update(factor)
            self._has_called_step = True
            if zero_grad:
                self.zero_grad()
            return loss

    def _update(self, factor: float) -> None:
        """Make a step with the gradients times a factor."""
        for i, group in enumerate(self._groups):
            plan = self._plans[i]
            if plan is None or plan.changes != group.changes:
                plan = self._planned(i)
            kernel = plan.kernel
            for segment in self._segments[i]:
                on = "cuda" if segment.device == "cuda" else backend.get()
                for first, stop, step in segment.runs():
                    now = self.numbered(group, step + 1, segment.numbers[first])
                    scalars = plan.scalars(self.moving(now, step + 1), segment.dtype, factor)
                    plan.run(on, segment.buffers(first, stop, kernel.states, kernel.layout), scalars)
                    segment.advance(first, stop, step + 1, now)

    def _looking_step(
        self, closure: Callable[[], Any] | None, max_norm: float | None, zero_grad: bool, skips: bool
    ) -> StepReport:
        """Look at the gradients, and then make the step or pass it over."""
        with self._lock:
            self.check_ready()
            found = self._looked_at(None if closure is None else _with_gradients(closure), max_norm, skips)
            if found.applied:
                Optimizer.step(self, max_norm=max_norm, zero_grad=zero_grad)
            else:
                self._has_called_step = True  # a scheduler is right to go on
                if zero_grad:
                    self.zero_grad()
            return found

    def _looked_at(self, loss: Any, max_norm: float | None, skips: bool) -> StepReport:
        """What is known of a step before it is made.

        Args:
            skips: whether gradients that are not finite are passed over.
        """
        rates = tuple(group["lr"] for group in self._groups)
        grads, named = self._gradients()
        norm = norm_of(grads)
        if not any(param._grad is not None for group in self._groups for param in group["params"]):
            return StepReport(False, "no parameter has a gradient", rates, norm, loss=loss)
        wrong = first_not_finite(named()) if skips and not np.isfinite(norm) else ""
        if wrong:
            return StepReport(False, wrong, rates, norm, loss=loss)
        factor = 1.0 if max_norm is None else clipping(grads, max_norm, named)[1] or 1.0
        return StepReport(True, "", rates, norm, factor, loss)

    def train(self) -> None:
        """Have the parameters at which gradients are taken. Only Schedule-Free's differ from those of `eval()`."""

    def eval(self) -> None:
        """Have the parameters that predictions are made with: see `train`."""

    @property
    def has_stepped(self) -> bool | None:
        """Whether a step was made, here or in the run whose state was loaded; None: a class's own `step` does not
        tell."""
        segments = [segment for segments in self._segments for segment in segments]
        if self._has_called_step or any(step > 0 for segment in segments for step in segment.steps):
            return True
        return False if type(self).step is Optimizer.step else None

    def _planned(self, i: int) -> Plan:
        """The plan of group i as its hyperparameters are now, and its states made where they are new."""
        if self._own_state is not None:
            raise NotImplementedError(f"{type(self).__name__} has neither a kernel nor a step; write step(self)")
        group = self._groups[i]
        self._plans[i] = plan = Plan(self, group)
        for segment in self._segments[i]:
            for key in plan.kernel.states:
                segment.need(key, self.initial_state(group, key), *plan.kernel.stored(key))
        return plan

    def _clipping(self, max_norm: float) -> float | None:
        """The factor that clips the gradients; None where they are short enough."""
        grads, named = self._gradients()
        return clipping(grads, max_norm, named)[1]

    def _gradients(self) -> tuple[list[Any], Callable[[], list[tuple[str, Any]]]]:
        """All gradients on the host, run by run; and each parameter's with its name, for an error."""
        segments = [segment for segments in self._segments for segment in segments]
        grads = [to_host(each.buffers(first, stop, ())[1]) for each in segments for first, stop, _ in each.runs()]

        def named() -> list[tuple[str, Any]]:
            every = [param for each in segments for param in each.params if param._grad is not None]
            return [(self._names[id(param)], to_host(param._grad)) for param in every]

        return grads, named

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients.

        Args:
            set_to_none: True sets every gradient to None, and a parameter that gets none before the next step is left
                alone by it. False fills the gradients that exist with zeros: the step then decays and coasts.
        """
        if set_to_none is not True:
            set_to_none = flag("set_to_none", set_to_none)
        with self._lock:
            for segments in self._segments:
                for segment in segments:
                    segment.zero_grad(set_to_none)
            if self._own_state is not None:
                for param in [param for group in self._groups for param in group["params"]]:
                    if set_to_none or param._grad is None:
                        param._grad = None
                    else:
                        copy_into(param._grad, np.zeros(param.shape, param.dtype))

    # Hooks: hooks.py.

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Register a hook that runs before every step, after the earlier ones, as in torch.

        Args:
            hook: called as `hook(optimizer, args, kwargs)` with the arguments of the step. `args` begins with the
                optimizer; a closure comes next, also where it was given by its name. It returns None, or
                `(args, kwargs)`: the step is then made with these.

        Returns:
            A handle: `handle.remove()` removes the hook.

        Hooks are no part of `state_dict`, of copies and of pickles. A step that is compiled refuses them.

        Raises:
            TypeError: the hook cannot be called; in a step, it returns something else.

        Example:
            >>> from tinygrad_lr import optim, tensor
            >>> w = tensor([1.0, 2.0], requires_grad=True)
            >>> optimizer = optim.SGD([w], lr=0.5)
            >>> def centred(optimizer, args, kwargs):
            ...     for param in optimizer.param_groups[0]["params"]:
            ...         param.grad -= param.grad.mean()
            >>> handle = optimizer.register_step_pre_hook(centred)
            >>> w.grad = [1.0, 3.0]
            >>> optimizer.step()
            >>> w.data.tolist()
            [1.5, 1.5]
        """
        return self._step_hooks.register(BEFORE, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Register a hook that runs after every step, after the earlier ones, as in torch.

        Args:
            hook: called as `hook(optimizer, args, kwargs)`; what it returns is ignored. See `register_step_pre_hook`.

        Returns:
            A handle: `handle.remove()` removes the hook.

        Raises:
            TypeError: the hook cannot be called.
        """
        return self._step_hooks.register(AFTER, hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Register a hook that `state_dict` calls first, as `hook(optimizer)`.

        Args:
            hook: what it returns is ignored.
            prepend: call it before the earlier ones, not after them.

        Returns:
            A handle: `handle.remove()` removes the hook.

        Raises:
            TypeError: the hook cannot be called, or `prepend` is not True or False.
        """
        return self._save_hooks.register(BEFORE, hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Register a hook that `state_dict` calls last, as `hook(optimizer, state_dict)`.

        Args:
            hook: it may change the dict, or return another one in its place. A `Checkpoint` keeps what it gives.
            prepend: call it before the earlier ones, not after them.

        Returns:
            A handle: `handle.remove()` removes the hook.

        Raises:
            TypeError: the hook cannot be called, or `prepend` is not True or False.

        Example:
            >>> from tinygrad_lr import optim, ones
            >>> optimizer = optim.SGD([ones(2, requires_grad=True)])
            >>> handle = optimizer.register_state_dict_post_hook(lambda optimizer, saved: {**saved, "epoch": 3})
            >>> optimizer.state_dict()["epoch"]
            3
        """
        return self._save_hooks.register(AFTER, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Register a hook that `load_state_dict` calls first, as `hook(optimizer, state_dict)`.

        Args:
            hook: it gets a shallow copy of what is to be loaded. It may change that, or return another dict to load.
            prepend: call it before the earlier ones, not after them.

        Returns:
            A handle: `handle.remove()` removes the hook.

        Raises:
            TypeError: the hook cannot be called, or `prepend` is not True or False.
        """
        return self._load_hooks.register(BEFORE, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Register a hook that `load_state_dict` calls when everything is loaded, as `hook(optimizer)`.

        Args:
            hook: what it returns is ignored.
            prepend: call it before the earlier ones, not after them.

        Returns:
            A handle: `handle.remove()` removes the hook.

        Raises:
            TypeError: the hook cannot be called, or `prepend` is not True or False.
        """
        return self._load_hooks.register(AFTER, hook, prepend)

    # State.

    @property
    def has_own_step(self) -> bool:
        """Whether its class wrote `step` torch's way, so that no kernel updates its parameters."""
        return self._own_state is not None

    @property
    def state(self) -> MutableMapping[Any, Any]:
        """Per parameter that has made a step: `step` and the state arrays, live views in the parameter's shape.

        It is empty for a parameter before its first step. `clear()`, `state = {}` and `del state[p]` are a reset: the
        next step is the first. An entry may be assigned; it is checked as `load_state_dict` does.

        A class with a step of its own finds a dict for each parameter here, and fills it.

        Example:
            >>> from tinygrad_lr import optim, tensor
            >>> w = tensor([1.0], requires_grad=True)
            >>> optimizer = optim.Adam([w], betas=(0.5, 0.5))
            >>> w.grad = [4.0]
            >>> optimizer.step()
            >>> optimizer.state[w]["step"], optimizer.state[w]["exp_avg"]
            (1, array([2.], dtype=float32))
            >>> optimizer.state.clear()
            >>> optimizer.state[w]
            {}
        """
        return State(self) if self._own_state is None else self._own_state

    @state.setter
    def state(self, value: Mapping[Any, Any]) -> None:
        if not isinstance(value, Mapping):
            raise TypeError(f"an optimizer's state is a dict of entries by parameter, got {type(value).__name__}")
        if self._own_state is None:
            State(self).replace(value)
        else:
            self._own_state = value if isinstance(value, defaultdict) else defaultdict(dict, value)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue, as plain dicts, numbers and copies of arrays, in torch's layout.

        Returns:
            `{"state": {index: {"step": int, key: array}}, "param_groups": [{..., "params": [index], "param_names":
            [name]}]}`, with torch's key names for the state. "param_names" stands there where every parameter of the
            group has a name of its own: from a pair (name, Tensor), or from its module.
        """
        with self._lock:
            for hook in self._save_hooks.of(BEFORE):
                hook(self)
            found: dict[str, Any] = saving.dump(self)
            for hook in self._save_hooks.of(AFTER):
                said = hook(self, found)
                found = found if said is None else said
            return found

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a `state_dict()`: of this class, or of torch's optimizer of that name.

        Parameters are matched by position and shape, as in torch. Where both sides have names, and the same ones, they
        are matched by name, in any order. The string keys and the lists that JSON makes of a state are understood.
        Options by which dialects differ become torch's where the state is torch's, whose groups lack them.
        Nothing is changed unless everything fits, and nothing of `state_dict` is aliased.

        Raises:
            TypeError: not a dict of that layout, or an unknown hyperparameter.
            ValueError: names, counts, shapes or state keys that do not fit, an entry that lacks something or belongs to
                no parameter, or a value out of range.
        """
        with self._lock:
            before = self._load_hooks.of(BEFORE)
            given = copy.copy(state_dict) if before else state_dict
            for hook in before:
                said = hook(self, given)
                given = given if said is None else said
            saving.load(self, given)
            for hook in self._load_hooks.of(AFTER):
                hook(self)

    def saved_places(self, state_dict: Mapping[str, Any]) -> list[int]:
        """Where each parameter, in the order of the groups, stood among those of a `state_dict()`."""
        return saving.places(self, state_dict)

    def explain(self, name: str, index: int | tuple[int, ...] = ()) -> Any:
        """What the next step will do to one element, line by line of the formula: `verify.explain_step`.

        Args:
            name: of a parameter: "0.weight", or as messages name it.
            index: of the element; () for a parameter without axes.

        Returns:
            An `ElementStep`: gradient, states, corrections, every line with its value, the part of weight decay, the
            update and the effective rate. `print` shows it as text. Nothing is changed.

        Raises:
            ValueError: no formula is known, there is no parameter of that name, or it has no gradient.
            IndexError: there is no such element.

        Example:
            >>> from tinygrad_lr import optim, tensor
            >>> w = tensor([1.0, -2.0], requires_grad=True)
            >>> optimizer = optim.SGD([("w", w)], lr=0.1)
            >>> w.grad = [0.5, 0.25]
            >>> print(optimizer.explain("w", 1))
            Gradient descent with momentum (dialect article): step 1 of w[1]
            before  theta = -2, g = 0.25
              line                   value
              theta <- theta - lr g  -2.025
            after   decay part = 0, update = -0.025, effective rate = 0.1, theta after = -2.025
        """
        return explaining.explain(self, name, index)

    def formula_of(self, group: Mapping[str, Any]) -> tuple[type[Optimizer], Mapping[str, Any]]:
        """The class whose formula updates a group, and the group as that class has it: here this one."""
        return type(self), group

    def in_words(self) -> str:
        """A line on which parameters are updated by which rule; empty where there is one rule for all."""
        return ""

    def __repr__(self) -> str:
        chosen = ", ".join(f"{key}={value!r}" for key, value in self._chosen().items())
        lines = [f"{type(self).__name__}({chosen}"]
        for i, group in enumerate(self.param_groups):
            values = ", ".join(f"{key}={value!r}" for key, value in group.items() if key != "params")
            lines.append(f"  group {i}: {len(group['params'])} parameters, {values}")
        return "\n".join([*lines, ")"])

    # Copies.

    def __copy__(self) -> NoReturn:
        raise TypeError(
            "a shallow copy would move the same parameters; write copy.deepcopy((model, optimizer)), or build another "
            "optimizer"
        )

    def __getstate__(self) -> dict[str, Any]:
        """What `pickle` and `copy.deepcopy` keep: everything, and the parameters with it."""
        with self._lock:
            kept = {key: value for key, value in vars(self).items() if key not in TRANSIENT}
            return {**kept, "_groups": saving.pack(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        packed = state.pop("_groups")
        vars(self).update(state)
        self._begin()
        saving.unpack(self, packed)


def _as_it_is(name: str, value: Any) -> Any:
    return value


def _rules_of(optimizer: Optimizer) -> Optimizer:
    """What checks the groups' values: the optimizer as it is before it has groups.

    A group may live longer than its optimizer, and must not keep it, with all of its state, alive.
    """
    rules = object.__new__(type(optimizer))
    vars(rules).update({key: value for key, value in vars(optimizer).items() if key not in TRANSIENT})
    rules._own_state = None if optimizer._own_state is None else {}
    return rules


def _with_gradients(closure: Callable[[], Any]) -> Any:
    """What a closure returns, called with gradients recorded."""
    if not callable(closure):
        raise TypeError(f"step takes a function that computes the loss, or nothing; got {type(closure).__name__}")
    with enable_grad():
        return closure()


class Plan:
    """What the steps of one group have in common: its kernel, and its scalars as arrays, in which a step writes those
    that the rate or its number changes. It holds until a hyperparameter is assigned (`ParamGroup.changes`)."""

    __slots__ = ("_arrays", "_moving", "_sign", "_sign_at", "changes", "kernel", "run")

    def __init__(self, optimizer: Optimizer, group: ParamGroup) -> None:
        self.changes = group.changes
        self.kernel = optimizer.kernel(group)
        self.run = self.kernel.run
        moving = optimizer.moving(optimizer.numbered(group, 1, optimizer.numbers), 1)
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
