"""A property that is computed once for each object, by code that may hang.

`functools.cached_property` holds a lock for the whole class while it computes, before Python 3.12: what hangs in one
object would keep all others waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class kept(Generic[Value]):
    """A decorator: the method's answer becomes the attribute's value at the first question.

    Example:
        >>> class Circle:
        ...     @kept
        ...     def area(self):
        ...         print("computed")
        ...         return 3.0
        >>> circle = Circle()
        >>> circle.area, circle.area
        computed
        (3.0, 3.0)
    """

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute, self.__doc__ = compute, compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> kept[Value]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> kept[Value] | Value:
        if instance is None:
            return self
        value = vars(instance)[self._name] = self._compute(instance)
        return value
