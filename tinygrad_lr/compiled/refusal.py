"""CannotCompile: the error for a step that cannot be compiled. Next: fingerprint.py."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["REMEDY", "CannotCompile", "refuse_overridden", "unrelated_loss"]

REMEDY = "Without compiling it trains with fit(..., compiled=False), or tinygrad-lr train --eager"


class CannotCompile(NotImplementedError):
    """The step cannot be compiled. The message names the op or the value, the reason, and the remedy."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}. {REMEDY}")


def unrelated_loss() -> ValueError:
    """The error for a loss that gives no parameter of the optimizer a gradient; compiled or not, nothing would move."""
    return ValueError(
        "the loss depends on no parameter of the optimizer, so training would change nothing; make the optimizer of "
        "the parameters that the model uses, optim.Adam(model.parameters()), and train outside no_grad()"
    )


def refuse_overridden(given: object, base: type, methods: Iterable[str]) -> None:
    """Raise CannotCompile if an object or its class overrides one of these methods of `base`."""
    for name in methods:
        if getattr(type(given), name) is not getattr(base, name) or name in vars(given):
            raise CannotCompile(
                f"{type(given).__name__} has its own {name}, and machine code calls neither it nor {base.__name__}'s"
            )
