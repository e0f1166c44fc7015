"""Subjects for the checks: our own optimizers, and the formulas themselves run in plain NumPy.

`own(optim.Adam, dialect="torch")` and `naive("adam")` return makers: `make(params, **hyperparameters)` builds a subject
as check.py describes it. The naive subject is the honest reference and the body from which mutants are made: it
evaluates the formula in the dtype of each parameter, one parameter at a time.
"""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from .check import Array, Gradients, Maker
from .formulas import hyperparameter_names
from .specification import Specification


class Naive:
    """A formula as an optimizer over NumPy arrays, with groups and a state in torch's layout.

    Every part of a step that a bug can sit in is a method of its own, so that a mutant overrides one.
    """

    def __init__(self, name: str, params: list[Array], hyperparameters: dict[str, Any]) -> None:
        self.name = name
        self.params: list[Array] = []
        self.groups: list[dict[str, Any]] = []
        self.state: list[dict[str, Any]] = []
        self.add_group(params, **hyperparameters)

    def add_group(self, params: list[Array], **hyperparameters: Any) -> None:
        """Add parameters with hyperparameters of their own."""
        start = len(self.params)
        self.params.extend(np.array(p) for p in params)
        self.state.extend({} for _ in params)
        self.groups.append({**hyperparameters, "params": list(range(start, len(self.params)))})

    def set_hyperparameters(self, **changes: Any) -> None:
        """Change hyperparameters in every group."""
        for group in self.groups:
            group.update(changes)

    def step(self, grads: Gradients) -> None:
        """Update every parameter that has a gradient."""
        with np.errstate(all="ignore"):
            for group in self.groups:
                hyperparameters = {key: value for key, value in group.items() if key != "params"}
                for i in group["params"]:
                    if grads[i] is not None:
                        self.update(i, grads[i], hyperparameters)

    def update(self, i: int, g: Any, hyperparameters: dict[str, Any]) -> None:
        """One step of one parameter."""
        spec = Specification(self.name, hyperparameters)
        if not self.state[i]:
            self.state[i] = {"step": 0, **self.initial_state(spec, self.params[i])}
        self.state[i]["step"] += 1
        state = {key: value for key, value in self.state[i].items() if key != "step"}
        theta, state = self.formula(spec, self.params[i], g, state, self.state[i]["step"])
        self.write(i, theta, state)

    def initial_state(self, spec: Specification, theta: Array) -> dict[str, Any]:
        """The state before the first step, finite whatever theta holds."""
        return {key: np.asarray(value, theta.dtype) for key, value in spec.initial_state(np.zeros_like(theta)).items()}

    def formula(self, spec: Specification, theta: Array, g: Any, state: dict[str, Any], t: int) -> Any:
        """The update rule."""
        return spec.step(theta, g, state, t)

    def write(self, i: int, theta: Any, state: dict[str, Any]) -> None:
        """Store the results, in the parameter's dtype."""
        dtype = self.params[i].dtype
        self.params[i][...] = theta
        for key, value in state.items():
            self.state[i][key] = np.array(value, dtype).reshape(self.params[i].shape)

    def get_state(self) -> dict[str, Any]:
        """A copy of the state and the hyperparameters."""
        started = {i: copy.deepcopy(state) for i, state in enumerate(self.state) if state}
        return {"state": started, "param_groups": copy.deepcopy(self.groups)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self.state = [copy.deepcopy(state["state"].get(i, {})) for i in range(len(self.params))]
        self.groups = copy.deepcopy(state["param_groups"])


def naive(name: str, kind: type[Naive] = Naive) -> Maker:
    """A maker of the formula `name`, or of a mutant of it.

    Example:
        >>> subject = naive("sgd")([np.array([1.0])], lr=0.5)
        >>> subject.step([np.array([2.0])]); subject.params
        [array([0.])]
    """
    hyperparameter_names(name)
    return lambda params, **hyperparameters: kind(name, params, hyperparameters)


class Own:
    """One of the package's optimizers behind the protocol of check.py."""

    def __init__(self, cls: Any, params: list[Array], settings: dict[str, Any], device: str, backend: str) -> None:
        self._device, self._backend = device, backend
        self._tensors = self._as_tensors(params)
        self.optimizer = cls(self._tensors, **settings)

    def _as_tensors(self, params: list[Array]) -> list[Any]:
        from tinygrad_lr import Tensor

        return [Tensor(np.array(p), requires_grad=True, dtype=p.dtype, device=self._device) for p in params]

    @property
    def params(self) -> list[Array]:
        """The parameters' values (copies, where they live on a GPU)."""
        return [_on_host(tensor) for tensor in self._tensors]

    def step(self, grads: Gradients) -> None:
        """Assign the gradients and step."""
        for tensor, g in zip(self._tensors, grads, strict=True):
            tensor.grad = g
        with self._chosen_backend():
            self.optimizer.step()

    def _chosen_backend(self) -> AbstractContextManager[None]:
        from tinygrad_lr import backend

        return backend.using(self._backend) if self._backend else nullcontext()

    def add_group(self, params: list[Array], **hyperparameters: Any) -> None:
        """Add parameters with hyperparameters of their own."""
        tensors = self._as_tensors(params)
        self._tensors.extend(tensors)
        self.optimizer.add_param_group({"params": tensors, **hyperparameters})

    def set_hyperparameters(self, **changes: Any) -> None:
        """Change hyperparameters in every group."""
        for group in self.optimizer.param_groups:
            group.update(changes)

    def get_state(self) -> dict[str, Any]:
        """The optimizer's state_dict."""
        return self.optimizer.state_dict()

    def set_state(self, state: dict[str, Any]) -> None:
        """Load a state_dict."""
        self.optimizer.load_state_dict(state)


def _on_host(tensor: Any) -> Array:
    return tensor.data if tensor.device == "cpu" else tensor.detach().to("cpu").data


def own(cls: Any, *, dialect: str = "article", device: str = "cpu", backend: str = "") -> Maker:
    """A maker of one of `optim.OPTIMIZERS`.

    Args:
        cls: the class.
        dialect: whose defaults it takes for hyperparameters that are not given.
        device: "cpu" or "cuda".
        backend: "numba" or "numpy" for the steps on the CPU; empty: the backend in force.

    Example:
        >>> from tinygrad_lr import optim
        >>> subject = own(optim.SGD)([np.array([1.0])], lr=0.5)
        >>> subject.step([np.array([2.0])]); subject.params
        [array([0.])]
    """

    def make(params: list[Array], **hyperparameters: Any) -> Own:
        return Own(cls, params, {"dialect": dialect, **hyperparameters}, device, backend)

    return make


def specification(name: str, cls: Any, dialect: str, **changes: Any) -> Specification:
    """What a class claims to compute under a dialect: the formula `name` with the dialect's defaults, and changes.

    Example:
        >>> from tinygrad_lr import optim
        >>> specification("adam", optim.Adam, "torch", lr=0.5)["eps_placement"]
        'outside'
    """
    return Specification(name, {**cls.dialects[dialect], **changes})
