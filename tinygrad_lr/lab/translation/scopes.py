"""Where JavaScript declares the variables of a function: Python's are the function's, those of `let` their block's."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import cache

from .syntax import Source

__all__ = ["CONSTANT", "Scopes", "stored_in"]

CONSTANT = "const "


class Scopes:
    """The variables of a function that are no arguments.

    Attributes:
        names: what is stored anywhere in the function, arguments and loops' variables among it.
        hoisted: the variables that are declared before a statement, because it stores them in a block of its own.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        arguments = source.tree.args
        given = {each.arg for each in [*arguments.posonlyargs, *arguments.args, *filter(None, [arguments.vararg])]}
        stored = sorted(stored_in(source.tree.body))
        of_loops = {each.target.id for each in _loops(source.tree) if isinstance(each.target, ast.Name)}
        self.names = set(stored)
        self.hoisted: dict[ast.stmt, list[str]] = {}
        self._declared: dict[tuple[ast.stmt, str], str] = {}
        for name in sorted(of_loops):
            self._refuse_use_outside(name, given)
        for name in [each for each in stored if each not in given and each not in of_loops]:
            places = _places(source.tree.body, name)
            if places is None:  # a loop may bring its value along
                first = next(statement for statement in source.tree.body if _mentions(statement, name))
                self.hoisted.setdefault(first, []).append(name)
            else:
                self._declared |= {(statement, name): word for statement, word in places.items()}

    def declared(self, statement: ast.stmt, name: str) -> str:
        """What stands before a variable where a statement stores it."""
        return self._declared.get((statement, name), "")

    def mentions(self, name: str) -> bool:
        """Whether the function's statements mention a name."""
        return any(_mentions(statement, name) for statement in self._source.tree.body)

    def _refuse_use_outside(self, name: str, given: set[str]) -> None:
        """A loop's variable is its own."""
        loops = [each for each in _loops(self._source.tree) if name in _names(each.target, ast.Store)]
        inside = {id(node) for each in loops for node in ast.walk(each)}
        for node in ast.walk(self._source.tree):
            if isinstance(node, ast.Name) and node.id == name and (id(node) not in inside or name in given):
                self._source.refuse(node, "a loop's variable is used outside of the loop")
        for loop in loops:
            for statement in loop.body:
                if name in _names(statement, ast.Store):
                    self._source.refuse(statement, f"{name} is the variable of the loop around it")


def stored_in(statements: Sequence[ast.stmt]) -> set[str]:
    """The names that some statements store."""
    return {name for statement in statements for name in _names(statement, ast.Store)}


def _loops(tree: ast.AST) -> list[ast.For]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.For)]


@cache  # of trees that source_of keeps
def _names(tree: ast.AST, *contexts: type[ast.expr_context]) -> list[str]:
    """The names in a part of a function that are stored or loaded there."""
    return [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, contexts)]


def _mentions(tree: ast.AST, name: str) -> bool:
    return name in _names(tree, ast.Load, ast.Store)


def _places(block: Sequence[ast.stmt], name: str) -> dict[ast.stmt, str] | None:
    """The statements that declare a variable, each with its word, so that a value is stored before it is loaded on all
    ways; None where some way is not so plain."""
    found: dict[ast.stmt, str] = {}
    for i, statement in enumerate(block):
        if not _mentions(statement, name):
            continue
        if isinstance(statement, ast.Assign) and name not in _names(statement, ast.Load):
            stores = [each for later in block[i:] for each in _names(later, ast.Store) if each == name]
            return {**found, statement: "let " if len(stores) > 1 else CONSTANT}
        if not isinstance(statement, ast.For | ast.If):
            return None
        header = statement.iter if isinstance(statement, ast.For) else statement.test
        for inner in (statement.body, statement.orelse):
            places = None if _mentions(header, name) else _places(inner, name)
            if places is None:
                return None
            found |= places
    return found
