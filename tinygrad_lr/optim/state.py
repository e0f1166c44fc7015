"""`optimizer.state` of an optimizer with a kernel: a dict of live entries, as in torch. Writing to it takes effect.

The arrays lie in the segments (arena.py). What is assigned is checked as saving.py checks what is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Protocol

import numpy as np

from tinygrad_lr.engine import Tensor

from . import saving
from .arena import Segment

__all__ = ["Entry", "State"]


class Stateful(saving.Saves, Protocol):
    """An optimizer, as far as its state needs it; what each of these is: optimizer.py."""

    _lock: Any
    _plans: list[Any]


class State(MutableMapping[Tensor, "Entry"]):
    """The entries by parameter. It has those that a state_dict has; of the others it gives empty ones."""

    def __init__(self, optimizer: Stateful) -> None:
        self._optimizer = optimizer

    def __getitem__(self, param: Tensor) -> Entry:
        return Entry(self._optimizer, *self._place(param))

    def _place(self, param: Any) -> tuple[int, Segment, int]:
        place = self._optimizer._places.get(id(param))
        if place is None:
            what = f"a Tensor of shape {param.shape}" if isinstance(param, Tensor) else repr(param)
            raise KeyError(f"{what} is no parameter of this optimizer, whose state has an entry for each parameter")
        return place

    def __contains__(self, param: object) -> bool:
        place = self._optimizer._places.get(id(param))
        return place is not None and self._optimizer.has_entry(place[1], place[2])

    def __iter__(self) -> Iterator[Tensor]:
        for segments in self._optimizer._segments:
            for segment in segments:
                yield from [param for i, param in enumerate(segment.params) if self._optimizer.has_entry(segment, i)]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def get(self, param: Any, default: Any = None) -> Any:
        found: Any = self[param] if param in self else default  # noqa: SIM401 (that is what this is)
        return found

    def setdefault(self, param: Tensor, default: Any = None) -> Entry:
        if param not in self and default:
            self[param] = default
        return self[param]

    def __setitem__(self, param: Tensor, entry: Mapping[str, Any]) -> None:  # type: ignore[override]
        optimizer = self._optimizer
        with optimizer._lock:
            number, segment, i = self._place(param)
            group = optimizer.param_groups[number]
            step, arrays = saving.prepared(optimizer, group, segment, i, entry)
            self._reset(number, segment, i)
            saving.write(optimizer, group, segment, i, step, arrays)

    def __delitem__(self, param: Tensor) -> None:
        with self._optimizer._lock:
            place = self._place(param)
            if param not in self:
                raise KeyError("this parameter has no state: it has not made a step")
            self._reset(*place)

    def pop(self, param: Any, *default: Any) -> Any:
        if param not in self and default:
            return default[0]
        entry = self[param].copy()
        del self[param]
        return entry

    def popitem(self) -> tuple[Tensor, Any]:
        for param in reversed(list(self)):
            return param, self.pop(param)
        raise KeyError("the state is empty")

    def clear(self) -> None:
        self.replace({})

    def replace(self, entries: Mapping[Any, Any]) -> None:
        """Reset everything, then take these entries; nothing is changed if one of them does not fit."""
        optimizer = self._optimizer
        with optimizer._lock:
            new = []
            for param, entry in entries.items():
                number, segment, i = self._place(param)
                group = optimizer.param_groups[number]
                new.append((group, segment, i, *saving.prepared(optimizer, group, segment, i, entry)))
            for segments in optimizer._segments:
                for segment in segments:
                    segment.forget()
            optimizer._plans[:] = [None] * len(optimizer._plans)
            for each in new:
                saving.write(optimizer, *each)

    def _reset(self, number: int, segment: Segment, i: int) -> None:
        group = self._optimizer.param_groups[number]
        segment.reset(i, {key: self._optimizer.initial_state(group, key) for key in segment.states})

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, ({param: entry.copy() for param, entry in self.items()},)

    def copy(self) -> dict[Tensor, Entry]:
        """A dict of the same live entries."""
        return dict(self)


class Entry(MutableMapping[str, Any]):
    """The state of one parameter: "step", and its arrays as live views; empty where `has_entry` is false."""

    def __init__(self, optimizer: Stateful, number: int, segment: Segment, i: int) -> None:
        self._optimizer, self._number, self._segment, self._i = optimizer, number, segment, i

    def _now(self) -> dict[str, Any]:
        has_entry = self._optimizer.has_entry(self._segment, self._i)
        return self._segment.state_of(self._i) if has_entry else {}

    def __getitem__(self, key: str) -> Any:
        return self._now()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def __setitem__(self, key: str, value: Any) -> None:
        name = self._segment.names[self._i]
        with self._optimizer._lock:
            now = self._now()
            if key not in now:
                raise KeyError(
                    f"the state of parameter {name!r} has no {key!r}, it has {list(now)}; assign a whole entry, "
                    "optimizer.state[parameter] = {'step': ..., ...}"
                )
            if key == "step":
                self._segment.steps[self._i] = saving.step_of(name, value)
                return
            numbers = self._segment.numbers[self._i]
            if key in numbers:
                self._segment.numbers[self._i] = {**numbers, key: saving.number_of(name, key, value)}
                return
            array, place = np.asarray(saving.on_host(value)), now[key]
            if array.shape != place.shape or not np.can_cast(array.dtype, place.dtype, "same_kind"):
                raise ValueError(
                    f"state {key!r} of parameter {name!r} is {place.dtype} {place.shape}, "
                    f"got {array.dtype} {array.shape}"
                )
            self._segment.write(key, self._i, saving.held(f"state {key!r} of parameter {name!r}", array, place.dtype))

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        raise KeyError(f"{key!r} alone cannot be removed; del optimizer.state[parameter] resets the whole entry")

    def clear(self) -> None:
        optimizer = self._optimizer
        with optimizer._lock:
            State(optimizer)._reset(self._number, self._segment, self._i)

    def copy(self) -> dict[str, Any]:
        """A dict with copies of the arrays."""
        alone = ("step", *self._segment.numbers[self._i])
        return {key: value if key in alone else saving.on_host(value) for key, value in self._now().items()}

    def __repr__(self) -> str:
        return repr(self._now())

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (self.copy(),)
