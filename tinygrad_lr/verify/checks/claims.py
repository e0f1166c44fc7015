"""`Claim`: what a schedule is held to: a row of REFERENCES with its arguments and options, and the base rate.

Where the row is one of ours too (`tinygrad_lr.schedules.SCHEDULES`) and no option is set, it promises more: exact ends,
phases that rise or fall, no jump. Next: schedules.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinygrad_lr.schedules import Row
from tinygrad_lr.schedules.table import SCHEDULES

from ..adapters.schedules import name_of_claim
from ..formulas.schedules import Enclosure, Reference, chained, reference_of, times
from ..properties.schedules import FAR_STEPS, Spec, spec_of

OF_AN_ENDLESS_ONE = 50  # steps that are read of a schedule that has no end, unless total_steps says more


@dataclass(frozen=True)
class Claim:
    """A schedule's formula, arguments, options and base rate.

    Attributes:
        name: of the row of REFERENCES.
        given: all arguments and options.
        base: the rate that the factors multiply.
        chained: whether each rate is computed from the rate before it (torch's chainable schedulers), so that roundings
            add up.
    """

    name: str
    given: Mapping[str, Any]
    base: float = 1.0
    chained: bool = False

    @property
    def reference(self) -> Reference:
        """Its row of REFERENCES."""
        return reference_of(self.name)

    @property
    def options(self) -> dict[str, Any]:
        """The options that are not the row's defaults."""
        defaults = self.reference.option_defaults
        return {key: value for key, value in self.given.items() if key in defaults and value != defaults[key]}

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments without the options."""
        return {key: value for key, value in self.given.items() if key not in self.reference.option_defaults}

    @property
    def row(self) -> Row | None:
        """The row of SCHEDULES, where it is one of ours and no option is set."""
        return None if self.options else SCHEDULES.get(self.name)

    @property
    def title(self) -> str:
        """The claim as a report names it."""
        said = ", ".join(f"{key}={value!r}" for key, value in self.options.items())
        base = "" if self.base == 1 else f", base rate {self.base:g}"
        return f"{self.name}{f' ({said})' if said else ''}{base}"

    @property
    def lines(self) -> tuple[str, ...]:
        """The formula, in the paper's notation."""
        return self.reference.lines_with(**self.options)

    def having(self, **changes: Any) -> Claim:
        """The claim with other arguments."""
        return replace(self, given={**self.given, **changes})

    @property
    def edges(self) -> list[int]:
        """First steps of phases, and the step from which the end value is held."""
        edges = self.reference.edges
        return sorted({max(int(edge), 0) for edge in edges(**self.given)}) if edges else [0]

    @property
    def holds_from(self) -> int | None:
        """The step from which the end value is held; None: never."""
        if self.reference.endless or self.options.get("past_end") == "rises" or self.options.get("cycle"):
            count = self.options.get("num_cycles")
            return None if not count or self.name != "cosine_restarts" else self.edges[-1]
        return self.edges[-1]

    @property
    def length(self) -> int:
        """How many steps are worth looking at."""
        last = self.edges[-1]
        return max(last, 1) if self.holds_from is not None else min(max(last, OF_AN_ENDLESS_ONE), 2000)

    def enclosure(self, step: Any) -> Enclosure:
        """The bounds of a right rate at a step."""
        found = self.reference.enclosure(step, **self.given)
        if self.chained:
            end, total = self.given.get("end", 0.0), self.given.get("total_steps") or 0
            rising = end * total**2 if self.options.get("past_end") == "rises" and step > total else 0.0
            found = chained(found, step, max(1.0, float(abs(found[1]))), rising)
        return found if self.base == 1 else times(self.base, found)

    def promises(self) -> Spec:
        """All that one of our own schedules promises.

        Raises:
            ValueError: no row of SCHEDULES says so.
        """
        if self.row is None:
            raise ValueError(f"{self.title} is no schedule of tinygrad_lr")
        spec = spec_of(self.row, **self.arguments)
        ends = {end: getattr(spec, end) for end in ("first", "last", "low", "high")}
        scaled = {end: value * self.base for end, value in ends.items() if value is not None}
        exact_ends = spec.exact_ends and self.base == 1 and not self.chained
        # an end that other roundings reach early is no fault of these
        return spec._replace(
            **scaled,
            enclosure=self.enclosure,
            exact_ends=exact_ends,
            strict=spec.strict and exact_ends,
            tolerance=spec.tolerance * (1 + self.chained * min(spec.total_steps or 0, 10**6)),
        )

    def steps(self, length: int, spread: int = 200) -> list[int]:
        """Steps worth looking at: around each edge, a spread of all, and where counts and precisions end."""
        edges = self.edges
        chosen = edges if len(edges) <= 100 else [*edges[:50], *edges[-50:]]
        near = {edge + shift for edge in chosen for shift in (-2, -1, 0, 1, 2)}
        some = range(length + 3) if length <= spread else {length * part // spread for part in range(spread)}
        beyond = {length + 10**6, length + 2**31, length + 2**53}
        return sorted(step for step in {0, 1, *near, *some, *FAR_STEPS, *beyond} if step >= 0)

    def values(self, steps: np.ndarray) -> np.ndarray | None:
        """The printed lines at these steps in float64, times the base; None where the lines are an example alone."""
        reference, chosen = self.reference, self.given
        lists = any(
            isinstance(symbol, tuple) and len(symbol) != len(chosen[name]) for name, symbol in reference.symbols.items()
        )
        other = chosen.get("cycle_mul", 1) != 1 or chosen.get("first_step") == "1/W" or chosen.get("decay_rate", 0) > 1
        if lists or other:
            return None
        found = reference.worked_values(steps.astype(float), **chosen)
        return np.broadcast_to(found * self.base, steps.shape)

    def variations(self) -> Iterator[dict[str, Any]]:
        """Other arguments: each length near powers of two and ten, and other ends, powers and words."""
        kinds = self.reference.arguments or {}
        lengths = (1, 2, 3, 7, 10, 16, 100, 257, 1000, 2**16 + 1, 10**6, 2**24 + 1, 2**31 - 1)
        others: dict[Any, tuple[Any, ...]] = {
            "steps": lengths,
            "timescale": lengths,
            "factor": (0.0, 0.1, 0.5),
            "positive": (0.1, 0.5, 1.0),
            "power": (0.5, 1.0, 2.0, 3.0),
            "decay": (0.5, 0.99, 1.0),
            "share": (0.25, 0.5),
            "multiple": (1, 2, 3),
        }
        for name, kind in kinds.items():
            for value in kind if isinstance(kind, tuple) else others.get(kind, ()):
                if self.given[name] is not None and value != self.given[name]:
                    yield {name: value}


def claim_of(name: str, given: Mapping[str, Any], base: float = 1.0, chained: bool = False) -> Claim:
    """The claim that a name and arguments make; defaults are filled in.

    Raises:
        TypeError, ValueError: unknown names, or arguments of another kind.

    Example:
        >>> claim_of("cosine", {"total_steps": 10, "past_end": "rises"}).title
        "cosine (past_end='rises')"
    """
    found = name_of_claim(name)
    claim = Claim(found, reference_of(found).checked(given, name), base, chained)
    if claim.row:
        claim.row.build(**claim.arguments)  # names what else is wrong with them
    return claim
