"""The language in which formulas are printed: one text that is read by people, turned into LaTeX, and evaluated.

    v <- beta2 v + (1 - beta2) g^2        a value that is kept from step to step
    v^ = v / (1 - beta2^t)                a value of this step (v^ is read "v hat")

What stands side by side is multiplied, from left to right together with /. There are sqrt, cbrt, cos, exp, log, tanh,
floor, ceil, abs, sign, min, max, mod, what is said of whole arrays (norm, total, mean, rms) and of matrices (rowmean,
colmax, matmul, eigenvectors, ordered, ...), and `a if b > c else d`, which chooses elementwise. Because printed lines
can be evaluated, a test holds them to the formulas that the checks use. Next: latex.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

Node = tuple[Any, ...]  # ("name", "beta1"), ("/", left, right), ("call", "sqrt", [argument]), ...

TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:e[-+]?\d+)?)|([A-Za-z][A-Za-z0-9_]*(?:\^(?=[\s),]|$))?)|(<=|>=|[-+/^(),<>]))")


def _signed(columns: np.ndarray) -> np.ndarray:
    """Each column with the sign that makes its largest element positive."""
    largest = np.take_along_axis(columns, np.abs(columns).argmax(0)[None], 0)
    return columns * np.where(largest < 0, -1, 1)


def _orthonormal(x: np.ndarray) -> np.ndarray:
    """Q of the QR decomposition, R having a positive diagonal."""
    q, r = np.linalg.qr(x)
    return q * np.where(np.diag(r) < 0, -1, 1)


FUNCTIONS: dict[str, Any] = {
    "sqrt": np.sqrt,
    "cbrt": np.cbrt,
    "cos": np.cos,
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "floor": np.floor,
    "ceil": np.ceil,
    "mod": np.mod,
    "abs": np.abs,
    "sign": np.sign,
    "min": np.minimum,
    "max": np.maximum,
    "norm": lambda x: np.sqrt(np.sum(x * x)),
    "total": np.sum,
    "mean": np.mean,
    "rms": lambda x: np.sqrt(np.mean(x * x)),
    "rowmean": lambda x: np.mean(x, axis=-1, keepdims=True),
    "colmean": lambda x: np.mean(x, axis=-2, keepdims=True),
    "colsum": lambda x: np.sum(x, axis=-2, keepdims=True),
    "rowsum": lambda x: np.sum(x, axis=-1, keepdims=True),
    "rownorm": lambda x: np.sqrt(np.sum(x * x, axis=-1, keepdims=True)),
    "size": lambda x: np.float64(np.size(x)),
    "rowmax": lambda x: np.max(x, axis=-1, keepdims=True),
    "colmax": lambda x: np.max(x, axis=-2, keepdims=True),
    "matmul": np.matmul,
    "transpose": np.transpose,
    "rows": lambda x: np.float64(np.shape(x)[0]),
    "columns": lambda x: np.float64(np.shape(x)[1]),
    "eigenvectors": lambda x: _signed(np.linalg.eigh(x)[1][:, ::-1]),
    "orthonormal": _orthonormal,
    "ordered": lambda x, by: x[:, np.argsort(-np.ravel(by), kind="stable")],
}
KEYWORDS = {"if", "else"}
COMPARISONS = {">": np.greater, "<": np.less, ">=": np.greater_equal, "<=": np.less_equal}


@dataclass(frozen=True)
class Line:
    """An assignment: the name, whether it is kept ("<-") or of this step ("="), and the expression."""

    name: str
    arrow: str
    expression: Node


@lru_cache(maxsize=1000)
def parse(text: str) -> Line:
    """Read a line.

    Raises:
        ValueError: it is not in this language; the message says where.

    Example:
        >>> parse("s <- s + g^2").expression
        ('+', ('name', 's'), ('^', ('name', 'g'), ('number', '2')))
    """
    name, arrow, rest = text.partition(" <- ") if " <- " in text else text.partition(" = ")
    if not arrow:
        raise ValueError(f"expected 'name <- expression' or 'name = expression', got {text!r}")
    reader = _Reader(rest)
    expression = reader.choice()
    if reader.token:
        raise ValueError(f"unexpected {reader.token!r} in {text!r}")
    return Line(name, arrow.strip(), expression)


def names_in(text: str) -> list[str]:
    """The names that a line speaks of, in order, each once.

    Example:
        >>> names_in("theta <- theta - lr m^ / (sqrt(v^) + eps)")
        ['theta', 'lr', 'm^', 'v^', 'eps']
    """
    words = (match.group(2) for match in TOKEN.finditer(text.replace("<-", " ").replace("=", " ")))
    return list(dict.fromkeys(word for word in words if word and word not in KEYWORDS and word not in FUNCTIONS))


class _Reader:
    """A recursive-descent parser, one method for each level of binding."""

    def __init__(self, text: str) -> None:
        self.text, self.position, self.token, self.kind = text, 0, "", ""
        self.advance()

    def advance(self) -> str:
        """The present token, moving on to the next."""
        past, match = self.token, TOKEN.match(self.text, self.position)
        if match is None:
            if self.text[self.position :].strip():
                raise ValueError(f"cannot read {self.text[self.position :]!r} in {self.text!r}")
            self.token = self.kind = ""
            return past
        self.position = match.end()
        self.kind = ("number", "name", "sign")[(match.lastindex or 1) - 1]
        self.token = match.group(match.lastindex or 1)
        return past

    def expect(self, token: str) -> None:
        if self.token != token:
            raise ValueError(f"expected {token!r}, got {self.token!r} in {self.text!r}")
        self.advance()

    def choice(self) -> Node:
        found = self.sum()
        if self.token != "if":
            return found
        self.advance()
        left = self.sum()
        if self.token not in COMPARISONS:
            raise ValueError(f"expected one of {', '.join(COMPARISONS)}, got {self.token!r} in {self.text!r}")
        comparison = self.advance()
        right = self.sum()
        self.expect("else")
        return ("if", found, (comparison, left, right), self.choice())

    def sum(self) -> Node:
        negative = self.token == "-" and bool(self.advance())
        found: Node = self.product()
        found = ("negative", found) if negative else found
        while self.token in ("+", "-"):
            found = (self.advance(), found, self.product())
        return found

    def product(self) -> Node:
        found = self.power()
        while (
            self.token == "/" or self.token == "(" or (self.kind in ("number", "name") and self.token not in KEYWORDS)
        ):
            operation = self.advance() if self.token == "/" else "*"
            found = (operation, found, self.power())
        return found

    def power(self) -> Node:
        base = self.atom()
        if self.token != "^":
            return base
        self.advance()
        return ("^", base, self.atom())

    def atom(self) -> Node:
        kind, token = self.kind, self.advance()
        if kind == "number":
            return ("number", token)
        if kind == "name" and token in FUNCTIONS and self.token == "(":
            self.advance()
            arguments = [self.choice()]
            while self.token == ",":
                self.advance()
                arguments.append(self.choice())
            self.expect(")")
            return ("call", token, arguments)
        if kind == "name":
            return ("name", token)
        if token != "(":
            raise ValueError(f"expected a number, a name or '(', got {token!r} in {self.text!r}")
        inside = self.choice()
        self.expect(")")
        return ("group", inside)


def evaluate(node: Node, values: Mapping[str, Any]) -> Any:
    """The value of an expression in float64.

    Example:
        >>> evaluate(parse("y = lr g / (sqrt(v) + eps)").expression, {"lr": 0.5, "g": 3.0, "v": 4.0, "eps": 1.0})
        np.float64(0.5)
    """
    kind, *parts = node
    if kind == "number":
        return np.float64(parts[0])
    if kind == "name":
        return np.asarray(values[parts[0]], np.float64)[()]
    if kind == "call":
        return FUNCTIONS[parts[0]](*(evaluate(argument, values) for argument in parts[1]))
    if kind == "if":
        chosen, (comparison, left, right), otherwise = parts
        holds = COMPARISONS[comparison](evaluate(left, values), evaluate(right, values))
        return np.where(holds, evaluate(chosen, values), evaluate(otherwise, values))[()]
    first, *rest = (evaluate(part, values) for part in parts)
    if kind == "group":
        return first
    if kind == "negative":
        return -first
    return {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "^": np.power}[kind](first, *rest)
