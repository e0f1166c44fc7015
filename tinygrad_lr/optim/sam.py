"""SAM around any optimizer: its step takes the gradient at the worst place nearby, which it climbs to first.

    e = rho g / ||g||;    theta <- the optimizer's step from theta, with the gradient at theta + e

Source: Foret, Kleiner, Mobahi and Neyshabur, ICLR 2021, arXiv:2010.01412, equation 2 with p = 2 and Algorithm 1. The
norm is over all parameters together. It and e are computed in float64, so that they neither overflow nor vanish. Where
the norm is 0, e is 0. The formula stands a second time in verify/formulas/sharpness.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_lr.engine.dtypes import to_host
from tinygrad_lr.engine.recording import enable_grad

from .around import Around, Inner, put, values_of
from .clipping import first_not_finite, norm_of
from .validation import flag, non_negative

__all__ = ["SAM"]


class SAM(Around):
    """Sharpness-aware minimization around an optimizer: two gradients for each step.

    `step(closure)` makes a whole step. Without a closure it is `first_step()`, then another forward and backward pass,
    then `second_step()`. `fit` and a `Checkpoint` take it; `fit` makes the second pass on the same batch, and with
    Dropout draws other masks there. Where the second pass raises, the parameters are where they were.

    Args:
        optimizer: an optimizer of tinygrad_lr.
        rho: how far to climb, at least 0. With 0 a step is the optimizer's.

    Raises:
        TypeError, ValueError: no optimizer, one that has a SAM around it already, or a `rho` out of range.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([2.0], requires_grad=True)
        >>> optimizer = SAM(optim.SGD([w], lr=0.25), rho=0.5)
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = (w * w).sum()
        ...     loss.backward()
        ...     return loss
        >>> optimizer.step(closure).item(), w.data.item()  # the gradient at 2.5 is 5
        (4.0, 0.75)
    """

    key = "sam"

    def __init__(self, optimizer: Inner, rho: float = 0.05) -> None:
        super().__init__(optimizer)
        if isinstance(optimizer, Around) and optimizer.needs_closure:
            raise ValueError(
                f"a SAM inside, in {type(optimizer).__name__}, needs a closure of its own in each step; take one SAM"
            )
        self.rho = non_negative("rho", rho)
        self._before: list[np.ndarray[Any, Any]] | None = None  # the values that were left, while the climb lasts

    def first_step(self, zero_grad: bool = False) -> None:
        """Climb: add rho g / ||g|| to the parameters that have a gradient.

        Args:
            zero_grad: forget the gradients then, for the second pass.

        Raises:
            RuntimeError: the climb is under way already.
            FloatingPointError: a gradient is not finite; nothing is changed.
        """
        zero_grad = flag("zero_grad", zero_grad)
        with self._lock:
            if self._before is not None:
                raise RuntimeError("first_step() was called twice; call second_step() after the second backward pass")
            params, grads = [param for param in self._params if param._grad is not None], self._grads()
            norm = norm_of(grads)
            if not np.isfinite(norm):
                names = (param.name or f"parameter {i}" for i, param in enumerate(params))
                wrong = first_not_finite(zip(names, grads, strict=True)) or "their norm is infinite"
                raise FloatingPointError(f"SAM cannot climb along gradients that are not finite: {wrong}")
            self._before = [values_of(param) for param in self._params]
            for param, grad in zip(params if norm else (), grads, strict=False):
                climb = grad.astype(np.float64) / norm * self.rho
                put(param, values_of(param) + climb.astype(param.dtype))
            if zero_grad:
                self.zero_grad()

    def second_step(self, zero_grad: bool = False, **options: Any) -> Any:
        """Go back to where the climb began, and make the optimizer's step with the gradients that there are now.

        Args:
            zero_grad: forget the gradients afterwards.
            options: as for the step of the optimizer.

        Returns:
            What the optimizer's step returns.

        Raises:
            RuntimeError: `first_step()` was not called.
        """
        with self._lock:
            if self._before is None:
                raise RuntimeError("second_step() goes back from where first_step() climbed to; call that first")
            self._go_back()
            return self.optimizer.step(zero_grad=zero_grad, **options)

    def step(self, closure: Callable[[], Any] | None = None, **options: Any) -> Any:
        """Make a whole step: the closure, the climb, the closure again, and the optimizer's step.

        Args:
            closure: forgets the gradients, computes the loss and its gradients, and returns the loss. It is called
                twice, with gradients recorded.
            options: as for the step of the optimizer. With `skip_nonfinite`, gradients of either call count.

        Returns:
            The loss of the first call; with `report`, a `StepReport` that has it.

        Raises:
            TypeError: there is no closure.
            FloatingPointError: without `skip_nonfinite`, a gradient of the first call is not finite; nothing is
                changed.
        """
        if not callable(closure):
            raise TypeError(
                "a step of SAM needs two gradients, and so a closure that computes the loss and its gradients: "
                "step(closure); or call first_step(), compute the gradients again, and call second_step()"
            )
        with self._lock, enable_grad():
            loss = closure()
            if options.get("skip_nonfinite") and not np.isfinite(norm_of(self._grads())):
                said = self.optimizer.step(**options)
            else:
                self.first_step(zero_grad=True)
                try:
                    closure()
                except BaseException:
                    self._go_back()
                    raise
                said = self.second_step(**options)
            return replace(said, loss=loss) if options.get("report") else loss

    @property
    def needs_closure(self) -> bool:
        """Whether a step takes a closure: it does."""
        return True

    def _grads(self) -> list[np.ndarray[Any, Any]]:
        return [to_host(param._grad) for param in self._params if param._grad is not None]

    def _go_back(self) -> None:
        before, self._before = self._before, None
        for param, values in zip(self._params, before or (), strict=False):
            put(param, values)

    def own_state(self) -> dict[str, Any]:
        if self._before is not None:
            raise RuntimeError("state_dict() between first_step() and second_step(): the parameters are in the climb")
        return {"rho": self.rho}

    def checked_state(self, saved: Mapping[str, Any], places: list[int]) -> Callable[[], None]:
        if "rho" not in saved:
            raise ValueError("the state of SAM lacks rho")
        rho = non_negative("rho", saved["rho"])

        def take() -> None:
            self.rho, self._before = rho, None

        return take

    def described(self) -> str:
        return f"rho={self.rho}"
