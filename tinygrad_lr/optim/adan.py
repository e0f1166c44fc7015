"""Adan: Nesterov's momentum from differences of gradients. Kernel: kernels/updates/adan.py."""

from collections.abc import Mapping
from typing import Annotated, Any

from .hyperparameters import Hyperparameter, Maximize, Params, TorchOptions
from .optimizer import Optimizer
from .validation import flag, non_negative, one_of, three_decay_rates


class Adan(Optimizer, dialects=("paper", "authors", "optax")):
    """Adan: theta <- theta - lr (m + beta2 v) / (sqrt(n) + eps).

    m averages g, v averages y = g - g_before, and n averages (g + beta2 y)^2. The betas are what the paper writes as
    1 - beta. Source: Xie et al., arXiv:2208.06677, Algorithm 1. In optax 0.2.8 1 - beta2 stands where beta2 is meant
    (its issue 1715): that is no dialect, and other steps come out of it.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.Adan([w], lr=0.5, eps=0.0)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5]
    """

    kernels = "adan"
    examined = [
        {},
        {"betas": (0.5, 0.6, 0.7), "weight_decay": 0.1, "eps": 0.1},
        {"maximize": True, "bias_correction": True, "eps_root": 0.1, "decay_form": "decoupled", "weight_decay": 0.1},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-3)] = None,
        betas: Annotated[
            tuple[float, float, float] | None,
            Hyperparameter("decay rates of m, v and n, each in [0, 1)", three_decay_rates, (0.98, 0.92, 0.99)),
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-8)] = None,
        eps_root: Annotated[
            float | None, Hyperparameter("added to n inside the root, at least 0", non_negative, 0.0, optax=1e-8)
        ] = None,
        weight_decay: Annotated[float | None, Hyperparameter("at least 0; see `decay_form`", non_negative, 0.0)] = None,
        *,
        maximize: Maximize = None,
        bias_correction: Annotated[
            bool | None,
            Hyperparameter(
                "start the averages from 0 and divide them by 1 - beta^t; False: m starts from g, v from the first "
                "difference, n from g^2",
                flag,
                False,
                authors=True,
                optax=True,
            ),
        ] = None,
        decay_form: Annotated[
            str | None,
            Hyperparameter(
                '"proximal": after the step theta is divided by 1 + lr * weight_decay; "decoupled": before it theta is '
                "multiplied by 1 - lr * weight_decay",
                one_of("proximal", "decoupled"),
                "proximal",
                optax="decoupled",
            ),
        ] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {
            "sign": -1.0 if group["maximize"] else 1.0,
            "beta2": group["betas"][1],
            "eps": group["eps"],
            "eps_root": group["eps_root"],
        }

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        lr, (beta1, beta2, beta3) = group["lr"], group["betas"]
        decay, proximal = lr * group["weight_decay"], group["decay_form"] == "proximal"
        corrected = group["bias_correction"]
        m_n_average, v_averages = corrected or step > 1, corrected or step > 2  # else they begin
        return {
            "known": 1.0 if step > 1 else 0.0,
            "kept1": beta1 if m_n_average else 0.0,
            "gain1": 1.0 - beta1 if m_n_average else 1.0,
            "kept2": beta2 if v_averages else 0.0,
            "gain2": 1.0 - beta2 if v_averages else 1.0,
            "kept3": beta3 if m_n_average else 0.0,
            "gain3": 1.0 - beta3 if m_n_average else 1.0,
            "rate_m": lr / (1.0 - beta1**step) if corrected else lr,
            "rate_v": lr * beta2 / (1.0 - beta2**step) if corrected else lr * beta2,
            "inverse3": 1.0 / (1.0 - beta3**step) if corrected else 1.0,
            "shrink": 1.0 if proximal else 1.0 - decay,
            "after": 1.0 / (1.0 + decay) if proximal else 1.0,
        }
