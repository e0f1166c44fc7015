"""The update rules as the article and the papers print them: the oracle that the kernels are checked against.

One function per optimizer, independent of the kernels, for one step of one parameter:

    theta, state = adam(theta, g, state, t, lr=..., betas=..., ...)

`t` counts from 1 and `state` holds the arrays under the names that torch gives them. A formula uses only + - * / **,
`sqrt` and `maximum`, so it runs on whatever has these: float64 arrays, `Enclosure` (intervals with rounding, in
enclosure.py) and mpmath numbers. Nothing here is fast, and nothing here imports a kernel.

Where implementations differ legitimately the difference is a named argument (a dialect option); the defaults here are
the article's. `FORMULAS` is the table that tests and checks are driven by. Next: specification.py, enclosure.py.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

Number = Any  # a float, a NumPy array, an Enclosure or an mpmath number
State = dict[str, Any]


def sqrt(x: Number) -> Number:
    """The square root of any of the number types (a type that knows its own root is asked for it)."""
    if type(x) in (int, float):
        return math.sqrt(x)  # a Python float, which does not widen float32 arrays
    return x.sqrt() if hasattr(x, "sqrt") else np.sqrt(x)


def maximum(x: Number, y: Number) -> Number:
    """The larger of two numbers of any of the number types."""
    if hasattr(x, "maximum"):
        return x.maximum(y)
    if hasattr(y, "maximum"):
        return y.maximum(x)
    if type(x).__module__.startswith("mpmath"):
        return x if x > y else type(x)(y)
    return np.maximum(x, y)


def _root(v: Number, eps: Number, eps_placement: str) -> Number:
    """The denominator: sqrt(v + eps) as the article writes it, or sqrt(v) + eps as the papers do."""
    return sqrt(v + eps) if eps_placement == "inside" else sqrt(v) + eps


def _decayed(
    theta: Number, g: Number, lr: Number, weight_decay: Number, maximize: bool, decoupled: bool
) -> tuple[Number, Number]:
    """The gradient to descend and the parameter to start from.

    Coupled decay adds the gradient of weight_decay/2 |theta|^2; decoupled decay (Loshchilov & Hutter, ICLR 2019,
    arXiv:1711.05101, Algorithms 1 and 2, with their schedule multiplier eta_t taken as lr) shrinks theta itself.
    """
    g = -g if maximize else g
    if not weight_decay:
        return theta, g
    if decoupled:
        return (1 - lr * weight_decay) * theta, g
    return theta, g + weight_decay * theta


def sgd(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    momentum: Number = 0.0,
    dampening: Number = 0.0,
    weight_decay: Number = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
    lr_placement: str = "inside",
    dampen_first_step: bool = True,
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """Gradient descent: theta <- theta - lr g, with momentum.

    Momentum: Polyak, USSR Comp. Math. and Math. Phys. 4(5), 1964; Nesterov's form as in Sutskever et al., ICML 2013.
    `lr_placement="outside"`: b <- momentum b + (1 - dampening) g; theta <- theta - lr b (torch, optax).
    `lr_placement="inside"`: b <- momentum b + lr (1 - dampening) g; theta <- theta - b (the papers, keras).
    torch starts the buffer with the undampened first gradient: `dampen_first_step=False`.
    """
    theta, g = _decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    if not momentum:
        return theta - lr * g, dict(state)
    kept = 1 if t == 1 and not dampen_first_step else 1 - dampening
    if lr_placement == "outside":
        b = momentum * state["momentum_buffer"] + kept * g
        step = lr * (g + momentum * b) if nesterov else lr * b
    else:
        b = momentum * state["momentum_buffer"] + lr * kept * g
        step = lr * g + momentum * b if nesterov else b
    return theta - step, {"momentum_buffer": b}


def adagrad(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    lr_decay: Number = 0.0,
    weight_decay: Number = 0.0,
    initial_accumulator_value: Number = 0.0,
    eps: Number = 1e-10,
    maximize: bool = False,
    eps_placement: str = "inside",
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """AdaGrad: Duchi, Hazan & Singer, JMLR 12 (2011), Figure 1 (diagonal); epsilon inside the root as in the article.

    sum <- sum + g^2;  theta <- theta - lr_t g / sqrt(sum + eps),  lr_t = lr / (1 + (t - 1) lr_decay).
    """
    theta, g = _decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    total = state["sum"] + g * g
    lr_t = lr / (1 + (t - 1) * lr_decay)
    return theta - lr_t * g / _root(total, eps, eps_placement), {"sum": total}


def rmsprop(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    alpha: Number = 0.99,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    momentum: Number = 0.0,
    centered: bool = False,
    maximize: bool = False,
    eps_placement: str = "inside",
    lr_placement: str = "inside",
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """RMSprop: Tieleman & Hinton, Coursera lecture 6.5 (2012); epsilon inside the root as in the article.

    s <- alpha s + (1 - alpha) g^2;  theta <- theta - lr g / sqrt(s + eps).
    Centred (Graves, arXiv:1308.0850, equations 38 to 41): the variance s - a^2, a <- alpha a + (1 - alpha) g, in the
    place of s. A variance is never negative, so it is clamped at 0; torch and optax give NaN there.
    """
    theta, g = _decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    s = alpha * state["square_avg"] + (1 - alpha) * (g * g)
    after = {"square_avg": s}
    variance = s
    if centered:
        a = alpha * state["grad_avg"] + (1 - alpha) * g
        after["grad_avg"] = a
        variance = maximum(s - a * a, 0.0)
    d = g / _root(variance, eps, eps_placement)
    if not momentum:
        return theta - lr * d, after
    if lr_placement == "outside":
        b = momentum * state["momentum_buffer"] + d
        step = lr * b
    else:
        b = momentum * state["momentum_buffer"] + lr * d
        step = b
    return theta - step, {**after, "momentum_buffer": b}


def adam(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    amsgrad: bool = False,
    maximize: bool = False,
    eps_placement: str = "inside",
    amsgrad_form: str = "paper",
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """Adam: Kingma & Ba, ICLR 2015, arXiv:1412.6980, Algorithm 1; epsilon inside the root as in the article.

    m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2;  m^ = m / (1 - beta1^t);  v^ = v / (1 - beta2^t);
    theta <- theta - lr m^ / sqrt(v^ + eps).
    `eps_placement`: "inside" (above), "outside" (Algorithm 1: sqrt(v^) + eps), "hat" (the paper's section 2, last
    paragraph, and keras: lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps)).
    AMSGrad (Reddi, Kale & Kumar, ICLR 2018, arXiv:1904.09237, Algorithm 2) divides by the largest v so far:
    "paper" (no bias correction at all), "torch" (largest v, then corrected), "optax" (largest corrected v).
    """
    beta1, beta2 = betas
    theta, g = _decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    after = {"exp_avg": m, "exp_avg_sq": v}
    correction1, correction2 = 1 - beta1**t, 1 - beta2**t
    if amsgrad:
        candidate = v / correction2 if amsgrad_form == "optax" else v
        v = after["max_exp_avg_sq"] = maximum(state["max_exp_avg_sq"], candidate)
        if amsgrad_form == "paper":
            correction1, correction2 = 1, 1
        elif amsgrad_form == "optax":
            correction2 = 1
    if eps_placement == "hat":
        return theta - lr * sqrt(correction2) / correction1 * m / (sqrt(v) + eps), after
    return theta - lr * (m / correction1) / _root(v / correction2, eps, eps_placement), after


def adamw(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.01,
    amsgrad: bool = False,
    maximize: bool = False,
    eps_placement: str = "inside",
    amsgrad_form: str = "paper",
    decoupled_weight_decay: bool = True,
) -> tuple[Number, State]:
    """AdamW: Loshchilov & Hutter, ICLR 2019, arXiv:1711.05101, Algorithm 2: Adam whose decay acts on theta itself.

    theta <- (1 - lr weight_decay) theta, then Adam's step on the undecayed gradient.
    """
    return adam(
        theta, g, state, t, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad,
        maximize=maximize, eps_placement=eps_placement, amsgrad_form=amsgrad_form,
        decoupled_weight_decay=decoupled_weight_decay,
    )  # fmt: skip


Formula = Callable[..., tuple[Number, State]]
FORMULAS: dict[str, Formula] = {"sgd": sgd, "adagrad": adagrad, "rmsprop": rmsprop, "adam": adam, "adamw": adamw}


@cache
def defaults(name: str) -> Mapping[str, Any]:
    """A formula's hyperparameters and dialect options, in order, with the article's values (lr has none: `empty`)."""
    parameters = inspect.signature(FORMULAS[name]).parameters.values()
    return MappingProxyType({p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY})


def hyperparameter_names(name: str) -> tuple[str, ...]:
    """The hyperparameters and dialect options of a formula, in order.

    Example:
        >>> hyperparameter_names("adagrad")[:3]
        ('lr', 'lr_decay', 'weight_decay')
    """
    return tuple(defaults(name))
