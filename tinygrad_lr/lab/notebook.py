"""`show`: the laboratory in a frame of a notebook. No server is needed: the frame holds the whole page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from .laboratory import page

__all__ = ["Frame", "show"]


class Frame:
    """A page in a frame, which a notebook draws.

    Args:
        text: the page.
        height: of the frame, in pixels.

    Example:
        >>> Frame("<p>1 < 2</p>", 300)._repr_html_()[:45]
        '<iframe title="tinygrad_lr" sandbox="allow-sc'
    """

    def __init__(self, text: str, height: int) -> None:
        self.text, self.height = text, height

    def __repr__(self) -> str:
        return f"<a page of {len(self.text):,} characters; a notebook shows it>"

    def _repr_html_(self) -> str:
        """The frame. Its page can run its own scripts, and can reach neither the notebook nor anybody else."""
        return (
            '<iframe title="tinygrad_lr" sandbox="allow-scripts" allow="clipboard-write" '
            f'style="width: 100%; height: {self.height}px; border: 0" srcdoc="{html.escape(self.text)}"></iframe>'
        )


def show(
    table: Any = None,
    target: str | None = None,
    features: Sequence[str] | None = None,
    language: str = "en",
    height: int = 900,
) -> Frame:
    """The laboratory in a frame; as the last line of a notebook's cell, it is drawn.

    Args:
        table, target, features, language: see `page`.
        height: of the frame, in pixels.

    Raises:
        TypeError, ValueError, OSError: what `page` raises.

    Example:
        >>> show(height=400)._repr_html_().count("<iframe")
        1
    """
    return Frame(page(table, target, features, language), height)
