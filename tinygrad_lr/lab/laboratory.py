"""`page`: the laboratory as the text of one HTML file. notebook.py shows it in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lr.pages.document import document
from tinygrad_lr.race.problems import MOVED
from tinygrad_lr.version import __version__

from .engine import SEEDS, engine_source
from .rows import TableRows, rows_of
from .shortening import shortened

__all__ = ["TITLES", "page", "page_of"]

TITLES = {"en": "The learning-rate laboratory", "zh": "学习率实验室"}
MOVES = 16  # seeds for which a page holds by how much they move a start


def page(
    table: Any = None, target: str | None = None, features: Sequence[str] | None = None, language: str = "en"
) -> str:
    """The laboratory as the text of one HTML file, which makes no request: write it in UTF-8, and open it in a browser.

    Args:
        table, target, features: the data of its least squares, see `rows_of`. None: two features of the diabetes data.
        language: "en" or "zh", in which it opens; a switch is on the page.

    Raises:
        TypeError, ValueError, OSError: what `rows_of` raises, or another language.

    Example:
        >>> text = page(language="zh")
        >>> "<title>学习率实验室</title>" in text, len(text) < 500_000
        (True, True)
    """
    return page_of(rows_of(table, target, features), language)


def page_of(rows: TableRows, language: str = "en") -> str:
    """The same of rows that were read.

    Raises:
        ValueError: another language than "en" and "zh".

    Example:
        >>> from tinygrad_lr.lab.rows import rows_of
        >>> "diabetes.csv" in page_of(rows_of())
        True
    """
    data = {"version": __version__, "table": as_data(rows), "seeds": SEEDS, "moves": moves()}
    return document(TITLES.get(language, ""), "lab", data, language=language, scripts=[shortened(engine_source())])


def as_data(rows: TableRows) -> dict[str, Any]:
    """What the page reads of a table: see TableData in web/src/lab/data.ts.

    Example:
        >>> from tinygrad_lr.lab.rows import rows_of
        >>> as_data(rows_of())["python"]
        'rows_of()'
    """
    return {
        "name": rows.name,
        "python": rows.call,
        "features": list(rows.features),
        "target": rows.target,
        "columns": [*rows.inputs.T, rows.targets],
        "of": rows.usable,
    }


def moves() -> list[list[float]]:
    """By how much each seed moves a start, as in a race: seed 0 by nothing.

    Example:
        >>> moves()[0], len(moves())
        ([0.0, 0.0], 16)
    """
    draws = [MOVED * np.random.default_rng(seed).standard_normal(2) for seed in range(1, MOVES)]
    return [[0.0, 0.0], *(draw.tolist() for draw in draws)]
