"""Lines of the language of notation.py as LaTeX that GitHub's math takes too. Next: ../documents/explain.py."""

from __future__ import annotations

import re

from .notation import Node, parse

GREEK = (
    "alpha",
    "beta",
    "delta",
    "gamma",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "phi",
    "pi",
    "psi",
    "rho",
    "tau",
    "theta",
    "eta",
    "Delta",
)
LETTERS = {"lr": r"\eta", "eps": r"\varepsilon", **{name: rf"\{name}" for name in GREEK}}
SUBSCRIPTS = {"inf": r"\infty", "minus": "-", "plus": "+", "min": r"\min", "max": r"\max"}


def symbol_as_latex(name: str) -> str:
    r"""A name in LaTeX.

    Example:
        >>> print(symbol_as_latex("beta1"), symbol_as_latex("f_end"), symbol_as_latex("m^"))
        \beta_{1} f_{\mathrm{end}} \hat{m}
    """
    if name.endswith("^"):
        return rf"\hat{{{symbol_as_latex(name[:-1])}}}"
    letter, _, subscript = name.partition("_")
    if match := re.fullmatch(r"([A-Za-z]+)(\d+)", letter):
        letter, subscript = match.groups()
    letter = LETTERS.get(letter, letter if len(letter) == 1 else rf"\mathrm{{{letter}}}")
    if not subscript:
        return letter
    plain = subscript if len(subscript) == 1 else rf"\mathrm{{{subscript}}}"
    return f"{letter}_{{{SUBSCRIPTS.get(subscript, plain)}}}"


def _bare(node: Node) -> Node:
    """Without the parentheses around it, where LaTeX shows by other means what belongs together."""
    return node[1] if node[0] == "group" else node


def latex(node: Node) -> str:
    r"""An expression in LaTeX.

    Example:
        >>> print(latex(parse("y = lr m^ / (sqrt(v^) + eps)").expression))
        \frac{\eta \, \hat{m}}{\sqrt{\hat{v}} + \varepsilon}
    """
    kind, *parts = node
    if kind == "number":
        return str(parts[0])
    if kind == "name":
        return symbol_as_latex(parts[0])
    if kind == "call":
        inside = ", ".join(latex(argument) for argument in parts[1])
        if parts[0] == "sqrt":
            return rf"\sqrt{{{latex(_bare(parts[1][0]))}}}"
        if parts[0] == "cbrt":
            return rf"\sqrt[3]{{{latex(_bare(parts[1][0]))}}}"
        ends = {
            "abs": (r"\left|", r"\right|"),
            "norm": (r"\left\|", r"\right\|"),
            "floor": (r"\left\lfloor", r"\right\rfloor"),
            "ceil": (r"\left\lceil", r"\right\rceil"),
        }
        name = parts[0] if parts[0] in ("cos", "exp", "log", "tanh", "min", "max") else rf"mathrm{{{parts[0]}}}"
        left, right = ends.get(parts[0], (rf"\{name}\left(", r"\right)"))
        return f"{left}{inside}{right}"
    if kind == "if":
        chosen, (comparison, a, b), otherwise = parts
        sign = {">=": r"\ge", "<=": r"\le"}.get(comparison, comparison)
        condition = rf"{latex(a)} {sign} {latex(b)}"
        cases = rf"{latex(chosen)} & {condition} \\ {latex(otherwise)} & \text{{else}}"
        return rf"\begin{{cases}} {cases} \end{{cases}}"
    if kind == "group":
        return latex(parts[0]) if parts[0][0] == "if" else rf"\left({latex(parts[0])}\right)"
    if kind == "negative":
        return f"-{latex(parts[0])}"
    if kind == "/":
        return rf"\frac{{{latex(_bare(parts[0]))}}}{{{latex(_bare(parts[1]))}}}"
    if kind == "^":
        base = latex(parts[0])
        base = f"{{{base}}}" if parts[0][0] == "name" and "_" in base else base
        return f"{base}^{{{latex(_bare(parts[1]))}}}"
    return f"{latex(parts[0])} {kind.replace('*', chr(92) + ',')} {latex(parts[1])}"


def line_as_latex(text: str) -> str:
    r"""A line in LaTeX.

    Example:
        >>> print(line_as_latex("s <- s + g^2"))
        s \leftarrow s + g^{2}
    """
    line = parse(text)
    return (
        f"{symbol_as_latex(line.name)} {'=' if line.arrow == '=' else chr(92) + 'leftarrow'} {latex(line.expression)}"
    )
