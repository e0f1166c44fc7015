"""The syntax tree of a function, with where it stands, so that a refusal names file and line."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Any, NoReturn

__all__ = ["NotTranslatable", "Source", "javascript_name", "source_of"]

# Words that JavaScript reserves and Python does not, and names that mean something in every page.
RESERVED = frozenset(
    {"arguments", "case", "catch", "const", "debugger", "default", "delete", "do", "enum", "eval", "export", "extends"}
    | {"function", "implements", "instanceof", "interface", "let", "new", "null", "package", "private", "protected"}
    | {"public", "static", "super", "switch", "this", "throw", "typeof", "undefined", "var", "void"}
)


class NotTranslatable(ValueError):
    """Something in a function that has no translation; the message names its file and line."""


@dataclass(frozen=True)
class Source:
    """A function and its syntax tree.

    Attributes:
        function: the plain Python function.
        tree: its definition; line numbers are those of the file.
        file: where it stands.
    """

    function: Callable[..., Any]
    tree: ast.FunctionDef
    file: str

    @property
    def names(self) -> dict[str, Any]:
        """What the function's global names stand for."""
        found: dict[str, Any] = self.function.__globals__
        return found

    def refuse(self, node: ast.AST, why: str) -> NoReturn:
        """Raise NotTranslatable for a part of the function."""
        line = getattr(node, "lineno", self.tree.lineno)
        raise NotTranslatable(f"{self.file}, line {line}, in {self.tree.name}: {why}: {ast.unparse(node)}")


def source_of(function: Any) -> Source:
    """The source of a function, of a plain one or of one that Numba compiles.

    Raises:
        NotTranslatable: its text cannot be found, or it is no function that `def` made.

    Example:
        >>> from tinygrad_lr.kernels.updates.adam import rule
        >>> source_of(rule).tree.name
        'rule'
    """
    plain = inspect.unwrap(getattr(function, "py_func", function))
    code = getattr(plain, "__code__", None)
    if code is None:
        raise NotTranslatable(f"{getattr(plain, '__name__', plain)!r} is no function of Python")
    return Source(plain, *_parsed(code))


@cache
def _parsed(code: CodeType) -> tuple[ast.FunctionDef, str]:
    """The tree of a function's code, and its file."""
    try:
        lines, first = inspect.getsourcelines(code)
        file = inspect.getsourcefile(code) or "?"
    except (OSError, TypeError) as error:
        raise NotTranslatable(f"the text of {code.co_name!r} cannot be found: {error}") from error
    found = ast.parse(textwrap.dedent("".join(lines))).body[0]
    if not isinstance(found, ast.FunctionDef) or found.name != code.co_name:
        raise NotTranslatable(f"{file}, line {first}: only what `def` makes can be translated")
    ast.increment_lineno(found, first - 1)
    return found, file


def javascript_name(name: str) -> str:
    """A Python name as JavaScript may have it.

    Example:
        >>> javascript_name("rate"), javascript_name("new")
        ('rate', 'new_')
    """
    return f"{name}_" if name in RESERVED else name
