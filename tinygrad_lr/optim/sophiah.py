"""Sophia-H: momentum over estimates of the Hessian's diagonal, clipped. Kernels: kernels/updates/sophiah.py and
hessian.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from tinygrad_lr import backend
from tinygrad_lr.engine import Tensor
from tinygrad_lr.engine.dtypes import to_device, to_host
from tinygrad_lr.kernels._run import run

from . import saving
from .arena import Segment
from .clipping import first_not_finite
from .common import always_decoupled, moments
from .hyperparameters import Hyperparameter, Maximize, Params, TorchOptions
from .optimizer import Optimizer
from .validation import decay_rates, flag, non_negative

STATE = "hessian"


class SophiaH(Optimizer, dialects=("paper", "optax")):
    """Sophia-H: theta <- theta - lr clip(m / max(rho h, eps), 1), h being an average of the Hessian's diagonal.

    m averages g. The caller gives h: see `update_hessian`, which the paper calls in every tenth step. A step, eager or
    compiled, leaves h as it is. With h = 0, before the first estimate, each element moves by lr along the sign of m.
    Source: Liu et al., arXiv:2305.14342, Algorithm 3; rho is what the paper writes as gamma.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0, 1.0], requires_grad=True)
        >>> optimizer = optim.SophiaH([w], lr=0.5, betas=(0.0, 0.0), rho=1.0, weight_decay=0.0)
        >>> optimizer.update_hessian([[8.0, 0.5]])  # the second derivatives of 4 x^2 + y^2 / 4
        >>> w.grad = [8.0, 0.5]
        >>> optimizer.step(); w.data.tolist()  # half a step of Newton's
        [0.5, 0.5]
    """

    kernels = "sophiah"
    examined = [
        {},
        {"betas": (0.5, 0.6), "rho": 0.5, "initial_hessian": 2.0, "eps": 0.1},
        {"maximize": True, "bias_correction": True, "rho": 1.0, "initial_hessian": 0.7, "weight_decay": 0.1},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-4)] = None,
        betas: Annotated[
            tuple[float, float] | None,
            Hyperparameter("decay rates of m and h, each in [0, 1)", decay_rates, (0.96, 0.99), optax=(0.965, 0.99)),
        ] = None,
        rho: Annotated[float | None, Hyperparameter("by which h is multiplied, at least 0", non_negative, 0.01)] = None,
        eps: Annotated[
            float | None, Hyperparameter("the least divisor, at least 0", non_negative, 1e-12, optax=1e-8)
        ] = None,
        weight_decay: Annotated[
            float | None,
            Hyperparameter("at least 0; theta is multiplied by 1 - lr * weight_decay", non_negative, 0.2, optax=1e-4),
        ] = None,
        *,
        maximize: Maximize = None,
        initial_hessian: Annotated[
            float | None, Hyperparameter("h before the first estimate, at least 0", non_negative, 0.0)
        ] = None,
        bias_correction: Annotated[
            bool | None, Hyperparameter("divide m by 1 - beta1^t in the step", flag, False, optax=True)
        ] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def initial_state(self, group: Mapping[str, Any], key: str) -> float:
        return float(group["initial_hessian"]) if key == STATE else 0.0

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {
            **moments(group["betas"][:1]),
            "sign": _sign(group),
            "rho": group["rho"],
            "eps": group["eps"],
            "zero": 0.0,
            "one": 1.0,
        }

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        inverse1 = 1.0 / (1.0 - group["betas"][0] ** step) if group["bias_correction"] else 1.0
        return {**always_decoupled(group), "inverse1": inverse1}

    def update_hessian(self, estimates: Mapping[Any, Any] | Sequence[Any]) -> None:
        """Take estimates of the Hessian's diagonal: h <- beta2 h + (1 - beta2) estimate, in the parameters' dtype.

        Call it before a step that is to use the estimates, say in every tenth one. `optim.SophiaH(dialect="optax")`
        makes optax's steps where it is called after the step. Hutchinson's estimate (Algorithm 1) is u * (H u) for a
        drawn vector u; u is normal in the paper, and +1 or -1 in optax. H u is what the gradient changes by along u.

        Estimates are not clipped with the gradients. Where an objective is maximised, give the estimates of its own
        Hessian. No step changes h, eager or compiled. In `fit`, also compiled, a callback may give the estimates, in
        `on_step` or `on_epoch`. `state` and `state_dict` have h, also where it was given before the first step.

        Args:
            estimates: a list with an array, a Tensor or nested lists for each parameter, in the order of the groups,
                each of the parameter's shape; None leaves the h of a parameter as it is. Or a dict from parameters, or
                from their names, to such estimates; the h of others stays.

        Raises:
            TypeError: neither a list nor a dict, or an estimate that holds no real numbers.
            ValueError: another count of estimates, something that is no parameter of this optimizer, another shape, or
                a value that the parameter's dtype cannot hold.
            FloatingPointError: an estimate holds NaN or infinity. In all these cases no h is changed.

        Example:
            >>> import numpy as np
            >>> from tinygrad_lr import optim, tensor
            >>> a, w = tensor([100.0, 1.0]), tensor([1.0, 1.0], requires_grad=True)
            >>> def gradient(point):
            ...     w.data[...] = point
            ...     optimizer.zero_grad()
            ...     (0.5 * a * w * w).sum().backward()
            ...     return w.grad.copy()
            >>> optimizer = optim.SophiaH([w], betas=(0.9, 0.0))
            >>> at, u = w.data.copy(), np.array([1.0, -1.0], np.float32)
            >>> change = gradient(at + u) - gradient(at)  # H u, exactly: the function is quadratic
            >>> optimizer.update_hessian([u * change])
            >>> optimizer.step()
            >>> optimizer.state[w]["hessian"].tolist()
            [100.0, 1.0]
        """
        from tinygrad_lr.kernels.updates.hessian import AVERAGE

        with self._lock:
            for param, estimate in self._checked_estimates(estimates):
                number, segment, i = self._places[id(param)]
                group = self._groups[number]
                for key in self.kernel(group).states:
                    segment.need(key, self.initial_state(group, key))
                low, high = segment.place(STATE, i)
                if low == high:
                    continue
                beta2 = group["betas"][1]
                scalars = np.array([beta2, 1.0 - beta2, _sign(group)]).astype(segment.dtype)
                on_gpu = segment.device == "cuda"
                arrays = segment.states[STATE][low:high], to_device(estimate) if on_gpu else estimate
                run(AVERAGE, "cuda" if on_gpu else backend.get(), arrays, scalars)

    def _checked_estimates(self, estimates: Any) -> list[tuple[Tensor, np.ndarray[Any, Any]]]:
        """Each parameter with its estimate, flat and in its dtype."""
        found = []
        for param, given in self._matched_estimates(estimates):
            what = f"the estimate of {self._names[id(param)]}"
            array = saving.as_array(what, given)
            if array.dtype.kind not in "fiu":
                raise TypeError(f"{what} must hold real numbers, got {array.dtype}")
            if array.shape != param.shape:
                raise ValueError(
                    f"{what} must have the parameter's shape {param.shape}, got {array.shape}; give the diagonal of "
                    "the Hessian, an element for each of the parameter's"
                )
            wrong = first_not_finite([(what, array)], "")
            if wrong:
                raise FloatingPointError(f"{wrong}; no h was changed; leave this estimate out")
            found.append((param, saving.held(what, array, param.dtype).ravel()))
        return found

    def _matched_estimates(self, estimates: Any) -> list[tuple[Tensor, Any]]:
        """Each parameter with what was given for it."""
        params = [param for group in self._groups for param in group["params"]]
        if isinstance(estimates, Mapping):
            known: dict[Any, Tensor] = {key: param for param in params for key in (param, self._names[id(param)])}
            unknown = [key for key in estimates if key not in known]
            if unknown:
                shown = f"a Tensor of shape {unknown[0].shape}" if isinstance(unknown[0], Tensor) else repr(unknown[0])
                raise ValueError(
                    f"an estimate is given for {shown}, which is no parameter of this optimizer; "
                    f"they are {list(self._names.values())}"
                )
            found = [(known[key], estimate) for key, estimate in estimates.items()]
            if len({id(param) for param, _ in found}) < len(found):
                raise ValueError("a parameter has two estimates, under itself and under its name; give one of them")
        elif isinstance(estimates, (list, tuple)):
            if len(estimates) != len(params):
                raise ValueError(
                    f"the optimizer has {len(params)} parameters, got {len(estimates)} estimates; give one for each, "
                    "None for those that have none"
                )
            found = list(zip(params, estimates, strict=True))
        else:
            raise TypeError(
                "expected a list with an estimate for each parameter, or a dict from parameters to estimates, got "
                f"{type(estimates).__name__}"
            )
        return [(param, estimate) for param, estimate in found if estimate is not None]

    def has_entry(self, segment: Segment, i: int) -> bool:
        """Also where an estimate came before the first step."""
        if super().has_entry(segment, i) or STATE not in segment.states:
            return super().has_entry(segment, i)
        group = self._groups[self._places[id(segment.params[i])][0]]
        h = to_host(segment.state_of(i)[STATE])
        return bool((h != h.dtype.type(self.initial_state(group, STATE))).any())


def _sign(group: Mapping[str, Any]) -> float:
    """By which the objective's derivatives are multiplied."""
    return -1.0 if group["maximize"] else 1.0
