"""Lookahead around any optimizer: slow weights that follow the fast ones every k steps.

    theta <- the optimizer's step;    in every k-th step: phi <- phi + alpha (theta - phi); theta <- phi

Source: Zhang, Lucas, Hinton and Ba, NeurIPS 2019, arXiv:1907.08610, Algorithm 1. phi, the slow weights, starts where
theta is at the first step; the optimizer's own state goes on. The formula stands a second time in
verify/formulas/lookahead.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinygrad_lr.integers import whole_number

from .around import Around, Inner, put, values_of
from .saving import as_array
from .validation import fraction

__all__ = ["Lookahead"]


class Lookahead(Around):
    """Lookahead around an optimizer; schedulers, `fit` and a `Checkpoint` take it as they take the optimizer.

    Args:
        optimizer: an optimizer of tinygrad_lr, whose steps move the fast weights.
        k: in every k-th step the slow weights follow, at least 1.
        alpha: how far they go, in [0, 1].

    Attributes:
        optimizer, k, alpha: as given.
        steps: how many steps were made.

    Raises:
        TypeError, ValueError: no optimizer, or a `k` or `alpha` out of range.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = Lookahead(optim.SGD([w], lr=0.5), k=2, alpha=0.5)
        >>> for _ in range(4):
        ...     w.grad = [1.0]
        ...     optimizer.step()
        ...     print(w.data.item())
        0.5
        0.5
        0.0
        0.0
    """

    key = "lookahead"

    def __init__(self, optimizer: Inner, k: int = 5, alpha: float = 0.5) -> None:
        super().__init__(optimizer)
        self.k, self.alpha = whole_number("k", k, least=1), fraction("alpha", alpha)
        self.steps = 0
        self._slow: list[np.ndarray[Any, Any]] = []  # of each parameter, in the order of the groups

    def step(self, closure: Callable[[], Any] | None = None, **options: Any) -> Any:
        """Make a step of the optimizer; in every k-th one the slow weights follow, and become the parameters.

        Args:
            closure, options: as for the step of the optimizer. A step that it skips (`skip_nonfinite`) does not count.

        Returns:
            What the optimizer's step returns.
        """
        with self._lock:
            params = self._params
            self._slow += [values_of(param) for param in params[len(self._slow) :]]
            if options.get("skip_nonfinite"):
                found = self.optimizer.step(closure, **{**options, "report": True})
                if not found.applied:
                    return found if options.get("report") else found.loss
                said = found if options.get("report") else found.loss
            else:
                said = self.optimizer.step(closure, **options)
            self.steps += 1
            if self.steps % self.k == 0:
                for i, param in enumerate(params):
                    slow = self._slow[i]
                    self._slow[i] = slow + self.alpha * (values_of(param) - slow)
                    put(param, self._slow[i])
            return said

    def own_state(self) -> dict[str, Any]:
        slow = [each.copy() for each in self._slow]
        return {"k": self.k, "alpha": self.alpha, "steps": self.steps, "slow_weights": slow}

    def checked_state(self, saved: Mapping[str, Any], places: list[int]) -> Callable[[], None]:
        missing = sorted({"k", "alpha", "steps", "slow_weights"} - set(saved))
        if missing:
            raise ValueError(f"the state of Lookahead lacks {', '.join(missing)}")
        k, alpha = whole_number("k", saved["k"], least=1), fraction("alpha", saved["alpha"])
        steps, arrays = whole_number("steps", saved["steps"], least=0), saved["slow_weights"]
        if steps and len(arrays) != len(places):
            raise ValueError(f"the state of Lookahead has {len(arrays)} slow weights for {len(places)} parameters")
        slow = []
        for i, (param, place) in enumerate(zip(self._params, places, strict=True) if len(arrays) else ()):
            values = as_array(f"slow weight {place}", arrays[place])
            if values.shape != param.shape or values.dtype.kind != "f":
                raise ValueError(
                    f"slow weight {place} is {values.dtype} {values.shape}, and parameter {i} is {param.dtype} "
                    f"{param.shape}"
                )
            slow.append(values.astype(param.dtype))

        def take() -> None:
            self.k, self.alpha, self.steps, self._slow = k, alpha, steps, slow

        return take

    def described(self) -> str:
        return f"k={self.k}, alpha={self.alpha}"
