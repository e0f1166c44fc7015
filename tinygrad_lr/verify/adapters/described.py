"""A maker of one's own with what its names mean: `described(make, names={"lr": "learning_rate"})`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..guard import ADVERTISED, accepted_names
from ..protocol import Array, Maker
from .translation import (
    Names,
    PeerMaker,
    Theirs,
    checked_names,
    checked_prepare,
    checked_state_names,
    checked_without,
    refuse_strange,
    target_of,
    title_of,
)


def described(
    make: Maker,
    *,
    names: Names | None = None,
    without: Iterable[str] = (),
    state_names: Mapping[str, str | None] | None = None,
    prepare: Callable[[Any], Any] | None = None,
) -> Maker:
    """The maker with what is said of its names; the maker itself where nothing is said.

    Args:
        make: any maker.
        names, without, state_names: as in `verify.adapters.torch`.
        prepare: called with the subject after it is built.

    Raises:
        TypeError, ValueError: an argument of another kind, a name that `make` does not take, or a maker whose adapter
            must be told instead.

    Example:
        >>> def make(params, rate):
        ...     return rate
        >>> described(make, names={"lr": "rate"})([], lr=0.5)
        0.5
    """
    given, left_out, prepare = checked_names(names), checked_without(without), checked_prepare(prepare)
    shown = checked_state_names(state_names)
    if not (given or left_out or shown or prepare):
        return make
    title = getattr(make, "title", "") or title_of(make)
    if isinstance(make, PeerMaker):
        if given or left_out or prepare:
            raise ValueError(
                f"{title} is adapted already: say names=, without= and prepare= where that is done, as in "
                "verify.adapters.torch(cls, names=...)"
            )
        found = copy.copy(make)
        found.state_names = shown
        return found
    arguments = accepted_names(make)
    if arguments is not None:
        refuse_strange(given, arguments, title)
    claimed = {theirs for theirs in given.values() if isinstance(theirs, str)}
    same = {name: name for name in sorted((arguments or set()) - claimed)}
    every: dict[str, Theirs] = {**same, **given, **dict.fromkeys(left_out)}
    taken = None if arguments is None else frozenset(name for name, theirs in every.items() if theirs is not None)

    def build(params: list[Array], settings: dict[str, Any]) -> Any:
        subject = make(params, **settings)
        if prepare is not None:
            prepare(subject)
        return subject

    more: dict[str, Any] = {"without": left_out, "spoken_of": given, "state_names": shown, "target": target_of(make)}
    more["prepare"] = prepare
    found = PeerMaker(build, title, every, taken, {}, True, **more)
    for name in set(ADVERTISED) - {"arguments", "title", "state_names", "target", "prepare"}:
        setattr(found, name, getattr(make, name, ADVERTISED[name]))
    return found
