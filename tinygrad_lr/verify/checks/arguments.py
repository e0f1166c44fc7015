"""What the public checks ask of their own arguments, said once: a wrong one is an error that names it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lr.booleans import true_or_false

from ..adapters.translation import NEUTRAL_AT_ZERO
from ..protocol import Claim
from ..specification import Specification


def seconds(timeout: Any) -> float | None:
    """A limit in seconds; None: no limit."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float, np.number)):
        raise TypeError(f"timeout must be a number of seconds or None, got {timeout!r}")
    if not 0 < timeout < float("inf"):
        raise ValueError(f"timeout must be above 0 and finite (None: no limit), got {timeout!r}")
    return float(timeout)


def precision(dtype: DTypeLike) -> np.dtype[Any]:
    """float32 or float64."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or found not in (np.dtype("float32"), np.dtype("float64")):
        raise ValueError(f"dtype must be float32 or float64, got {dtype!r}")
    return found


def named(name: str, value: Any) -> dict[str, Any]:
    """A mapping whose keys are names; None: an empty one."""
    if not (value is None or (isinstance(value, Mapping) and all(isinstance(key, str) for key in value))):
        raise TypeError(f"{name} must be a dict with names for keys, got {value!r}")
    return dict(value or {})


def said_of_the_formula(make: Any, claim: Claim) -> None:
    """Raise ValueError where a maker's names=, without= or state_names= speak of what its formula does not have."""
    if not isinstance(claim, Specification):
        return
    if strange := sorted(getattr(make, "spoken_of", frozenset()) - set(claim.all_names)):
        raise ValueError(
            f"names= and without= speak of the formula's hyperparameters, and {claim.name} has no "
            f"{', '.join(strange)}; it has {', '.join(claim.all_names)}"
        )
    states = set(claim.family.symbols)
    if strange := sorted(set(getattr(make, "state_names", ())) - states):
        raise ValueError(
            f"state_names= speaks of the formula's states, and {claim.name} has no {', '.join(strange)}; "
            f"it has {', '.join(sorted(states)) or 'none'}"
        )
    for name in getattr(make, "without", ()):
        if name in NEUTRAL_AT_ZERO and claim[name]:
            raise ValueError(
                f"without= leaves {name} out, and the formula has {name}={claim[name]!r}: say {name}=0 in spec=, or "
                f"names={{{name!r}: None}} where that is what the optimizer does by itself"
            )


def expectations(value: Any, known: Collection[str]) -> dict[str, str]:
    """Expected failures: a known property's id -> the reason."""
    found = named("expected_failures", value)
    if wrong := [reason for reason in found.values() if not (isinstance(reason, str) and reason)]:
        raise TypeError(f"expected_failures must give a reason for each property, got {wrong[0]!r}")
    _all_known(found, known)
    return found


IGNORABLE = ("inherited",)


def ignored(value: Any) -> frozenset[str]:
    """Which failures are left out of the verdict: {"inherited"}, or none."""
    if value is None:
        return frozenset()
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(f"ignore must be a set such as {{'inherited'}}, got {value!r}")
    found = list(value)
    if strange := [each for each in found if each not in IGNORABLE]:
        raise ValueError(f"ignore knows {', '.join(IGNORABLE)}, got {strange[0]!r}")
    return frozenset(found)


def trait(name: str, value: Any) -> bool | None:
    """A trait of a rule: True, False, or None where it is not said."""
    return None if value is None else true_or_false(name, value)


def _all_known(ids: Iterable[str], known: Collection[str]) -> None:
    if strange := sorted(set(ids) - set(known)):
        from ..properties.registry import explain_unknown  # imports the engine, for a message alone

        raise ValueError(explain_unknown(strange, known))


def ids(value: Any, known: Collection[str]) -> list[str]:
    """The ids of properties to check; None: all."""
    if value is None:
        return list(known)
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(f"properties must be a list of ids such as ['P1', 'P2'], got {value!r}")
    found = list(value)
    _all_known(map(str, found), known)
    if not found:
        raise ValueError("properties names none; leave it out to check all")
    return found


def name_of(make: Any) -> str:
    """How the checked thing is called in a report."""
    return str(getattr(make, "title", None) or getattr(make, "__qualname__", None) or type(make).__name__)
