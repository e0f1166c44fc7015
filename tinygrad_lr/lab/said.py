"""`said`: a sentence of the tables and docstrings with its Chinese, which chinese.json has by the English."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

__all__ = ["chinese", "said"]


@cache
def chinese() -> Mapping[str, str]:
    """The Chinese of English sentences."""
    found: dict[str, str] = json.loads((Path(__file__).parent / "chinese.json").read_text(encoding="utf-8"))
    return found


def said(english: str) -> list[str]:
    """A sentence in English and in Chinese, or in English alone where chinese.json has no other.

    Args:
        english: the sentence. When it changes, its Chinese has to be read again: chinese.json no longer has it.

    Example:
        >>> said("learning rate, at least 0"), said("an optimizer of your own")
        (['learning rate, at least 0', '学习率，至少为 0'], ['an optimizer of your own'])
    """
    return [english, chinese()[english]] if english in chinese() else [english]
