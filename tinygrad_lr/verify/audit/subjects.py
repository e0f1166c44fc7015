"""Makers of optimizers that have neither torch's, optax's nor keras's interface: one for each library.

Each takes the name of the optimizer and the argument for each hyperparameter of the formula (`lr="learning_rate"`; a
list names an argument for each member), and fixed arguments under `fixed`. Next: running.py.
"""

from __future__ import annotations

import inspect
import os
import queue
import threading
import weakref
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from .. import adapters
from ..protocol import Array, Gradients, Maker, NotApplicable

Names = Mapping[str, Any]


def _arguments(given: Mapping[str, Any], names: Names) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in given.items():
        theirs = names[name]
        found.update({theirs: value} if isinstance(theirs, str) else dict(zip(theirs, value, strict=True)))
    return found


def _maker(
    build: Callable[[list[Array], dict[str, Any]], Any],
    target: str,
    names: Names,
    fixed: Mapping[str, Any],
    **traits: Any,
) -> Maker:
    def make(params: list[Array], **hyperparameters: Any) -> Any:
        return build(params, {**_arguments(hyperparameters, names), **fixed})

    about = {"takes": frozenset(names), "title": target.replace(":", "."), "target": target, **traits}
    for name, value in about.items():
        setattr(make, name, value)
    return make


class Arrays:
    """Parameters as NumPy arrays. A gradient that is missing is not handed on where the library knows none."""

    def __init__(self, params: list[Array]) -> None:
        self.params = [np.array(p) for p in params]


class _Sklearn(Arrays):
    def __init__(self, cls: Any, params: list[Array], settings: dict[str, Any]) -> None:
        super().__init__(params)
        self.optimizer = cls(self.params, **settings)

    def step(self, grads: Gradients) -> None:
        self.optimizer.update_params(self.params, grads)


def sklearn(target: str, names: Names, fixed: Mapping[str, Any] | None = None) -> Maker:
    """scikit-learn's optimizers of multi-layer perceptrons: `cls(params, ...)`, `update_params(params, grads)`."""
    cls = getattr(import_module("sklearn.neural_network._stochastic_optimizers"), target)
    return _maker(
        lambda params, settings: _Sklearn(cls, params, settings),
        f"sklearn.neural_network._stochastic_optimizers:{target}",
        names,
        fixed or {},
        missing_gradients=False,
        dimensions=1,
    )


class _Ended(Exception):
    """Nobody steps an optimizer any more."""


class _Autograd(Arrays):
    """autograd's optimizers are loops that ask for gradients. The loop runs in a thread, which waits for each of them.

    After a step the loop asks for the next gradient, at the new parameters: these are the result.
    """

    def __init__(self, run: Any, params: list[Array], settings: dict[str, Any]) -> None:
        super().__init__(params)
        grads, asked = queue.SimpleQueue[Any](), queue.SimpleQueue[Any]()
        self._grads, self._asked = grads, asked

        def gradient(at: list[Array], _: int) -> list[Array]:
            asked.put([np.array(p) for p in at])
            given = grads.get()
            if given is None:
                raise _Ended
            return list(given)

        def loop(start: list[Array]) -> None:
            try:
                run(gradient, start, num_iters=2**62, **settings)
            except BaseException as error:
                asked.put(error)

        threading.Thread(target=loop, args=([np.array(p) for p in params],), daemon=True).start()
        weakref.finalize(self, grads.put, None)
        self._read()

    def _read(self) -> list[Array]:
        found = self._asked.get()
        if isinstance(found, BaseException):
            raise found
        return list(found)

    def step(self, grads: Gradients) -> None:
        self._grads.put([np.array(g) for g in grads])
        for mine, new in zip(self.params, self._read(), strict=True):
            mine[...] = new


def autograd(target: str, names: Names, fixed: Mapping[str, Any] | None = None) -> Maker:
    """autograd's `adam(grad, x0, num_iters=, ...)`."""
    run = getattr(import_module("autograd.misc.optimizers"), target)
    return _maker(
        lambda params, settings: _Autograd(run, params, settings),
        f"autograd.misc.optimizers:{target}",
        names,
        fixed or {},
        missing_gradients=False,
        mixes_dtypes=False,  # it flattens all parameters into one array
    )


class _Tinygrad:
    def __init__(self, cls: Any, params: list[Array], settings: dict[str, Any]) -> None:
        self._library = import_module("tinygrad")
        with self._on_the_device():
            self._tensors = [self._library.Tensor(np.array(p)) for p in params]
            self.optimizer = cls(self._tensors, **settings)

    def _on_the_device(self) -> Any:
        """The device that the environment names, in this thread, too, and what training needs."""
        return self._library.Context(DEV=os.environ.get("DEV", ""), TRAINING=1)

    @property
    def params(self) -> list[Array]:
        with self._on_the_device():
            # a constant is on no device, and is read on the CPU's, which needs a compiler
            device = self._library.Device.DEFAULT
            placed = (t if t.uop.device else t.clone(device) for t in self._tensors)
            return [np.array(tensor.numpy()) for tensor in placed]

    def step(self, grads: Gradients) -> None:
        with self._on_the_device():
            for tensor, g in zip(self._tensors, grads, strict=True):
                tensor.grad = self._library.Tensor(np.array(g))
            self.optimizer.step()


def tinygrad(target: str, names: Names, fixed: Mapping[str, Any] | None = None) -> Maker:
    """tinygrad's `nn.optim`."""
    cls = getattr(import_module("tinygrad.nn.optim"), target)
    return _maker(
        lambda params, settings: _Tinygrad(cls, params, settings),
        f"tinygrad.nn.optim:{target}",
        names,
        fixed or {},
        missing_gradients=False,
        dimensions=1,  # with none a step raises ValueError: cannot broadcast tensor to fewer dimensions
    )


class _Thinc(Arrays):
    def __init__(self, factory: Any, params: list[Array], settings: dict[str, Any]) -> None:
        super().__init__(params)
        if any(p.dtype != np.float32 or p.ndim == 0 for p in self.params):
            raise NotApplicable("thinc updates float32 arrays of one dimension or more")
        self.optimizer = factory(**settings)

    def step(self, grads: Gradients) -> None:
        for i, (p, g) in enumerate(zip(self.params, grads, strict=True)):
            if g is not None:
                p[...] = self.optimizer((i, "W"), np.array(p), np.array(g))[0]
        self.optimizer.step_schedules()


def thinc(target: str, names: Names, fixed: Mapping[str, Any] | None = None) -> Maker:
    """thinc's `Optimizer`, called with a key, the weights and their gradient, which it sets to zero."""
    factory = getattr(import_module("thinc.optimizers"), target)
    return _maker(
        lambda params, settings: _Thinc(factory, params, settings),
        f"thinc.api:{target}",
        names,
        fixed or {},
        dimensions=1,
    )


class _NumpyMl(Arrays):
    def __init__(self, cls: Any, params: list[Array], settings: dict[str, Any]) -> None:
        super().__init__(params)
        self.optimizer = cls(**settings)

    def step(self, grads: Gradients) -> None:
        for i, (p, g) in enumerate(zip(self.params, grads, strict=True)):
            if g is not None:
                p[...] = self.optimizer.update(p, g, f"p{i}")


def numpy_ml(target: str, names: Names, fixed: Mapping[str, Any] | None = None) -> Maker:
    """numpy-ml's `update(param, param_grad, param_name)`, which returns the new parameter."""
    cls = getattr(import_module("numpy_ml.neural_nets.optimizers.optimizers"), target)
    return _maker(
        lambda params, settings: _NumpyMl(cls, params, settings),
        f"numpy_ml.neural_nets.optimizers:{target}",
        names,
        fixed or {},
    )


class _LikeTorch:
    """Optimizers over torch's tensors that derive from a base class of their own."""

    def __init__(self, factory: Any, params: list[Array], settings: dict[str, Any]) -> None:
        self._torch = import_module("torch")
        self._tensors = [self._torch.tensor(np.asarray(p), requires_grad=True) for p in params]
        self.optimizer = factory(self._tensors, **settings)

    @property
    def params(self) -> list[Array]:
        return [tensor.detach().numpy() for tensor in self._tensors]

    def step(self, grads: Gradients) -> None:
        for tensor, g in zip(self._tensors, grads, strict=True):
            tensor.grad = None if g is None else self._torch.from_numpy(np.asarray(g))
        self.optimizer.step()


def like_torch(target: str, names: Names, fixed: Mapping[str, Any] | None = None, **traits: Any) -> Maker:
    """`factory(tensors, ...)` with `step()`, in torchopt and fastai: "module:Name"."""
    module, _, name = target.partition(":")
    factory = getattr(import_module(module), name)
    return _maker(lambda params, settings: _LikeTorch(factory, params, settings), target, names, fixed or {}, **traits)


def sophia(target: str, names: Names, fixed: Mapping[str, Any] | None = None) -> Maker:
    """sophia_opt's `SophiaG`, whose caller says when the Hessian is estimated: here before the first of ten steps."""
    module = import_module("sophia_opt")

    class Told(getattr(module, target)):  # type: ignore[misc]
        """Counts by the state of each parameter, so that a loaded run goes on."""

        def step(self, closure: Any = None) -> Any:
            params = [p for group in self.param_groups for p in group["params"]]
            held = [(p, p.grad) for p in params if int(self.state.get(p, {}).get("step", 0)) % 10]
            for p, _ in held:
                p.grad = None
            self.update_hessian()
            for p, grad in held:
                p.grad = grad
            return super().step(closure)

    Told.__module__, Told.__qualname__ = module.__name__, target
    return adapters.torch(Told, names=dict(names), **(fixed or {}))


def nadir(target: str, names: Names, fixed: Mapping[str, Any] | None = None) -> Maker:
    """nadir's `cls(params, config)`, whose config is a dataclass of hyperparameters."""
    cls = getattr(import_module("nadir"), target)
    config = type(inspect.signature(cls).parameters["config"].default)
    return _maker(
        lambda params, settings: _LikeTorch(lambda tensors: cls(tensors, config(**settings)), params, {}),
        f"nadir:{target}",
        names,
        fixed or {},
    )
