"""Formulas, tables and numbers as text, for the documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..language.latex import line_as_latex


def lines_as_latex(lines: Sequence[str]) -> str:
    """A formula's lines, aligned."""
    rows = [line_as_latex(line).replace(r"\leftarrow", r"&\leftarrow", 1) for line in lines]
    rows = [row if "&" in row.split(r"\begin", 1)[0] else row.replace("=", "&=", 1) for row in rows]
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"


def table(rows: Sequence[Sequence[str]], indent: str = "  ") -> str:
    """Rows of words as columns, the first row being the heads.

    Example:
        >>> print(table([["t", "theta"], ["1", "0.5"]]))
          t  theta
          1  0.5
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (indent + "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def as_text(value: Any) -> str:
    """A setting."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def as_number(value: Any) -> str:
    """A number in five digits; a parameter of several elements in brackets."""
    if np.ndim(value):
        return "[" + " ".join(as_number(element) for element in np.ravel(value)) + "]"
    return f"{float(value):.5g}"
