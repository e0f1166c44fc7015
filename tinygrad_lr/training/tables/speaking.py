"""Messages name options as the door does by which the reader came: `--batch-size 32`, or `batch_size=32` in Python.

They are written as the command line has them. `spoken` turns one into Python's words, `in_python` does so with what a
function raises; inside `on_the_command_line` both leave it as it is. Next: training.py.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from .kinds import Flag, Kind
from .options import known_options

__all__ = ["in_python", "on_the_command_line", "spoken"]

Given = ParamSpec("Given")
Result = TypeVar("Result")

# What Python's functions take besides the options of a training.
ARGUMENTS = {"force": "force=True", "strict": "strict=True", "out": "out=", "eager": "compiled=False"}
_AN_OPTION = re.compile(
    r"`[^`]*`|(?<![^\s(])--(?P<flag>[a-z][a-z-]*[a-z])(?:(?P<between>[ =])(?!--)(?P<value>\S+?)(?=[\s;:)]|, |$))?"
)
_TWICE = re.compile(r"\b(\w+)=([^()]*) \(\1=\)")

_command_line: ContextVar[bool] = ContextVar("command_line", default=False)


@contextmanager
def on_the_command_line() -> Iterator[None]:
    """Inside a `with` block, messages name options as the command line does."""
    token = _command_line.set(True)
    try:
        yield
    finally:
        _command_line.reset(token)


def spoken(text: str) -> str:
    """A message in the words of the door that is open. What stands between backticks is a command, and stays.

    Example:
        >>> spoken("--epochs and --steps contradict each other; leave one of them out")
        'epochs= and steps= contradict each other; leave one of them out'
        >>> spoken("try --steps 8000, --average or --task classification; `tinygrad-lr train --resume runs/a`")
        "try steps=8000, average=True or task='classification'; `tinygrad-lr train --resume runs/a`"
        >>> spoken("runs/a--steps: no column '--steps'; leave out --held-out=0.2 (--weights=w)")
        "runs/a--steps: no column '--steps'; leave out held_out=0.2 (weights='w')"
    """
    return text if _command_line.get() else _TWICE.sub(r"\1=\2", _AN_OPTION.sub(_in_python, text))


def _in_python(found: re.Match[str]) -> str:
    if found["flag"] is None:
        return found[0]
    name, between, value = found["flag"].replace("-", "_"), found["between"] or "", found["value"] or ""
    if name in ARGUMENTS:
        return f"{ARGUMENTS[name]}{between}{value}"
    if name not in known_options():
        return found[0]
    kind = known_options()[name].kind
    if isinstance(kind, Flag):
        return f"{name}=True{between}{value}"
    if value and (between == "=" or _is_one(kind, value)):
        return f"{name}={_value(kind, value)}"
    follows = found.string[found.end() : found.end() + 1]
    return f"{name}{'' if follows == ':' else '='}{between}{value}"


def _is_one(kind: Kind, value: str) -> bool:
    """Whether the word behind an option is its value: a choice or a number."""
    return value in getattr(kind, "choices", ()) or re.fullmatch(r"[0-9][0-9.e-]*", value) is not None


def _value(kind: Kind, value: str) -> str:
    try:
        return repr(kind.read(value))
    except ValueError:
        return repr(value)


@contextmanager
def _speaking() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, RuntimeError, ImportError) as error:
        if len(error.args) == 1 and isinstance(error.args[0], str):
            error.args = (spoken(error.args[0]),)
        raise


def in_python(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """A function of Python's door: what it raises names options as Python does."""

    @functools.wraps(function)
    def speaking(*arguments: Given.args, **named: Given.kwargs) -> Result:
        with _speaking():
            return function(*arguments, **named)

    return speaking
