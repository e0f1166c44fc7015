"""Lines of the language of notation.py as MathML Core, which browsers draw by themselves. Next: ../specification.py.

Each name is an element with the attribute "data-name", so that a page can write its number in its place.
"""

from __future__ import annotations

import re
from html import escape

from .latex import GREEK
from .notation import Node, parse

__all__ = ["line_as_mathml", "mathml", "symbol_as_mathml"]

CODES = {name: ord(letter) for name, letter in zip(GREEK, "αβδγκλμνφπψρτθηΔ", strict=True)}
CODES |= {"lr": CODES["eta"], "eps": ord("ε")}  # as in latex.py
SUBSCRIPTS = {"inf": "∞", "minus": "−", "plus": "+"}
ENDS = {"abs": ("|", "|"), "norm": ("‖", "‖"), "floor": ("⌊", "⌋"), "ceil": ("⌈", "⌉")}
SIGNS = {"*": "⁢", "-": "−", ">=": "≥", "<=": "≤", "=": "=", "<-": "←"}  # the first is the invisible product


def symbol_as_mathml(name: str) -> str:
    """A name in MathML.

    Example:
        >>> symbol_as_mathml("m^")
        '<mover data-name="m^"><mi>m</mi><mo>^</mo></mover>'
        >>> symbol_as_mathml("beta1")
        '<msub data-name="beta1"><mi>β</mi><mn>1</mn></msub>'
    """
    return _drawn(name).replace(">", f' data-name="{escape(name)}">', 1)


def _drawn(name: str) -> str:
    if name.endswith("^"):
        return f"<mover>{_drawn(name[:-1])}<mo>^</mo></mover>"
    letter, _, subscript = name.partition("_")
    if match := re.fullmatch(r"([A-Za-z]+)(\d+)", letter):
        letter, subscript = match.groups()
    written = f"<mi>{chr(CODES[letter]) if letter in CODES else escape(letter)}</mi>"
    if not subscript:
        return written
    kind = "mn" if subscript.isdigit() else "mi"
    return f"<msub>{written}<{kind}>{escape(SUBSCRIPTS.get(subscript, subscript))}</{kind}></msub>"


def _row(*parts: str) -> str:
    return parts[0] if len(parts) == 1 else f"<mrow>{''.join(parts)}</mrow>"


def _sign(sign: str) -> str:
    return f"<mo>{escape(SIGNS.get(sign, sign))}</mo>"


def _bare(node: Node) -> Node:
    """Without the parentheses around it, where MathML shows by other means what belongs together."""
    return node[1] if node[0] == "group" else node


def mathml(node: Node) -> str:
    """An expression in MathML.

    Example:
        >>> mathml(parse("y = g / sqrt(2)").expression)
        '<mfrac><mi data-name="g">g</mi><msqrt><mn>2</mn></msqrt></mfrac>'
    """
    kind, *parts = node
    if kind == "number":
        return f"<mn>{parts[0]}</mn>"
    if kind == "name":
        return symbol_as_mathml(parts[0])
    if kind == "call":
        return _call(*parts)
    if kind == "if":
        return _cases(*parts)
    if kind == "group":
        inside = mathml(parts[0])
        return inside if parts[0][0] == "if" else _row(_sign("("), inside, _sign(")"))
    if kind == "negative":
        return _row(_sign("-"), mathml(parts[0]))
    if kind == "/":
        return f"<mfrac>{mathml(_bare(parts[0]))}{mathml(_bare(parts[1]))}</mfrac>"
    if kind == "^":
        return f"<msup>{mathml(parts[0])}{mathml(_bare(parts[1]))}</msup>"
    return _row(mathml(parts[0]), _sign(kind), mathml(parts[1]))


def _call(name: str, arguments: list[Node]) -> str:
    """A function of some arguments."""
    first = mathml(_bare(arguments[0]))
    if name == "sqrt":
        return f"<msqrt>{first}</msqrt>"
    if name == "cbrt":
        return f"<mroot>{first}<mn>3</mn></mroot>"
    inside = _sign(",").join(mathml(argument) for argument in arguments)
    if name in ENDS:
        left, right = ENDS[name]
        return _row(_sign(left), inside, _sign(right))
    return _row(f"<mi>{name}</mi>", _sign("("), inside, _sign(")"))


def _cases(chosen: Node, condition: Node, otherwise: Node) -> str:
    """One of two values."""
    comparison, a, b = condition
    holds = _row(mathml(a), _sign(comparison), mathml(b))
    rows = ((mathml(chosen), holds), (mathml(otherwise), "<mtext>else</mtext>"))
    table = "".join(f"<mtr><mtd>{value}</mtd><mtd>{where}</mtd></mtr>" for value, where in rows)
    return _row(_sign("{"), f"<mtable>{table}</mtable>")


def line_as_mathml(text: str) -> str:
    """A line in MathML: an element `math`.

    Example:
        >>> line_as_mathml("s <- g")
        '<math><mrow><mi data-name="s">s</mi><mo>←</mo><mi data-name="g">g</mi></mrow></math>'
    """
    line = parse(text)
    return f"<math>{_row(symbol_as_mathml(line.name), _sign(line.arrow), mathml(line.expression))}</math>"
