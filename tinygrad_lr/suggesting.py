"""What somebody meant who wrote a name that there is not: for messages of errors."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = ["meant", "near", "suggested"]

ALIKE = 0.6  # difflib's ratio of two names, from which one may stand for the other


def near(given: Any, known: Iterable[str], most: int = 3, alike: float = ALIKE) -> list[str]:
    """The known names that are most like a given one, the nearest first; case and hyphens do not count.

    Args:
        given: what was written; what is no text is like nothing.
        known: the names that there are.
        most: how many at most.
        alike: from which ratio of difflib's on a name counts, from 0 to 1.

    Example:
        >>> near("adm", ["SGD", "Adam", "AdamW"]), near("x", ["sgd"]), near(3, ["sgd"])
        (['Adam', 'AdamW'], [], [])
    """
    if not isinstance(given, str):
        return []
    alike_in_writing: dict[str, list[str]] = {}
    for name in known:
        alike_in_writing.setdefault(_plain(name), []).append(name)
    found = difflib.get_close_matches(_plain(given), alike_in_writing, most, alike)
    return [name for each in found for name in alike_in_writing[each]][:most]


def meant(given: Any, known: Iterable[str], otherwise: str = "", most: int = 1, alike: float = ALIKE) -> str:
    """The question whether a near name was meant, or `otherwise` where none is near.

    Example:
        >>> meant("cosin", ["cosine", "linear"]), meant("x", ["cosine"], "there is cosine")
        ("did you mean 'cosine'?", 'there is cosine')
    """
    found = near(given, known, most, alike)
    return f"did you mean {' or '.join(map(repr, found))}?" if found else otherwise


def suggested(message: str, given: Any, known: Iterable[str], most: int = 1, alike: float = ALIKE) -> str:
    """A message with that question behind it, where a near name is known.

    Example:
        >>> suggested("no column 'ag'", "ag", ["age"]), suggested("no column 'x'", "x", ["age"])
        ("no column 'ag'; did you mean 'age'?", "no column 'x'")
    """
    return "; ".join(filter(None, [message, meant(given, known, "", most, alike)]))


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
