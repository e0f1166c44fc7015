"""A formula's lines as Python, for numbers: what a reader runs. Next: latex.py.

Whole arrays are one element here, so that a norm is an absolute value and a mean is the number itself.
"""

from __future__ import annotations

from .notation import Node, parse

CALLS = {
    "sqrt": "math.sqrt({})",
    "cos": "math.cos({})",
    "cbrt": "math.copysign(abs({0}) ** (1 / 3), {0})",
    "abs": "abs({})",
    "sign": "(({0} > 0) - ({0} < 0))",
    "min": "min({}, {})",
    "max": "max({}, {})",
    "norm": "abs({})",
    "rms": "abs({})",
    "total": "({})",
    "mean": "({})",
}
LEVELS = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 4}


def name_in_python(name: str) -> str:
    """A symbol as a Python name.

    Example:
        >>> name_in_python("v^"), name_in_python("lambda")
        ('v_hat', 'lambda_')
    """
    name = name.replace("^", "_hat")
    return f"{name}_" if name in ("lambda", "in", "is", "if", "as") else name


def line_as_python(text: str) -> str:
    """A line as an assignment.

    Raises:
        ValueError: it speaks of matrices, which are no numbers.

    Example:
        >>> line_as_python("v <- beta2 v + (1 - beta2) g^2")
        'v = beta2 * v + (1 - beta2) * g**2'
        >>> line_as_python("theta <- theta - lr m^ / (sqrt(v^) + eps)")
        'theta = theta - lr * m_hat / (math.sqrt(v_hat) + eps)'
    """
    line = parse(text)
    return f"{name_in_python(line.name)} = {_expression(line.expression)}"


def _expression(node: Node) -> str:
    kind, *parts = node
    if kind == "number":
        return str(parts[0])
    if kind == "name":
        return name_in_python(parts[0])
    if kind == "group":
        inside = _expression(parts[0])
        return inside if parts[0][0] == "if" else f"({inside})"  # which has its own brackets
    if kind == "negative":
        return f"-{_bound(parts[0], 2)}"
    if kind == "call":
        if parts[0] not in CALLS:
            raise ValueError(f"{parts[0]} is of matrices")
        return CALLS[parts[0]].format(*map(_expression, parts[1]))
    if kind == "if":
        chosen, (comparison, left, right), otherwise = parts
        test = f"{_expression(left)} {comparison} {_expression(right)}"
        return f"({_expression(chosen)} if {test} else {_expression(otherwise)})"
    level = LEVELS[kind]
    if kind == "^":
        return f"{_bound(parts[0], level + 1)}**{_bound(parts[1], level + 1)}"
    return f"{_bound(parts[0], level)} {kind} {_bound(parts[1], level + 1)}"


def _bound(node: Node, level: int) -> str:
    """An operand, in brackets where it binds less."""
    text = _expression(node)
    weak = LEVELS.get(node[0], 3 if node[0] == "negative" else 9) < level
    return f"({text})" if weak else text
