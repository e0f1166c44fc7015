"""A fingerprint of model and loss: what their Python code can read, small enough to be taken at every call.

Two fingerprints are equal where nothing was assigned in between: attributes of modules and other objects, elements of
lists and dicts, closures, defaults and globals that functions name, arrays and Tensors that were replaced or changed.
What a step itself changes, the values of trained parameters, is left out. Known by their identity alone are foreign
objects (of the standard library and of installed packages, unless they are Modules or the loss itself), arrays above
MOST_BYTES, containers above MOST_ITEMS, and what lies deeper than DEPTH. Next: fingerprint_kinds.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from .fingerprint_kinds import SIMPLE, Handler, handler_of, identity, object_of

__all__ = ["Fingerprint", "fingerprint"]

DEPTH = 30
HANDLERS: dict[type, Handler] = {}
Path = tuple[Any, str, Any]  # the holder's path, how the name is joined to it, the name: a text where it is asked for


class Fingerprint:
    """What was found, in the order of the walk; it keeps alive what it knows by identity."""

    __slots__ = ("entries", "kept", "paths")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self.paths: list[Path] = []
        self.kept: list[Any] = []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fingerprint) and self.entries == other.entries

    def difference(self, later: Fingerprint) -> str | None:
        """The path of the first thing that is another one later; None where all is the same."""
        for i, (one, other) in enumerate(zip(self.entries, later.entries, strict=False)):
            if one != other:
                return _shown(later.paths[i])
        longer = max(self, later, key=lambda each: len(each.entries))
        rest = longer.paths[min(len(self.entries), len(later.entries)) :]
        return _shown(rest[0]) if rest else None


def fingerprint(roots: Iterable[Any], trained: Collection[int] = ()) -> Fingerprint:
    """The fingerprint of some objects; `trained` are the ids of Tensors whose values the steps change.

    Example:
        >>> from tinygrad_lr import nn
        >>> model = nn.Sequential(nn.Linear(2, 1), nn.ReLU())
        >>> before = fingerprint([model])
        >>> model[0].in_features = 3
        >>> before.difference(fingerprint([model]))
        'Sequential.0.in_features'
    """
    walk = Walk(trained)
    for root in roots:
        walk.visit(root, (None, "", getattr(root, "__name__", type(root).__name__)), 0)
    return walk.found


def _shown(path: Path) -> str:
    parts: list[str] = []
    rest: Path | None = path
    while rest is not None:
        rest, how, name = rest
        parts.append(f"[{name!r}]" if how == "[]" else f"{how}{name}")
    return "".join(reversed(parts))


class Walk:
    """The walk through everything that is held, each object once."""

    def __init__(self, trained: Collection[int]) -> None:
        self.trained = trained
        self.found = Fingerprint()
        self.seen: dict[int, int] = {}

    def note(self, entry: Any, path: Path) -> None:
        self.found.entries.append(entry)
        self.found.paths.append(path)

    def visit(self, value: Any, path: Path, depth: int) -> None:
        kind = type(value)
        if kind in SIMPLE:
            self.note((kind, value), path)
        elif kind is float:
            self.note(value or repr(value), path)  # -0.0 == 0.0
        elif id(value) in self.seen:
            self.note(("again", self.seen[id(value)]), path)
        else:
            self.seen[id(value)] = len(self.seen)
            self.found.kept.append(value)
            handler = HANDLERS.get(kind)
            if handler is None:
                handler = HANDLERS[kind] = handler_of(kind)
            if depth == 0 and handler is identity:
                handler = object_of(kind)  # a model or a loss of an installed package
            (handler if depth < DEPTH else identity)(self, value, path, depth + 1)

    def items(self, items: Iterable[tuple[Any, Any]], path: Path, how: str, depth: int) -> None:
        entries, paths = self.found.entries, self.found.paths
        for name, value in items:
            kind = type(value)
            if kind in SIMPLE:  # as in visit, without a call for each
                entries.append((kind, value))
                paths.append((path, how, name))
            else:
                self.visit(value, (path, how, name), depth)
