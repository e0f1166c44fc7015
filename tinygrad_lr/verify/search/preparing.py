"""What `prepare=` does, as lines of a program: it is called with something that writes down what is asked of it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any


class _Fancy(Exception):
    """It does more than to call methods and set attributes."""


class _Scribe:
    """Stands for an optimizer, and writes down the methods that are called and the attributes that are set."""

    def __init__(self, name: str, lines: list[str]) -> None:
        vars(self).update(_name=name, _lines=lines)

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):
            raise AttributeError(attribute)

        def call(*args: Any, **settings: Any) -> None:
            given = [*map(_said, args), *(f"{key}={_said(value)}" for key, value in settings.items())]
            self._lines.append(f"{self._name}.{attribute}({', '.join(given)})")

        return call

    def __setattr__(self, attribute: str, value: Any) -> None:
        self._lines.append(f"{self._name}.{attribute} = {_said(value)}")


def _said(value: Any) -> str:
    try:
        ast.literal_eval(text := repr(value))
    except (ValueError, SyntaxError) as error:
        raise _Fancy from error
    return text


def prepared(prepare: Callable[[Any], Any], name: str) -> list[str] | None:
    """The lines that do what `prepare(optimizer)` does; None: it cannot be said so.

    Args:
        prepare: the function.
        name: what the optimizer is called.

    Example:
        >>> prepared(lambda optimizer: optimizer.train(), "adam"), prepared(len, "adam")
        (['adam.train()'], None)
    """
    lines: list[str] = []
    try:
        answer = prepare(_Scribe(name, lines))
    except Exception:  # what it does is more than to call methods
        answer = _Fancy
    if answer is None and lines:
        return lines
    module, function = getattr(prepare, "__module__", ""), getattr(prepare, "__qualname__", "")
    if inspect.isfunction(prepare) and function.isidentifier() and module not in ("", "__main__"):
        return [f"from {module} import {function}", f"{function}({name})"]
    return None
