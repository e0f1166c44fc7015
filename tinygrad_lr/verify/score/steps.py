"""Wrong in the step count: at a step, from one on, in few bits, off by one, of other parameters. Next: buffers.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from .candidates import Candidate, Formulas, family
from .scenes import Scene, shapes_for, together
from .subjects import Subject, claims, optimizer, takes


def in_bits(bits: int) -> Callable[[int], int]:
    """A count that adds 1 in so many significant bits: from 2^bits on it stays."""
    return lambda t: min(t, 2**bits)


def rounded_to(bits: int) -> Callable[[int], int]:
    """A count that is rounded to so many significant bits, ties to even, each time it is used."""

    def rounded(t):
        digits = max(t.bit_length() - bits, 0)
        return int(round(t / 2**digits)) * 2**digits

    return rounded


def wrapped(low: int, high: int) -> Callable[[int], int]:
    """A whole number of so many bits, which begins again."""
    return lambda t: (t - low) % (high - low + 1) + low


def at(step: int, change: int) -> Callable[[int], int]:
    """Wrong by `change` at one step alone."""
    return lambda t: t + change if t == step else t


def starting_again_after(step: int) -> Callable[[int], int]:
    """Counts from 1 again."""
    return lambda t: (t - 1) % step + 1


def stopping_at(step: int) -> Callable[[int], int]:
    """Stays at a step."""
    return lambda t: min(t, step)


def above_zero(count: Callable[[int], int]) -> Callable[[int], int]:
    """Counts from 1."""
    return lambda t: max(count(t), 1)


ONCE = (
    1,
    2,
    3,
    10,
    16,
    64,
    100,
    128,
    255,
    256,
    257,
    1000,
    1023,
    1024,
    4096,
    10_000,
    65_536,
    100_000,
    10**6,
    2**20,
    2**24,
)
FROM = (2, 10, 100, 128, 1000, 1024, 4096, 10_000, 32_768, 65_536, 100_000, 2**20, 2**24)

# kind -> (what is counted in the place of t, a step at which it shows)
COUNTS: dict[str, tuple[Callable[[int], int], int]] = {
    "counts from 0": (lambda t: max(t - 1, 1), 2),
    "counts from 2": (lambda t: t + 1, 1),
    "never counts": (lambda t: 1, 2),
    "counts every second step": (lambda t: (t + 1) // 2, 2),
    "counts in bfloat16": (in_bits(8), 260),
    "counts in float16": (in_bits(11), 2050),
    "rounds the count to bfloat16": (rounded_to(8), 257),
    "rounds the count to float16": (rounded_to(11), 2049),
    "counts in int8": (above_zero(wrapped(-128, 127)), 128),
    "counts in uint8": (above_zero(wrapped(0, 255)), 256),
    "counts in int16": (above_zero(wrapped(-(2**15), 2**15 - 1)), 2**15),
    "counts in uint16": (above_zero(wrapped(0, 2**16 - 1)), 2**16),
    **{f"is one ahead at step {n}": (at(n, 1), n) for n in ONCE},
    **{f"starts again after step {n}": (starting_again_after(n), n + 1) for n in FROM},
    **{f"stops counting at step {n}": (stopping_at(n), 2 * n) for n in FROM},
}


def counting(count: Callable[[int], int]) -> type[Subject]:
    class CountsOtherwise(Subject):
        def formula(self, spec, theta, g, state, t):
            return super().formula(spec, theta, g, state, count(t))

    return CountsOtherwise


class OneCountForAll(Subject):
    """The count of the optimizer, whichever parameter had a gradient."""

    calls = 0

    def step(self, grads):
        self.calls += 1
        super().step(grads)

    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, g, state, self.calls)

    def set_state(self, state):
        super().set_state(state)
        self.calls = max([entry.get("step", 0) for entry in self.state], default=0)


class CountsMissingGradients(Subject):
    """A parameter without a gradient counts the step all the same, once it has started."""

    def update_all(self, grads):
        super().update_all(grads)
        for entry, g in zip(self.state, grads, strict=True):
            if entry and g is None:
                entry["step"] += 1


class CountsParameters(Subject):
    """The count advances with every parameter."""

    calls = 0

    def formula(self, spec, theta, g, state, t):
        self.calls += 1
        return super().formula(spec, theta, g, state, self.calls)


class CountOfTheFirst(Subject):
    """The first parameter's count is every parameter's."""

    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, g, state, self.state[0].get("step", 0) or t)


class StartsAgainWhenLoaded(Subject):
    def set_state(self, state):
        super().set_state(state)
        for entry in self.state:
            if entry:
                entry["step"] = 0


class StartsAgainWithoutGradient(Subject):
    """A missing gradient makes the next one the first."""

    def update_all(self, grads):
        super().update_all(grads)
        for entry, g in zip(self.state, grads, strict=True):
            if entry and g is None:
                entry["step"] = 0


class StartsAgainWhenSet(Subject):
    """The count starts again when a hyperparameter is set."""

    def set_hyperparameters(self, **changes):
        super().set_hyperparameters(**changes)
        for entry in self.state:
            if entry:
                entry["step"] = 0


WAYS: dict[str, type[Subject]] = {
    "has one count for all parameters": OneCountForAll,
    "counts steps without a gradient": CountsMissingGradients,
    "counts parameters": CountsParameters,
    "has the first parameter's count": CountOfTheFirst,
    "counts from 1 again when loaded": StartsAgainWhenLoaded,
    "counts from 1 again after a missing gradient": StartsAgainWithoutGradient,
    "counts from 1 again when a setting is set": StartsAgainWhenSet,
}


def powers_in(kind: type) -> type[Subject]:
    class BetaInFewBits(Subject):
        """The powers of beta are computed in fewer bits: what they are corrects wrongly late."""

        def formula(self, spec, theta, g, state, t):
            names = [name for name in ("betas", "momentum", "rho", "alpha") if name in spec.all_names]
            rounded = {
                name: tuple(float(kind(x)) for x in spec[name])
                if isinstance(spec[name], tuple)
                else float(kind(spec[name]))
                for name in names
            }
            return super().formula(spec.having(**rounded), theta, g, state, t)

    return BetaInFewBits


def scenes(claim) -> tuple[Scene, ...]:
    """Runs with a missing gradient, a reload and a changed setting, with the defaults and with other values."""
    shapes = shapes_for(claim)
    found = []
    for settings in ({"lr": 0.05}, together(claim, takes(claim))):
        missing = () if claim.family.coupled else ((0, 1), (2, 0), (3, 1))
        found += [
            Scene(settings, shapes, steps=6, missing=missing),
            Scene(settings, shapes, steps=6, reload=(3,)),
            Scene(settings, shapes, steps=6, changes={3: {"lr": 0.04}}),
        ]
    return tuple(found)


@family("steps", "The step count is wrong: at one step, from one on, in few bits, at a load, for other parameters.")
def steps(formulas: Formulas = ()) -> Iterator[Candidate]:
    for claim in claims(formulas):
        shapes = shapes_for(claim)
        for kind, (count, shows_at) in COUNTS.items():
            near = tuple(
                Scene(settings, shapes, steps=3, start=max(shows_at - 2, 0))
                for settings in ({"lr": 0.05}, together(claim, takes(claim)))
            ) + (Scene({"lr": 0.05}, shapes, steps=4), Scene(together(claim, takes(claim)), shapes, steps=4))
            yield optimizer("steps", kind, claim.name, claim, counting(count), near)
        for kind, subject in WAYS.items():
            yield optimizer("steps", kind, claim.name, claim, subject, scenes(claim))
        kind = "has its betas in float16"
        yield optimizer("steps", kind, claim.name, claim, powers_in(np.float16), scenes(claim))
