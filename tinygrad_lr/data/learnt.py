"""`Learnt` reads what was learnt from a table out of JSON. It may come from anywhere: every part's form is checked."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["Learnt"]


class Learnt:
    """A dict of JSON, from which parts of a known form are taken.

    Args:
        found: what was read.
        what: what errors call it.

    Raises:
        ValueError: not a dict; from each method, a part that is absent or has another form.

    Example:
        >>> learnt = Learnt({"mean": 2, "kinds": ["red"]}, "an input")
        >>> learnt.number("mean"), learnt.texts("kinds")
        (2.0, ('red',))
        >>> learnt.number("kinds")
        Traceback (most recent call last):
            ...
        ValueError: 'kinds' of an input must be a finite number, got ['red']
    """

    def __init__(self, found: Any, what: str) -> None:
        if not isinstance(found, dict):
            raise ValueError(f"{what} must be a dict, got {found!r:.60}")
        self.found, self.what = found, what

    def refuse(self, name: str, needed: str) -> ValueError:
        """The error to raise for a part."""
        return ValueError(f"{name!r} of {self.what} must be {needed}, got {self.found.get(name)!r:.60}")

    def text(self, name: str, least: int = 0) -> str:
        """A text of at least so many characters."""
        found = self.found.get(name)
        if not isinstance(found, str) or len(found) < least:
            raise self.refuse(name, "a text" + " that is not empty" * bool(least))
        return found

    def flag(self, name: str) -> bool:
        """True or false."""
        found = self.found.get(name)
        if not isinstance(found, bool):
            raise self.refuse(name, "true or false")
        return found

    def count(self, name: str) -> int:
        """A whole number of at least 0."""
        found = self.found.get(name)
        if type(found) is not int or found < 0:
            raise self.refuse(name, "a whole number of at least 0")
        return found

    def number(self, name: str) -> float:
        """A finite number."""
        found = _number(self.found.get(name))
        if found is None:
            raise self.refuse(name, "a finite number")
        return found

    def positive(self, name: str) -> float:
        """A finite number above 0."""
        found = self.number(name)
        if found <= 0:
            raise self.refuse(name, "a number above 0")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        found = self.found.get(name)
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise self.refuse(name, "a list of texts")
        return tuple(found)

    def kinds(self, name: str) -> tuple[str, ...]:
        """A list of texts that differ."""
        found = self.texts(name)
        if len(set(found)) < len(found):
            raise self.refuse(name, "a list of different texts")
        return found

    def numbers(self, name: str) -> list[float]:
        """A list of finite numbers."""
        found = self.found.get(name)
        read = [_number(each) for each in found] if isinstance(found, list) else [None]
        numbers = [each for each in read if each is not None]
        if len(numbers) < len(read):
            raise self.refuse(name, "a list of finite numbers")
        return numbers

    def flags(self, name: str) -> list[bool]:
        """A list of true and false."""
        found = self.found.get(name)
        if not isinstance(found, list) or not all(isinstance(each, bool) for each in found):
            raise self.refuse(name, "a list of true and false")
        return list(found)

    def choice(self, name: str, choices: tuple[Any, ...]) -> Any:
        """One of some values."""
        found = self.found.get(name)
        if not any(found is each or (isinstance(found, str) and found == each) for each in choices):
            raise self.refuse(name, "one of " + ", ".join(map(repr, choices)))
        return found


def _number(found: Any) -> float | None:
    if type(found) not in (int, float):
        return None
    try:
        value = float(found)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None
