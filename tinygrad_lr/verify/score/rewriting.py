"""Right forms of a formula: the same in exact arithmetic, written as somebody else writes it. Next: unusual.py.

Each is a change of the syntax tree wherever its pattern stands: moments by lerp, products in another order, a
reciprocal, a root of a quotient as a quotient of roots. A formula without the pattern has no such form.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import ast
import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..formulas.numbers import shrinkage

ROOTS = ("sqrt", "root", "cbrt", "norm")


def _same(one: ast.AST, other: ast.AST) -> bool:
    return ast.unparse(one) == ast.unparse(other)


def _is(node: ast.AST, op: type) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, op)


def _binary(left: Any, op: Any, right: Any) -> ast.BinOp:
    return ast.BinOp(left, op, right)


def _one_minus(node: ast.AST) -> Any:
    """What is subtracted from 1."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and isinstance(node.left, ast.Constant)):
        return None
    return node.right if node.left.value == 1 else None


class Rewriting(ast.NodeTransformer):
    """A rewriting of binary operations and calls, from the leaves up; `count` says how often it was used."""

    def __init__(self) -> None:
        self.count = 0

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        return self._used(self.binary(node), node)

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        return self._used(self.call(node), node)

    def _used(self, found: ast.AST | None, node: ast.AST) -> ast.AST:
        self.count += found is not None
        return node if found is None else found

    def binary(self, node: ast.BinOp) -> ast.AST | None:
        return None

    def call(self, node: ast.Call) -> ast.AST | None:
        return None


class Lerp(Rewriting):
    """x + (1 - b) (y - x) for b x + (1 - b) y, as torch's lerp, where y is no product: a square may overflow there.

    y + b (x - y) is the same in exact arithmetic, and loses digits where b is near 1.
    """

    def binary(self, node):
        if not (_is(node, ast.Add) and _is(node.left, ast.Mult) and _is(node.right, ast.Mult)):
            return None
        beta, x, y = node.left.left, node.left.right, node.right.right
        kept = _one_minus(node.right.left)
        if kept is None or not _same(kept, beta) or _is(y, ast.Mult):
            return None
        share = _binary(ast.Constant(1), ast.Sub(), beta)
        return _binary(x, ast.Add(), _binary(share, ast.Mult(), _binary(y, ast.Sub(), x)))


def _has_root(node: ast.AST) -> bool:
    return any(isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in ROOTS for n in ast.walk(node))


class Reciprocal(Rewriting):
    """x (1 / r) in the place of x / r, where r has a root."""

    def binary(self, node):
        if _is(node, ast.Div) and _has_root(node.right) and not isinstance(node.left, ast.Constant):
            return _binary(node.left, ast.Mult(), _binary(ast.Constant(1), ast.Div(), node.right))
        return None


def _factors(node: ast.AST) -> tuple[list[ast.AST], list[ast.AST]]:
    """The factors above and below of a chain of products and quotients."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        above, below = _factors(node.left)
        more, less = _factors(node.right)
        if isinstance(node.op, ast.Mult):
            return above + more, below + less
        return above + less, below + more
    return [node], []


class Products(ast.NodeTransformer):
    """Products of three or more factors in another order: from the right, and divided by one divisor after another."""

    def __init__(self) -> None:
        self.count = 0

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        above, below = _factors(node)
        if len(above) + len(below) < 3:
            return self.generic_visit(node)
        self.count += 1
        above, below = [self.visit(n) for n in above], [self.visit(n) for n in below]
        found = above[-1]
        for factor in reversed(above[:-1]):
            found = _binary(factor, ast.Mult(), found)
        for divisor in reversed(below):
            found = _binary(found, ast.Div(), divisor)
        return found


class Sums(Rewriting):
    """a + (b - c) in the place of a + b - c."""

    def binary(self, node):
        if _is(node, ast.Sub) and _is(node.left, ast.Add):
            return _binary(node.left.left, ast.Add(), _binary(node.left.right, ast.Sub(), node.right))
        if _is(node, ast.Add) and _is(node.left, ast.Add):
            return _binary(node.left.left, ast.Add(), _binary(node.left.right, ast.Add(), node.right))
        return None


class QuotientOfRoots(Rewriting):
    """sqrt(v) / sqrt(c) in the place of sqrt(v / c)."""

    def call(self, node):
        name = getattr(node.func, "id", "")
        if name == "sqrt" and _is(node.args[0], ast.Div):
            return _quotient(node.args[0])
        if name == "root" and _is(node.args[0], ast.Div):
            outside = _binary(_quotient(node.args[0]), ast.Add(), node.args[1])
            test = ast.parse(f"{ast.unparse(node.args[2])} == 'outside'", mode="eval").body
            return ast.IfExp(test, outside, copy.deepcopy(node))
        return None


def _quotient(division: Any) -> ast.AST:
    roots = [ast.Call(ast.Name("sqrt", ast.Load()), [part], []) for part in (division.left, division.right)]
    return _binary(roots[0], ast.Div(), roots[1])


class SquareAtOnce(Rewriting):
    """((1 - b) g) g in the place of (1 - b) (g g), as torch's addcmul."""

    def binary(self, node):
        if _is(node, ast.Mult) and _is(node.right, ast.Mult) and _same(node.right.left, node.right.right):
            return _binary(_binary(node.left, ast.Mult(), node.right.left), ast.Mult(), node.right.right)
        return None


class SquareAsPower(Rewriting):
    """g**2 in the place of g g."""

    def binary(self, node):
        if _is(node, ast.Mult) and _same(node.left, node.right):
            return _binary(node.left, ast.Pow(), ast.Constant(2))
        return None


class Powers(Rewriting):
    """A power of beta, by a function of one's own."""

    function = "running_power"

    def binary(self, node):
        if _is(node, ast.Pow) and isinstance(node.right, ast.Name) and node.right.id == "t":
            return ast.Call(ast.Name(self.function, ast.Load()), [node.left, node.right], [])
        return None


_products: dict[float, list[float]] = {}


def running_power(beta: float, t: int) -> float:
    """beta^t as a product that is carried from step to step.

    Example:
        >>> running_power(0.5, 3)
        0.125
    """
    found = _products.setdefault(beta, [1.0])
    while len(found) <= t and found[-1] > 0 and len(found) < 10**6:
        found.append(found[-1] * beta)
    if t < len(found):
        return found[t]
    return 0.0 if found[-1] == 0 else beta**t


class Corrections(Rewriting):
    """1 - beta^t without cancellation."""

    def binary(self, node):
        powered = _one_minus(node)
        if powered is not None and _is(powered, ast.Pow) and isinstance(powered.right, ast.Name):
            return ast.Call(ast.Name("one_minus_power", ast.Load()), [powered.left, powered.right], [])
        return None


def one_minus_power(beta: float, t: int) -> float:
    """1 - beta^t by expm1 and log.

    Example:
        >>> round(one_minus_power(0.9, 2), 12)
        0.19
    """
    return -math.expm1(t * math.log(beta)) if beta > 0 else 1.0 - beta**t


class FoldedDecay(Rewriting):
    """theta - lr lambda theta in the place of (1 - lr lambda) theta."""

    def call(self, node):
        return (
            ast.Call(ast.Name("folded", ast.Load()), node.args, [])
            if getattr(node.func, "id", "") == "decayed"
            else None
        )

    def binary(self, node):
        share = _one_minus(node.left) if _is(node, ast.Mult) else None
        if share is not None and _is(share, ast.Mult) and getattr(node.right, "id", "") == "theta":
            return _binary(node.right, ast.Sub(), _binary(share, ast.Mult(), node.right))
        return None


def folded(theta: Any, g: Any, lr: Any, weight_decay: Any, maximize: bool, decoupled: Any) -> tuple[Any, Any]:
    """`decayed`, with decoupled decay as a difference."""
    g = -g if maximize else g
    if not weight_decay:
        return theta, g
    if decoupled:
        return theta - (1 - shrinkage(lr, weight_decay, decoupled)) * theta, g
    return theta, weight_decay * theta + g


# Forms that may lose range which the formula keeps: P1.range is true of them.
LOSE_RANGE = ("products in another order", "multiplies by a reciprocal root")
NAMES = {"running_power": running_power, "one_minus_power": one_minus_power, "folded": folded, "np": np}
# form -> what rewrites a tree into it
FORMS: dict[str, Callable[[], Any]] = {
    "moments by lerp": Lerp,
    "multiplies by a reciprocal root": Reciprocal,
    "products in another order": Products,
    "sums in another order": Sums,
    "a quotient of roots": QuotientOfRoots,
    "squares by addcmul": SquareAtOnce,
    "squares as powers": SquareAsPower,
    "running powers of beta": Powers,
    "corrections by expm1": Corrections,
    "folded decay": FoldedDecay,
}
