"""Muon, with AdamW for what is no matrix. Kernels: kernels/updates/muon.py, and Adam's."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from tinygrad_lr.integers import whole_number

from .adam import AdamW, constants_of_adam
from .common import always_decoupled, corrected_rates
from .groups import Named, refuse_unrepresentable
from .hyperparameters import Hyperparameter, Params, TorchOptions
from .optimizer import Optimizer, kernels
from .validation import decay_rate, decay_rates, flag, non_negative, number, one_of, several

if TYPE_CHECKING:
    from tinygrad_lr.kernels._kernel import Kernel

MUON, ADAMW = "muon", "adamw"
OWN_OF_ADAMW = ("lr", "betas", "eps", "weight_decay")
DEFAULTS_OF_ADAMW = {key: AdamW.dialects["torch"][key] for key in ("betas", "eps")}
FIXED_IN_ADAMW = {key: value for key, value in AdamW.dialects["torch"].items() if key not in OWN_OF_ADAMW}
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ADJUSTMENTS = ("original", "columns", "match_rms_adamw")
which = one_of(MUON, ADAMW)


def steps(name: str, value: Any) -> int:
    """A whole number from 0 to 99."""
    return whole_number(name, value, least=0, most=99)


def adjustment(name: str, value: Any) -> str:
    """One of ADJUSTMENTS; None is the first, as in torch's saved groups."""
    found: str = one_of(*ADJUSTMENTS)(name, ADJUSTMENTS[0] if value is None else value)
    return found


class Muon(Optimizer, dialects=("paper", "torch", "optax", "keras")):
    """Muon: the momentum of a matrix, orthogonalised; theta <- theta - lr sqrt(max(1, rows / columns)) X.

    B <- mu B + (1 - mu) g; O = mu B + (1 - mu) g; X = O / (|O| + eps), and five times
    X <- a X + (b A + c A^2) X with A = X X^T, which brings all singular values of O near 1. Source: Jordan et al.,
    2024, kellerjordan.github.io/posts/muon.

    A parameter that has not two dimensions is updated by AdamW (Loshchilov and Hutter, arXiv:1711.05101): of such
    parameters a group of their own is made, behind that of the matrices. A group's "update" says which of the two it
    has: "muon" or "adamw". `{"params": ..., "update": "adamw"}` gives matrices to AdamW too, as its authors do with
    embeddings and the last layer. In a group of AdamW "lr", "betas", "eps" and "weight_decay" are AdamW's, and
    Muon's other hyperparameters have no effect.

    Raises:
        TypeError, ValueError: see `Optimizer`; something in `adamw` that AdamW has not; "update": "muon" for what is no
            matrix; another "update", or "betas", assigned to a group that cannot have it.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w, bias = tensor([[4.0, 0.0]], requires_grad=True), tensor([1.0], requires_grad=True)
        >>> optimizer = optim.Muon([w, bias], lr=0.5, ns_steps=0, adamw={"lr": 0.25})
        >>> [(group["update"], group["lr"]) for group in optimizer.param_groups]
        [('muon', 0.5), ('adamw', 0.25)]
        >>> w.grad, bias.grad = [[0.0, 2.0]], [3.0]
        >>> optimizer.step(); w.data.round(3).tolist(), bias.data.tolist()
        ([[4.0, -0.5]], [0.75])
    """

    kernels = "muon"
    examined = [
        {},
        {"weight_decay": 0.1, "momentum": 0.5, "nesterov": False},
        {"momentum_form": "sum", "eps_placement": "floor", "eps": 0.5, "adjust_lr_fn": "match_rms_adamw"},
        {"momentum_form": "corrected", "ns_steps": 3, "adjust_lr_fn": "columns"},
        {"momentum_form": "corrected", "nesterov": False, "ns_coefficients": (2.0, -1.5, 0.5)},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[
            float | None, Hyperparameter("learning rate, at least 0", non_negative, 0.02, torch=1e-3, keras=1e-3)
        ] = None,
        weight_decay: Annotated[
            float | None,
            Hyperparameter(
                "lambda, at least 0: theta shrinks by 1 - lr lambda", non_negative, 0.0, torch=0.1, keras=4e-3
            ),
        ] = None,
        momentum: Annotated[float | None, Hyperparameter("mu, in [0, 1)", decay_rate, 0.95)] = None,
        nesterov: Annotated[bool | None, Hyperparameter("look ahead: O = mu B + ... g, not B", flag, True)] = None,
        ns_coefficients: Annotated[
            tuple[float, float, float] | None,
            Hyperparameter("a, b and c of an iteration", several(number, COEFFICIENTS), COEFFICIENTS),
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-7, optax=1e-8)] = None,
        ns_steps: Annotated[int | None, Hyperparameter("how many iterations, 0 to 99", steps, 5)] = None,
        adjust_lr_fn: Annotated[
            str | None,
            Hyperparameter(
                'factor of lr: "original", sqrt(max(1, rows / columns)); "columns", sqrt(max(1, columns / rows)); '
                '"match_rms_adamw", 0.2 sqrt(max(rows, columns)) (Liu et al., arXiv:2502.16982)',
                adjustment,
                "original",
                optax="columns",
                keras="match_rms_adamw",
            ),
        ] = None,
        *,
        momentum_form: Annotated[
            str | None,
            Hyperparameter(
                '"average"; "sum": B <- mu B + g, O = mu B + g; "corrected": averages over 1 - mu^t',
                one_of("average", "sum", "corrected"),
                "average",
                optax="corrected",
                keras="sum",
            ),
        ] = None,
        eps_placement: Annotated[
            str | None,
            Hyperparameter(
                '"outside": |O| + eps; "floor": max(|O|, eps)', one_of("outside", "floor"), "outside", torch="floor"
            ),
        ] = None,
        adamw: Annotated[
            Mapping[str, Any] | None,
            "lr, betas, eps and weight_decay of AdamW, for what is no matrix; what is not there is the group's lr and "
            "weight_decay, and (0.9, 0.999) and 1e-8. A group may have an `adamw` of its own.",
        ] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        self.adamw = of_adamw(adamw)
        super().__init__(params, dialect, locals())

    # Which of the two updates a group.

    def _divided(self, group: dict[str, Any]) -> list[tuple[dict[str, Any], list[Named]]]:
        values, members = self._prepared({key: group[key] for key in group if key not in ("update", "adamw", "betas")})
        chosen = group.get("update")
        orthogonal: list[Named] = []
        others: list[Named] = []
        for each in members:
            (orthogonal if each.param.ndim == 2 and chosen != ADAMW else others).append(each)
        if chosen is not None and which("update", chosen) == MUON and others:
            raise ValueError(
                f"Muon updates matrices, not a parameter of shape {others[0].param.shape}; "
                "leave it out, and AdamW updates what is no matrix"
            )
        found = [({**values, "update": MUON}, orthogonal)] if orthogonal else []
        if others:
            betas = {"betas": group["betas"]} if "betas" in group else {}
            given = {**self.adamw, **of_adamw(group.get("adamw")), **of_adamw(betas)}
            for key, value in given.items():
                refuse_unrepresentable(key, value, [each.param for each in others])
            found.append(({**values, **DEFAULTS_OF_ADAMW, **given, "update": ADAMW}, others))
        return found

    def checked_item(self, key: str, value: Any) -> Any:
        if key == "update":
            return which(key, value)
        return decay_rates(key, value) if key == "betas" else super().checked_item(key, value)

    def is_of_torch(self, saved: Mapping[str, Any]) -> bool:
        return "update" not in saved

    def refuse_change(self, group: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        if values.get("update", group["update"]) != group["update"]:
            raise ValueError(
                f"a group that has 'update': {group['update']!r} keeps it, got {values['update']!r}; build another "
                "optimizer, with 'update' in its group"
            )
        if group["update"] == MUON and "betas" in values:
            raise ValueError("betas are AdamW's, and this group has 'update': 'muon'")

    def kernel(self, group: Mapping[str, Any]) -> "Kernel":
        return kernels("adam")["plain"] if group["update"] == ADAMW else super().kernel(group)

    @classmethod
    def every_kernel(cls, state_dtype: str = "float32") -> "Sequence[Kernel]":
        return [*super().every_kernel(state_dtype), kernels("adam")["plain"]]

    def needs_step(self, group: Mapping[str, Any]) -> bool:
        return group["update"] == ADAMW or group["momentum_form"] == "corrected"

    def formula_of(self, group: Mapping[str, Any]) -> tuple[type[Optimizer], Mapping[str, Any]]:
        return (AdamW, as_adamw(group)) if group["update"] == ADAMW else super().formula_of(group)

    def in_words(self) -> str:
        """How many parameters each of the two updates.

        Example:
            >>> from tinygrad_lr import nn, optim
            >>> optim.Muon(nn.Linear(2, 1).parameters()).in_words()
            'muon updates the matrices (1 of 2 parameters), adamw all others'
            >>> optim.Muon([nn.Linear(2, 1).weight]).in_words()
            'muon updates the matrices (1 of 1 parameters)'
        """
        members = [(group["update"], len(group["params"])) for group in self.param_groups]
        matrices, total = sum(count for update, count in members if update == MUON), sum(count for _, count in members)
        others = f", {ADAMW} all others" if matrices < total else ""
        return f"{MUON} updates the matrices ({matrices} of {total} parameters){others}"

    # The scalars.

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        if group["update"] == ADAMW:
            return constants_of_adam(as_adamw(group))
        momentum, a_b_c = group["momentum"], group["ns_coefficients"]
        share = 1.0 if group["momentum_form"] == "sum" else 1.0 - momentum
        floor = group["eps_placement"] == "floor"
        return {
            "momentum": momentum,
            "gain": share,
            "ahead": momentum if group["nesterov"] else 1.0,
            "fresh": share if group["nesterov"] else 0.0,
            "eps": 0.0 if floor else group["eps"],
            "least": group["eps"] if floor else 0.0,
            "sign": 1.0,
            **dict(zip(("first", "second", "third"), a_b_c, strict=True)),
            "count": float(group["ns_steps"]),
            "by_rows": float(group["adjust_lr_fn"] == "columns"),
            "by_columns": float(group["adjust_lr_fn"] == "original"),
            "fixed": 25.0 * (group["adjust_lr_fn"] == "match_rms_adamw"),
        }

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        if group["update"] == ADAMW:
            return {**always_decoupled(group), **corrected_rates(group, step)}
        found = always_decoupled(group)
        if group["momentum_form"] == "corrected":
            momentum = group["momentum"]
            now, next_one = 1.0 - momentum**step, 1.0 - momentum * momentum**step
            found["ahead"] = momentum / next_one if group["nesterov"] else 1.0 / now
            found["fresh"] = (1.0 - momentum) / now if group["nesterov"] else 0.0
        return found


def as_adamw(group: Mapping[str, Any]) -> dict[str, Any]:
    """A group as AdamW has it."""
    return {
        **FIXED_IN_ADAMW,
        "lr": group["lr"],
        "betas": group["betas"],
        "eps": group["eps"],
        "weight_decay": group["weight_decay"],
    }


def of_adamw(given: Any) -> dict[str, Any]:
    """AdamW's hyperparameters out of a mapping, checked; none out of None."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise TypeError(f"adamw must be a dict of AdamW's {', '.join(OWN_OF_ADAMW)}, got {given!r}")
    unknown = [key for key in given if key not in OWN_OF_ADAMW]
    if unknown:
        raise TypeError(f"adamw takes {', '.join(OWN_OF_ADAMW)}, got {unknown[0]!r}")
    return {key: AdamW.validators[key](key, value) for key, value in given.items()}
