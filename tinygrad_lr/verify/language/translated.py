"""A rule in Python as lines of the language of notation.py, where its statements can be said there.

`m = beta * state["m"] + (1 - beta) * g` is `m <- beta m + (1 - beta) g`. What asks hyperparameters alone (`if
weight_decay:`) is decided by their values. Who uses the lines must evaluate them and compare: two names of one thing,
or an old state read after the new one, are said wrongly. Next: ../brought.py.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Collection, Mapping
from typing import Any

FUNCTIONS = {
    "maximum": "max",
    "minimum": "min",
    "fabs": "abs",
    "absolute": "abs",
    **{
        name: name
        for name in ("sqrt", "cbrt", "abs", "sign", "min", "max", "norm", "total", "mean", "rms", "matmul", "transpose")
    },
}
OPERATIONS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
COMPARISONS = {ast.Gt: ">", ast.Lt: "<", ast.GtE: ">=", ast.LtE: "<="}
SUM, PRODUCT, POWER, ATOM = range(4)  # how tightly an expression binds


class CannotSay(Exception):
    """The language has no words for a statement."""


def source_of(function: Callable[..., Any]) -> list[str]:
    """The lines of a function's source, without its decorators and docstring; its call where there is none."""
    try:
        text = textwrap.dedent(inspect.getsource(function))
        tree = ast.parse(text).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):  # it was typed where no file keeps it
        return [f"theta, state = {getattr(function, '__name__', 'rule')}(theta, g, state, t, ...)"]
    if not isinstance(tree, ast.FunctionDef):
        return [line for line in text.splitlines() if line.strip()]
    body = tree.body[1:] if ast.get_docstring(tree) is not None and len(tree.body) > 1 else tree.body
    return textwrap.dedent("\n".join(text.splitlines()[body[0].lineno - 1 : tree.end_lineno])).splitlines()


def lines_of(
    function: Callable[..., Any],
    settings: Mapping[str, Any],
    states: Collection[str],
    symbols: Mapping[str, str | tuple[str, ...]],
) -> list[str]:
    """The rule as lines.

    Args:
        function: `theta, state = function(theta, g, state, t, **hyperparameters)`.
        settings: the hyperparameters' values, which decide what is asked of them alone.
        states: the names of the states.
        symbols: how hyperparameters are written; a tuple's members have a symbol each.

    Raises:
        CannotSay: the source is not known, or a statement cannot be said.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError) as error:
        raise CannotSay(str(error)) from error
    if not isinstance(tree, ast.FunctionDef):
        raise CannotSay("no function with statements")
    return _Translation(tree, settings, states, symbols).lines


class _Translation:
    def __init__(
        self,
        tree: ast.FunctionDef,
        settings: Mapping[str, Any],
        states: Collection[str],
        symbols: Mapping[str, str | tuple[str, ...]],
    ) -> None:
        theta, g, self.state, t = [each.arg for each in (*tree.args.posonlyargs, *tree.args.args)][:4]
        self.settings, self.states, self.symbols = settings, states, symbols
        self.names: dict[str, str] = {theta: "theta", g: "g", t: "t"}
        self.lines: list[str] = []
        self.returned = False
        self.statements(tree.body)

    def statements(self, body: list[ast.stmt]) -> None:
        for statement in body:
            if not self.returned:
                self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        if isinstance(node, ast.If):
            self.statements(node.body if self.decided(node.test) else node.orelse)
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            self.assign(node.targets[0], node.value)
        elif isinstance(node, ast.AugAssign):
            read = ast.parse(ast.unparse(node.target), mode="eval").body
            self.assign(node.target, ast.BinOp(read, node.op, node.value))
        elif isinstance(node, ast.Return):
            self.returns(node.value)
        else:
            raise CannotSay(ast.unparse(node))

    def decided(self, test: ast.expr) -> bool:
        """The value of a condition on hyperparameters alone."""
        names = {each.id for each in ast.walk(test) if isinstance(each, ast.Name)}
        if not names <= set(self.settings) or any(isinstance(each, ast.Call) for each in ast.walk(test)):
            raise CannotSay(ast.unparse(test))
        return bool(eval(compile(ast.Expression(test), "<rule>", "eval"), {"__builtins__": {}}, dict(self.settings)))

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple):
            if isinstance(value, ast.Name) and isinstance(self.symbols.get(value.id), tuple):
                for each, symbol in zip(target.elts, self.symbols[value.id], strict=False):
                    if not isinstance(each, ast.Name):
                        raise CannotSay(ast.unparse(target))
                    self.names[each.id] = symbol
                return
            if not isinstance(value, ast.Tuple) or len(value.elts) != len(target.elts):
                raise CannotSay(ast.unparse(value))
            for each, part in zip(target.elts, value.elts, strict=True):
                self.assign(each, part)
            return
        if isinstance(target, ast.Name):
            name = self.names.get(target.id, target.id)
            text = self.said(value)
            self.names[target.id] = name
        else:
            name, text = self.said(target), self.said(value)
            if name not in self.states:
                raise CannotSay(ast.unparse(target))
        if text != name:
            self.lines.append(f"{name} {'<-' if name in (*self.states, 'theta', 'g') else '='} {text}")

    def returns(self, value: ast.expr | None) -> None:
        if not isinstance(value, ast.Tuple) or len(value.elts) != 2:
            raise CannotSay("return")
        theta, state = value.elts
        pairs: list[tuple[str, str]] = [("theta", self.said(theta))]
        if isinstance(state, ast.Dict):
            for key, each in zip(state.keys, state.values, strict=True):
                if not isinstance(key, ast.Constant):
                    raise CannotSay(ast.unparse(state))
                pairs.append((str(key.value), self.said(each)))
        elif not (isinstance(state, ast.Name) and state.id == self.state):
            raise CannotSay(ast.unparse(state))
        self.lines += [f"{name} <- {text}" for name, text in pairs if name != text]
        self.returned = True

    def said(self, node: ast.expr, binds: int = SUM) -> str:
        """An expression, in parentheses where what stands around it binds more tightly."""
        text, own = self.expression(node)
        return f"({text})" if own < binds else text

    def expression(self, node: ast.expr) -> tuple[str, int]:
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
            whole = isinstance(node.value, int) or node.value.is_integer() and abs(node.value) < 1e6
            return (str(int(node.value)) if whole else repr(node.value)), ATOM
        if isinstance(node, ast.Name):
            symbol = self.names.get(node.id) or self.symbols.get(node.id, node.id)
            if isinstance(symbol, str) and node.id != self.state:
                return symbol, ATOM
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.value, ast.Name)
        ):
            return self.part(node.value.id, node.slice.value), ATOM
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            sign = "-" if isinstance(node.op, ast.USub) else ""
            return f"{sign}{self.said(node.operand, PRODUCT)}", SUM
        if isinstance(node, ast.BinOp):
            return self.operation(node)
        if isinstance(node, ast.IfExp):
            return self.choice(node.test, node.body, node.orelse)
        if isinstance(node, ast.Call) and not node.keywords:
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if function == "where" and len(node.args) == 3:
                return self.choice(*node.args)
            if function in FUNCTIONS:
                return f"{FUNCTIONS[function]}({', '.join(self.said(each) for each in node.args)})", ATOM
        raise CannotSay(ast.unparse(node))

    def part(self, name: str, key: Any) -> str:
        """A state, or a member of a hyperparameter that is a tuple."""
        if name == self.state and key in self.states:
            return str(key)
        symbol = self.symbols.get(name)
        if isinstance(symbol, tuple) and isinstance(key, int) and key < len(symbol):
            return symbol[key]
        raise CannotSay(f"{name}[{key!r}]")

    def operation(self, node: ast.BinOp) -> tuple[str, int]:
        if isinstance(node.op, ast.Pow):
            return f"{self.said(node.left, ATOM)}^{self.said(node.right, ATOM)}", POWER
        operation = OPERATIONS.get(type(node.op))
        if operation is None:
            raise CannotSay(ast.unparse(node))
        if operation in "+-":
            left, right = self.said(node.left, SUM), self.said(node.right, PRODUCT)
            return f"{left} {operation} {right}", SUM
        left, right = self.said(node.left, PRODUCT), self.said(node.right, POWER)
        return f"{left}{' / ' if operation == '/' else ' '}{right}", PRODUCT

    def choice(self, test: ast.expr, chosen: ast.expr, otherwise: ast.expr) -> tuple[str, int]:
        try:
            return self.expression(chosen if self.decided(test) else otherwise)
        except CannotSay:
            pass
        if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in COMPARISONS):
            raise CannotSay(ast.unparse(test))
        left, right = self.said(test.left), self.said(test.comparators[0])
        comparison = COMPARISONS[type(test.ops[0])]
        return f"({self.said(chosen)} if {left} {comparison} {right} else {self.said(otherwise)})", ATOM
