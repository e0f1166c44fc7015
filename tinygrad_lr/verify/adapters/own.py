"""Adapter of this package's optimizers, on a backend or a device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_lr import backend

from ..bounds import storage
from ..protocol import Array, Gradients, Maker
from ..specification import Specification
from .described import described
from .translation import Names

if TYPE_CHECKING:  # `tinygrad-lr explain` needs no engine
    from tinygrad_lr.optim import Optimizer


class OwnSubject:
    """One of this package's optimizers with the methods of protocol.py."""

    def __init__(self, cls: Any, params: list[Array], settings: dict[str, Any], device: str, backend: str) -> None:
        self.storage = storage.reads(settings.get("state_dtype") or "float32")
        self._device, self._backend = device, backend
        self._tensors = self._as_tensors(params)
        self.optimizer = cls(self._tensors, **settings)

    def _as_tensors(self, params: list[Array]) -> list[Any]:
        from tinygrad_lr.engine import Tensor

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


SMALLEST_CHUNK = 250_000  # of elements that a thread is given: kernels/_run.py, to which a test holds it


class Threads:
    """`with Threads()(3):` shares a step among three threads, if a parameter has at least `least_size` elements."""

    @property
    def least_size(self) -> int:
        """Enough elements for three threads; 0 where loops are not compiled, as they take a hundred times longer."""
        try:
            backend.require_compiler()
        except (RuntimeError, NotImplementedError):
            return 0
        return 3 * SMALLEST_CHUNK + 7

    def __call__(self, count: int) -> AbstractContextManager[None]:
        return backend.threads(count)


def _on_host(tensor: Any) -> Array:
    return tensor.data if tensor.device == "cpu" else tensor.detach().to("cpu").data


def own(
    cls: type[Optimizer],
    *,
    dialect: str | None = None,
    device: str = "cpu",
    backend: str = "",
    state_dtype: str | None = None,
    names: Names | None = None,
    without: Iterable[str] = (),
    state_names: Mapping[str, str | None] | None = None,
    prepare: Callable[[Any], Any] | None = None,
) -> Maker:
    """A maker of one of `optim.OPTIMIZERS`.

    Args:
        cls: the class.
        dialect: whose defaults it takes for hyperparameters that are not given. None: the class's first.
        device: "cpu" or "cuda".
        backend: "numba" or "numpy" for the steps on the CPU; empty: the backend in force.
        state_dtype: how Adam keeps its moments. None: as the class does by itself.
        names, without, state_names: as in `verify.adapters.torch`.
        prepare: called with the subject after it is built; its `optimizer` is the optimizer.

    Example:
        >>> from tinygrad_lr import optim
        >>> subject = own(optim.SGD)([np.array([1.0])], lr=0.5)
        >>> subject.step([np.array([2.0])]); subject.params
        [array([0.])]
    """

    fixed = {"dialect": dialect or next(iter(cls.dialects))}
    if state_dtype is not None:
        fixed["state_dtype"] = state_dtype

    def make(params: list[Array], **hyperparameters: Any) -> OwnSubject:
        return OwnSubject(cls, params, {**fixed, **hyperparameters}, device, backend)

    home = "tinygrad_lr.optim" if cls.__module__.startswith("tinygrad_lr.") else cls.__module__
    make.title = f"{home}.{cls.__name__}"  # type: ignore[attr-defined]
    make.language, make.target = "tinygrad_lr", f"{home}:{cls.__name__}"  # type: ignore[attr-defined]
    make.arguments = lambda hyperparameters: {**fixed, **hyperparameters}  # type: ignore[attr-defined]
    if device == "cpu" and backend != "numpy":
        make.threads = Threads()  # type: ignore[attr-defined]
    return described(make, names=names, without=without, state_names=state_names, prepare=prepare)


def specification(name: str, cls: type[Optimizer], dialect: str | None = None, **changes: Any) -> Specification:
    """What a class claims to compute under a dialect: the formula `name` with the dialect's defaults, and changes.

    Args:
        name: of the formula.
        cls: one of `optim.OPTIMIZERS`.
        dialect: None: the class's first.
        changes: hyperparameters.

    Example:
        >>> from tinygrad_lr import optim
        >>> specification("adam", optim.Adam, "torch", lr=0.5)["eps_placement"]
        'outside'
    """
    return Specification(name, {**cls.dialects[dialect or next(iter(cls.dialects))], **changes})
