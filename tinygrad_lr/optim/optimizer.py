"""Optimizer: parameter groups, one kernel call per run of parameters, state_dict. Read sgd.py next.

A class of the family says which hyperparameters it has and how each is checked (`validators`), what every dialect's
defaults are (`dialects`), which kernel a group needs (`variant`), and the rule's scalars, computed on the host in
float64: those that every step shares (`constants`) and those of step t (`moving`). Its groups: grouped.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from tinygrad_lr import Tensor, backend
from tinygrad_lr.engine.dtypes import to_host
from tinygrad_lr.kernels._run import run

from . import state as state_io
from .arena import Segment
from .clipping import clipping
from .grouped import Grouped
from .plan import Plan, kernels


class Optimizer(Grouped):
    """What all optimizers share. Not used itself: see `SGD`, `Adagrad`, `RMSprop`, `Adam` and `AdamW`.

    Args:
        params: an iterable of Tensors, of (name, Tensor) pairs, or of dicts with a key "params" and hyperparameters of
            their own. The optimizer moves their values side by side into one buffer; `Tensor.data` stays a view of it.
        dialect: whose defaults a hyperparameter takes where it is None: a key of `dialects`.
        given: the hyperparameters.

    Raises:
        TypeError: something that is no floating-point leaf Tensor, or an unknown hyperparameter.
        ValueError: no parameters, one parameter twice, a value out of range, an unknown dialect.
    """

    kernels: str

    # What a class of the family says.

    def variant(self, group: Mapping[str, Any]) -> str:
        """Which of the kernel file's updates a group needs."""
        raise NotImplementedError(f"{type(self).__name__} must name its kernel")

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        """The rule's scalars that neither the learning rate nor the step changes."""
        raise NotImplementedError(f"{type(self).__name__} must compute its scalars")

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        """The rule's other scalars, at step t = 1, 2, ...; a group has the same ones at every step."""
        raise NotImplementedError(f"{type(self).__name__} must compute its scalars")

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        """All of the rule's scalars at step t = 1, 2, ..., in float64."""
        return {**self.constants(group), **self.moving(group, step)}

    def kernel(self, group: Mapping[str, Any]) -> Any:
        """The `Kernel` that updates a group."""
        return kernels(self.kernels)[self.variant(group)]

    def initial_state(self, group: Mapping[str, Any], key: str) -> float:
        """What a state array is filled with before the first step."""
        return 0.0

    def state_keys(self) -> set[str]:
        """Every name a state array of this optimizer can have."""
        return {key for kernel in kernels(self.kernels).values() for key in kernel.states}

    def saved(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The arrays that a state_dict holds for one parameter, from those that are kept: copies on the host."""
        return {key: state_io.on_host(array) for key, array in state.items()}

    def kept(self, segment: Segment, i: int, saved: Mapping[str, Any]) -> dict[str, Any]:
        """The reverse of `saved`: new arrays to be kept for parameter i of a segment, checked."""
        return state_io.converted(segment, i, saved, self.state_keys())

    def _chosen(self) -> dict[str, Any]:
        """What was chosen for all groups at once, for `repr`."""
        return {"dialect": self.dialect}

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
        return state_io.dump(self)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a `state_dict()`: of this class, or of torch's optimizer of that name.

        Parameters are matched by name; a dict without `param_names` (torch's, unless it was built from named
        parameters) is matched by position. Shapes must be equal. Nothing is changed unless everything fits, and
        nothing of `state_dict` is aliased.

        Raises:
            TypeError: not a dict of that layout, or an unknown hyperparameter.
            ValueError: names, counts, shapes or state keys that do not fit, or a value out of range.
        """
        state_io.load(self, state_dict)

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
