"""Adapter of torch's optimizers. Arrays share memory with torch's tensors, so that aliasing in torch shows here."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..protocol import Array, Gradients
from .translation import PeerMaker, imported, takes

_SAME = (
    "lr",
    "betas",
    "eps",
    "weight_decay",
    "amsgrad",
    "maximize",
    "decoupled_weight_decay",
    "momentum",
    "dampening",
    "nesterov",
    "alpha",
    "centered",
    "rho",
    "lambd",
    "t0",
    "etas",
    "step_sizes",
    "momentum_decay",
    "lr_decay",
    "initial_accumulator_value",
    "beta2_decay",
)
NAMES: dict[str, str | tuple[str, ...]] = {
    **{name: name for name in _SAME},
    "epsilons": "eps",
    "clip_threshold": "d",
    "coefficients": "ns_coefficients",
    "iterations": "ns_steps",
}


class TorchSubject:
    """One of torch's optimizers with the methods of protocol.py."""

    def __init__(self, cls: Any, params: list[Array], settings: dict[str, Any]) -> None:
        self._torch = imported("torch", "torch==2.13.0")
        self._tensors = self._of(params)
        self.optimizer = cls(self._tensors, **settings)

    def _of(self, params: list[Array]) -> list[Any]:
        return [self._torch.tensor(np.asarray(p), requires_grad=True) for p in params]

    @property
    def params(self) -> list[Array]:
        """The parameters' values, in torch's memory."""
        return [tensor.detach().numpy() for tensor in self._tensors]

    def step(self, grads: Gradients) -> None:
        """Assign the gradients, sharing memory, and step."""
        for tensor, g in zip(self._tensors, grads, strict=True):
            tensor.grad = None if g is None else self._torch.from_numpy(np.asarray(g))
        self.optimizer.step()

    def add_group(self, params: list[Array], **hyperparameters: Any) -> None:
        """Add parameters with hyperparameters of their own."""
        tensors = self._of(params)
        self._tensors += tensors
        known = self.optimizer.defaults
        self.optimizer.add_param_group({"params": tensors, **{k: v for k, v in hyperparameters.items() if k in known}})

    def set_hyperparameters(self, **changes: Any) -> None:
        """Change hyperparameters in every group."""
        for group in self.optimizer.param_groups:
            group.update(changes)

    def get_state(self) -> dict[str, Any]:
        """torch's state_dict with NumPy arrays in the place of tensors, and step counts as integers."""
        saved = self.optimizer.state_dict()
        state = {
            index: {key: self._plain(key, value) for key, value in entries.items() if value is not None}
            for index, entries in saved["state"].items()
        }
        return {"state": state, "param_groups": saved["param_groups"]}

    def _plain(self, key: str, value: Any) -> Any:
        if key == "step":
            return int(value)
        return value.numpy() if isinstance(value, self._torch.Tensor) else value

    def set_state(self, state: dict[str, Any]) -> None:
        """Load a state, in the layout of `get_state`, into torch."""
        entries = {
            index: {key: self._tensor(key, value) for key, value in each.items()}
            for index, each in state["state"].items()
        }
        self.optimizer.load_state_dict({"state": entries, "param_groups": state["param_groups"]})

    def _tensor(self, key: str, value: Any) -> Any:
        if key == "step":
            return self._torch.tensor(float(value))
        return self._torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def torch(cls: Any, **fixed: Any) -> PeerMaker:
    """A maker of one of torch's optimizers: `torch(torch.optim.Adam)`.

    Args:
        cls: a subclass of torch.optim.Optimizer.
        fixed: arguments that every one is built with, such as `foreach=True`.

    Raises:
        ImportError: torch is missing; the message names the remedy.
        TypeError: not an optimizer class of torch.
    """
    library = imported("torch", "torch==2.13.0")
    if not (isinstance(cls, type) and issubclass(cls, library.optim.Optimizer)):
        raise TypeError(f"expected a class such as torch.optim.Adam, got {cls!r}")
    return PeerMaker(
        lambda params, settings: TorchSubject(cls, params, settings),
        f"torch.optim.{cls.__name__}",
        NAMES,
        takes(cls, NAMES),
        fixed,
        missing_gradients=True,
    )
