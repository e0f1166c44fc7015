"""Mutation of the kernels: every operator, constant, comparison, argument order and statement, one change at a time.

A function is read from its file as an abstract syntax tree, changed, and run over NumPy arrays without any compiler.
"""

from __future__ import annotations

import ast
import copy
import importlib
import math
import operator
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lr.kernels import _factored, _jit, _kernel, _matrices, _measured

KERNELS = Path(_jit.__file__).parent
OTHER = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mod,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}
ORDERED = (
    ast.Sub,
    ast.Div,
    ast.FloorDiv,
    ast.Mod,
    ast.Pow,
    ast.LShift,
    ast.RShift,
)  # operators whose operands do not commute
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}


class Mutation(NamedTuple):
    """One change: the file, the function, the lines as they were and as they became, the new function, its module."""

    module: str
    function: str
    before: str
    after: str
    node: ast.stmt
    tree: ast.Module

    def __str__(self) -> str:
        return f"{self.module}.{self.function}: {self.before} -> {self.after}"


def loaded(module: str) -> ModuleType:
    """A kernel module, imported: a file in one of the rooms of kernels/, or any module by its full name."""
    for path in KERNELS.rglob(f"{module}.py"):
        place = ".".join(path.relative_to(KERNELS).with_suffix("").parts)
        return importlib.import_module(f"tinygrad_lr.kernels.{place}")
    return importlib.import_module(module)


def parsed(module: str) -> ast.Module:
    return ast.parse(Path(str(loaded(module).__file__)).read_text(encoding="utf-8"))


def functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)]


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """Every single change of one node."""
    if isinstance(node, ast.BinOp):
        yield ast.BinOp(node.left, OTHER[type(node.op)](), node.right)
        if isinstance(node.op, ORDERED) and ast.dump(node.left) != ast.dump(node.right):
            yield ast.BinOp(node.right, node.op, node.left)
    elif isinstance(node, (ast.Call, ast.Tuple)):
        yield from _other_items(node)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield ast.Constant(node.value + 1)
        yield ast.Constant(node.value - 1)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Compare):
        for operator in COMPARISONS.get(type(node.ops[0]), ()):  # `is` and `in`: see ast.If
            yield ast.Compare(node.left, [operator()], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(OTHER[type(node.op)](), node.values)
        yield from node.values
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)
        yield node.body
        yield node.orelse
    elif isinstance(node, ast.If):
        yield ast.If(ast.Constant(True), node.body, node.orelse)
        yield ast.If(ast.Constant(False), node.body, node.orelse)
    elif isinstance(node, ast.AugAssign):
        yield ast.AugAssign(node.target, OTHER[type(node.op)](), node.value)
        yield ast.Assign([node.target], node.value)
        yield ast.Pass()
    elif isinstance(node, (ast.Assign, ast.Expr)):
        yield ast.Pass()
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value


def _other_items(node: ast.Call | ast.Tuple) -> Iterator[ast.AST]:
    """Neighbours exchanged, but of what commutes; for a call also its single argument alone, min for max,
    the bounds of a range."""
    items = node.args if isinstance(node, ast.Call) else node.elts
    commutes = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("maximum", "minimum")
    for i in range(0 if commutes else len(items) - 1):
        swapped = [*items[:i], items[i + 1], items[i], *items[i + 2 :]]
        yield (
            ast.Call(node.func, swapped, node.keywords) if isinstance(node, ast.Call) else ast.Tuple(swapped, node.ctx)
        )
    if not isinstance(node, ast.Call):
        return
    if len(items) == 1:
        yield items[0]
    if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) != "np":
        yield node.func.value
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in ("min", "max"):
        yield ast.Call(ast.Name("max" if name == "min" else "min", ast.Load()), items, [])
    if name == "range":
        start, stop = items if len(items) == 2 else (ast.Constant(0), items[0])
        one = ast.Constant(1)
        for operator in (ast.Add(), ast.Sub()):
            yield ast.Call(node.func, [ast.BinOp(start, operator, one), stop], [])
            yield ast.Call(node.func, [start, ast.BinOp(stop, operator, one)], [])


def signatures(function: ast.FunctionDef | ast.Lambda) -> Iterator[ast.AST]:
    """The parameters in another order: neighbours of which the function reads one or both."""
    read = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    names = function.args.args
    for i in range(len(names) - 1):
        if {names[i].arg, names[i + 1].arg} & read:
            swapped = copy.copy(function.args)
            swapped.args = [*names[:i], names[i + 1], names[i], *names[i + 2 :]]
            yield swapped


def mutations(module: str) -> Iterator[Mutation]:
    """Every change of the rules of an optimizer's file, and of what it computes or lists itself."""
    return mutations_of(module, parsed(module))


def mutations_of(module: str, tree: ast.Module) -> Iterator[Mutation]:
    """The same of a tree."""
    for rule in functions(tree):
        yield from filter(_changes_code, _of_statement(module, rule.name, tree, rule))
    yield from filter(_changes_code, _of_module(module, tree))


def loop_mutations(module: str, names: frozenset[str]) -> Iterator[Mutation]:
    """Every change of the named functions, their parameters' order too, and of what a file computes or names itself."""
    return filter(_changes_code, _loop_mutations(module, names))


def function_mutations(module: str, names: frozenset[str]) -> Iterator[Mutation]:
    """Every change of the named functions."""
    return (mutation for mutation in loop_mutations(module, names) if mutation.function in names)


def _changes_code(mutation: Mutation) -> bool:
    """False where, say, two equal arguments are exchanged."""
    return mutation.before != mutation.after


def _loop_mutations(module: str, names: frozenset[str]) -> Iterator[Mutation]:
    tree = parsed(module)
    for function in functions(tree):
        if function.name in names:
            yield from _of_statement(module, function.name, tree, function)
            for changed in signatures(function):
                yield with_change(module, function.name, tree, function, function.args, changed)
    yield from _of_module(module, tree)


def _of_module(module: str, tree: ast.Module) -> Iterator[Mutation]:
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            yield from _of_statement(module, "module", tree, statement)


def _of_statement(module: str, name: str, tree: ast.Module, statement: ast.stmt) -> Iterator[Mutation]:
    for part in statement.body if isinstance(statement, ast.FunctionDef) else [statement.value]:
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):
            continue  # a docstring
        for node in ast.walk(part):
            for changed in changes(node):
                yield with_change(module, name, tree, statement, node, changed)


def with_change(module: str, name: str, tree: ast.Module, statement: ast.stmt, old: ast.AST, new: ast.AST) -> Mutation:
    """The change of one node of a statement to another."""
    after = ast.fix_missing_locations(_replaced(statement, old, new))
    texts = (_text(statement), ast.unparse(after)) if isinstance(statement, ast.FunctionDef) else map(_text, (old, new))
    changed = _changed_lines(*(text.splitlines() for text in texts))
    body = [after if node is statement else node for node in tree.body]
    return Mutation(module, name, *changed, after, ast.Module(body, []))


_text = cache(ast.unparse)


def _replaced(node: ast.AST, old: ast.AST, new: ast.AST) -> ast.AST:
    """A tree with another node in place of one. It shares with the first what does not lead there."""
    if node is old:
        return new
    for field, value in ast.iter_fields(node):
        several = isinstance(value, list)
        for i, part in enumerate(value if several else [value]):
            changed = _replaced(part, old, new) if isinstance(part, ast.AST) else part
            if changed is not part:
                mutant = copy.copy(node)
                setattr(mutant, field, [*value[:i], changed, *value[i + 1 :]] if several else changed)
                return mutant
    return node


def _changed_lines(before: list[str], after: list[str]) -> tuple[str, str]:
    """The lines at places where the two differ; one of which the function has several, with the line that follows."""
    places = [i for i, lines in enumerate(zip(before, after, strict=True)) if lines[0] != lines[1]]
    shown = [some for i in places for some in ((i, i + 1) if before.count(before[i]) > 1 else (i,))]
    old, new = ("; ".join(lines[i].strip() for i in shown if i < len(lines)) for lines in (before, after))
    return old, new


class FilledNumPy:
    """NumPy, whose empty arrays hold what no result does: a mutant that leaves an element out is seen every time."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def empty(shape: Any, dtype: Any = np.float64) -> Any:
        return np.full(shape, 77, dtype)


class PlainKernel(_kernel.Kernel):
    """A kernel whose loops are run by Python."""

    @property
    def cpu(self) -> Any:
        loop = _kernel.CPU_LOOPS[len(self.states)]
        return self.block_loop or _jit.bound(loop, "plain", "cpu", rule=self.rule)


def ratio(a: Any, b: Any, otherwise: float) -> Any:
    """`_jit.ratio` over arrays."""
    return np.where((a == 0) | (b == 0), otherwise, a / np.where(b == 0, 1.0, b))


def namespace(tree: ast.Module) -> dict[str, Any]:
    """What a module's tree defines: plain functions, whose `sqrt` and `maximum` take NumPy arrays too."""
    left_out = (ast.Import, ast.ImportFrom, ast.ClassDef)
    body = [node for node in tree.body if not isinstance(node, left_out)]
    same = lambda function: function  # noqa: E731
    names: dict[str, Any] = {
        "compiled": same,
        "on_gpu": same,
        "thread_index": None,
        "Kernel": PlainKernel,
        "MatrixKernel": _matrices.MatrixKernel,
        "MeasuredKernel": _measured.MeasuredKernel,
        "minimum": np.minimum,
        "ratio": ratio,
        "sqrt": np.sqrt,
        "maximum": _jit.larger,
        "exp": math.exp,
        "log": math.log,
        "tanh": math.tanh,
        "np": FilledNumPy(),
        "math": math,
        "operator": operator,
        "Callable": Callable,
        "Any": Any,
        "frexp": math.frexp,
        "ldexp": math.ldexp,
        "inf": math.inf,
        "choose": np.where,
        "like": _jit.cast,
        "over_arrays": same,
    }
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module is None:
            names |= {each.name: SimpleNamespace(**namespace(parsed(each.name))) for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "_factored":
            values = {each.name: getattr(_factored, each.name) for each in node.names}
            names |= {name: getattr(value, "py_func", value) for name, value in values.items()}
        elif isinstance(node, ast.ImportFrom) and node.module in ("_bits", "shuffle"):
            names |= {each.name: namespace(parsed(node.module))[each.name] for each in node.names}
    exec(compile(ast.Module(body, []), "<mutant>", "exec"), names)
    return names


def kernels(tree: ast.Module) -> dict[str, Any]:
    """The table KERNELS of a module's tree, its rules over NumPy arrays."""
    found: dict[str, Any] = namespace(tree)["KERNELS"]
    return found
