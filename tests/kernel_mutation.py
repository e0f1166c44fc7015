"""Mutation of the kernels' rules: every operator, argument order, root and result order, one change at a time.

A rule is read from its file as an abstract syntax tree, changed, and run over NumPy arrays without any compiler.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lr.kernels import _jit

KERNELS = Path(_jit.__file__).parent
OTHER = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
LOOPS = ("cpu", "gpu")  # functions whose names end so are loops, not rules


class Mutation(NamedTuple):
    """One change: the file, the function, the line as it was and as it became, and the module's tree after it."""

    module: str
    function: str
    before: str
    after: str
    tree: ast.Module

    def __str__(self) -> str:
        return f"{self.module}.{self.function}: {self.before} -> {self.after}"


def rules(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.endswith(LOOPS)]


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """Every single change of one node."""
    if isinstance(node, ast.BinOp) and type(node.op) in OTHER:
        yield ast.BinOp(node.left, OTHER[type(node.op)](), node.right)
        if isinstance(node.op, (ast.Sub, ast.Div)):
            yield ast.BinOp(node.right, node.op, node.left)
    if isinstance(node, ast.Call) and len(node.args) == 1:
        yield node.args[0]
    if isinstance(node, (ast.Call, ast.Tuple)):
        items = node.args if isinstance(node, ast.Call) else node.elts
        for i in range(len(items) - 1):
            swapped = [*items[:i], items[i + 1], items[i], *items[i + 2 :]]
            yield ast.Call(node.func, swapped, []) if isinstance(node, ast.Call) else ast.Tuple(swapped, node.ctx)
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield ast.Constant(node.value + 1)


def mutations(module: str) -> Iterator[Mutation]:
    tree = ast.parse((KERNELS / f"{module}.py").read_text(encoding="utf-8"))
    for rule in rules(tree):
        for statement in rule.body:
            for node in ast.walk(statement):
                for changed in changes(node):
                    yield _with(module, tree, rule.name, statement, node, changed)


def _with(module: str, tree: ast.Module, function: str, statement: ast.stmt, old: ast.AST, new: ast.AST) -> Mutation:
    place = list(ast.walk(tree)).index(old)
    line = list(ast.walk(tree)).index(statement)
    mutant = copy.deepcopy(tree)
    target = list(ast.walk(mutant))[place]

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return copy.deepcopy(new) if node is target else super().visit(node)

    changed_statement = list(ast.walk(mutant))[line]
    after = Replace().visit(mutant)
    ast.fix_missing_locations(after)
    return Mutation(module, function, ast.unparse(statement), ast.unparse(changed_statement), after)


def kernels(tree: ast.Module) -> dict[str, Any]:
    """The table KERNELS of a module's tree, its rules over NumPy arrays."""
    body = [node for node in tree.body if not isinstance(node, (ast.Import, ast.ImportFrom))]
    same = lambda function: function  # noqa: E731
    namespace: dict[str, Any] = {
        "compiled": same, "on_gpu": same, "thread_index": None, "Kernel": _jit.Kernel, "sqrt": np.sqrt,
        "maximum": lambda a, b: np.where(a > b, a, b),
    }  # fmt: skip
    exec(compile(ast.Module(body, []), "<mutant>", "exec"), namespace)
    found: dict[str, Any] = namespace["KERNELS"]
    return found
