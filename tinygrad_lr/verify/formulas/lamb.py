"""LAMB and LARS: a step as long as a share of the parameter it is for. Next: asgd.py."""

from __future__ import annotations

from .family import Family, Settings
from .numbers import Number, State, by_sign, minimum, norm, ratio, sqrt

NOT_ELEMENTWISE = "the step depends on the norms of the whole parameter"
_exempt = {
    "P3": f"{NOT_ELEMENTWISE}, whose sums are rounded in another order when elements are permuted",
    "P4": f"{NOT_ELEMENTWISE}, and changes where that is split",
    "P15": "the step is proportional to the norm of theta",
    "P16": "the step depends on the norm of theta, which the rate changes",
    "P31": "the decay is added to the scaled step, not to the gradient",
}


def lamb(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-6,
    weight_decay: Number = 0.0,
    maximize: bool = False,
    decay_placement: str = "inside",
    bias_correction: bool = True,
    size_limit: Number = 0.0,
    trust_clip: bool = False,
    always_adapt: bool = True,
) -> tuple[Number, State]:
    """LAMB: You et al., ICLR 2020, arXiv:1904.00962, Algorithm 2, with phi the identity.

    m, v, m^, v^ as Adam's;  r = m^ / (sqrt(v^) + eps) + weight_decay theta;
    theta <- theta - lr |theta| / |r| r, with Euclidean norms of the whole parameter; the ratio is 1 where either is 0.
    `decay_placement="outside"` of the ratio: theta <- (1 - lr weight_decay) theta first (keras).
    `bias_correction=False`: m and v as they are (the paper's third version). `size_limit` above 0: |theta| counts as
    that at most. `trust_clip`: the ratio is 1 at most. `always_adapt=False`: without decay the ratio is 1 (timm).
    """
    beta1, beta2 = betas
    g = -g if maximize else g
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    if weight_decay and decay_placement == "outside":
        theta = (1 - lr * weight_decay) * theta
    r = m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + eps) if bias_correction else m / (sqrt(v) + eps)
    if weight_decay and decay_placement == "inside":
        r = r + weight_decay * theta
    after = {"exp_avg": m, "exp_avg_sq": v}
    if not (always_adapt or weight_decay):
        return theta - lr * r, after
    size = minimum(norm(theta), size_limit) if size_limit else norm(theta)
    trust = ratio(size, norm(r), 1.0)
    return theta - lr * (minimum(trust, 1.0) if trust_clip else trust) * r, after


def lars(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    momentum: Number = 0.9,
    weight_decay: Number = 0.0,
    trust_coefficient: Number = 0.001,
    maximize: bool = False,
    trust_form: str = "paper",
    lr_placement: str = "inside",
    dampening: Number = 0.0,
    nesterov: bool = False,
    eps: Number = 0.0,
    trust_clip: bool = False,
    always_adapt: bool = True,
    dampen_first_step: bool = True,
) -> tuple[Number, State]:
    """LARS: You, Gitman & Ginsburg, arXiv:1708.03888, Algorithm 1.

    rate = kappa |theta| / (|g| + weight_decay |theta|);  b <- mu b + lr rate (g + weight_decay theta);
    theta <- theta - b, with Euclidean norms of the whole parameter.
    `trust_form="optax"`: rate = kappa |theta| / |g + weight_decay theta|, and 1 where either norm is 0 (in the paper a
    parameter that is 0 stays there). "library": the paper's rate, and 1 where either norm is 0 (timm); "skipping": the
    paper's rate, and g alone for g + weight_decay theta where either norm is 0 (torch_optimizer).
    `lr_placement="outside"`: b <- mu b + rate (g + weight_decay theta);  theta <- theta - lr b. eps is added to the
    divisor. `dampening`, `nesterov` and `dampen_first_step` as in sgd.py. `trust_clip`: min(rate / lr, 1) for the rate
    (LARC). `always_adapt=False`: without weight decay the rate is 1.
    """
    g = -g if maximize else g
    r = g + weight_decay * theta if weight_decay else g
    size = norm(theta)
    if not (always_adapt or weight_decay):
        rate = 1.0
    elif trust_form == "optax":
        rate = ratio(trust_coefficient * size, norm(r) + eps if eps else norm(r), 1.0)
    else:
        below = norm(g) + weight_decay * size if weight_decay else norm(g)
        rate = ratio(trust_coefficient * size, below + eps if eps else below, 0.0)
        if trust_form != "paper":
            rate = by_sign(size, 1.0, 1.0, by_sign(norm(g), 1.0, 1.0, rate))
        if trust_form == "skipping":
            r = by_sign(size + 0 * r, g, g, by_sign(norm(g) + 0 * r, g, g, r))
    if trust_clip and (always_adapt or weight_decay):
        rate = minimum(rate / lr, 1.0)
    step = (lr if lr_placement == "inside" else 1.0) * rate * r
    if momentum:
        kept = 1 if t == 1 and not dampen_first_step else 1 - dampening
        b = momentum * state["momentum_buffer"] + kept * step
        step, state = step + momentum * b if nesterov else b, {"momentum_buffer": b}
    return theta - (step if lr_placement == "inside" else lr * step), dict(state)


def _lamb_lines(settings: Settings) -> list[str]:
    place = settings["decay_placement"] if settings["weight_decay"] else ""
    corrected = settings["bias_correction"]
    size = "min(norm(theta), phi_max)" if settings["size_limit"] else "norm(theta)"
    trust = f"({size} / norm(r) if norm(theta) norm(r) > 0 else 1)"
    adapts = settings["always_adapt"] or settings["weight_decay"]
    return [
        *(["g <- -g"] if settings["maximize"] else []),
        "m <- beta1 m + (1 - beta1) g",
        "v <- beta2 v + (1 - beta2) g^2",
        *(["m^ = m / (1 - beta1^t)", "v^ = v / (1 - beta2^t)"] if corrected else []),
        *(["theta <- (1 - lr lambda) theta"] if place == "outside" else []),
        f"r = {'m^ / (sqrt(v^) + eps)' if corrected else 'm / (sqrt(v) + eps)'}"
        f"{' + lambda theta' if place == 'inside' else ''}",
        *([f"phi = {f'min({trust}, 1)' if settings['trust_clip'] else trust}"] if adapts else []),
        f"theta <- theta - lr {'phi ' if adapts else ''}r",
    ]


def _lars_lines(settings: Settings) -> list[str]:
    decay, form = settings["weight_decay"], settings["trust_form"]
    adapts = settings["always_adapt"] or decay
    below = " + ".join(["norm(g)", *(["lambda norm(theta)"] if decay else []), *(["eps"] if settings["eps"] else [])])
    below = f"({below})" if " + " in below else below
    whole = "(norm(r) + eps)" if settings["eps"] else "norm(r)"
    trust = {
        "paper": f"(kappa norm(theta) / {below} if norm(theta) > 0 else 0)",
        "optax": f"(kappa norm(theta) / {whole} if norm(theta) norm(r) > 0 else 1)",
    }.get(form, f"(kappa norm(theta) / {below} if norm(theta) norm(g) > 0 else 1)")
    skips = " + (lambda theta if norm(theta) norm(g) > 0 else 0)" if form == "skipping" else " + lambda theta"
    found = [
        *(["g <- -g"] if settings["maximize"] else []),
        f"r = g{skips}" if decay else "r = g",
        *([f"rate = {f'min({trust} / lr, 1)' if settings['trust_clip'] else trust}"] if adapts else []),
    ]
    rate = "rate " if adapts else ""
    inside = settings["lr_placement"] == "inside"
    step, outer = f"{'lr ' if inside else ''}{rate}r", "" if inside else "lr "
    if not settings["momentum"]:
        return [*found, f"theta <- theta - {outer}{step}"]
    kept = "(1 - tau) " if settings["dampening"] else ""
    if settings["dampening"] and not settings["dampen_first_step"]:
        kept = "(1 if t < 2 else 1 - tau) "
    found += [f"b <- mu b + {kept}{step}"]
    ahead = f"({step} + mu b)" if settings["nesterov"] else "b"
    return [*found, f"theta <- theta - {outer}{ahead}"]


FAMILY = Family(
    name="lamb",
    title="LAMB",
    source="You et al., ICLR 2020, arXiv:1904.00962, Algorithm 2",
    formula=lamb,
    state=lambda settings: {"exp_avg": 0.0, "exp_avg_sq": 0.0},
    lines=_lamb_lines,
    symbols={"exp_avg": "m", "exp_avg_sq": "v"},
    dialects={
        "paper": {"lr": 1e-3},
        "optax": {"lr": 1e-3},
        "keras": {"lr": 1e-3, "eps": 1e-7, "decay_placement": "outside"},
        "timm": {"lr": 1e-3, "weight_decay": 0.01, "always_adapt": False},
        "torch_optimizer": {"lr": 1e-3, "bias_correction": False, "size_limit": 10.0},
    },
    remarks={
        "optax": "has no default rate; 1e-3 is taken here",
        "timm": "also scales all gradients to a norm of 1 together, which is not declared here: max_grad_norm=None",
        "torch_optimizer": "corrects nothing, as the paper's third version, and counts a norm of theta above 10 as 10",
    },
    exempt=_exempt,
    matters={
        "bias_correction": ({}, False),
        "size_limit": ({}, 0.5),
        "trust_clip": ({}, True),
        "always_adapt": ({"weight_decay": 0.0}, False),
    },
    elementwise=False,
)

FAMILY_LARS = Family(
    name="lars",
    title="LARS",
    source="You, Gitman & Ginsburg, 2017, arXiv:1708.03888, Algorithm 1",
    formula=lars,
    state=lambda settings: {"momentum_buffer": 0.0} if settings["momentum"] else {},
    lines=_lars_lines,
    symbols={"momentum_buffer": "b"},
    dialects={
        "paper": {"lr": 0.1},
        "optax": {"lr": 0.1, "trust_form": "optax"},
        "timm": {
            "lr": 1.0,
            "momentum": 0.0,
            "trust_form": "library",
            "lr_placement": "outside",
            "eps": 1e-8,
            "always_adapt": False,
            "dampen_first_step": False,
        },
        "torch_optimizer": {
            "lr": 1e-2,
            "momentum": 0.0,
            "trust_coefficient": 0.01,
            "trust_form": "skipping",
            "lr_placement": "outside",
            "eps": 1e-8,
            "always_adapt": False,
            "dampen_first_step": False,
        },
    },
    remarks={
        "optax": "has no default rate; 0.1 is taken here",
        "timm": "adapts only what has weight decay, unless told",
        "torch_optimizer": "adapts only what has weight decay, and skips the decay where a norm is 0",
    },
    choices={"trust_form": ("paper", "optax", "library", "skipping")},
    matters={"trust_clip": ({"trust_coefficient": 1.0}, True), "always_adapt": ({"weight_decay": 0.0}, False)},
    exempt=_exempt,
    elementwise=False,
)
