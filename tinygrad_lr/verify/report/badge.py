"""A badge, as an SVG image: what was verified, and how much of it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .findings import Finding, inherited_from

GREEN, AMBER, RED = "#2e7d4f", "#8f6400", "#b3382c"


def as_badge(claim: str, findings: Sequence[Finding], ok: bool) -> str:
    """An SVG image of one line: "verified | adam, 27 properties", or how many fail, or are inherited failures.

    Example:
        >>> "adam, 1 property" in as_badge("adam", [Finding("P2", "Same bits.", "passed")], True)
        True
    """
    count = sum(each.outcome == "passed" and each.property_id != "P0" for each in findings)
    failed = sum(each.outcome in ("failed", "error", "unexpectedly passed") for each in findings)
    inherited = bool(inherited_from(findings))
    number, what = (count, "") if ok or inherited else (failed, " wrong")
    right = f"{claim}, {number} {'property' if number == 1 else 'properties'}{what}"
    right += f", {failed} inherited" if inherited else ""
    left, colour = ("not verified", RED) if not (ok or inherited) else ("verified", AMBER if inherited else GREEN)
    widths = [round(6.6 * len(text)) + 14 for text in (left, right)]
    whole = sum(widths)
    texts = "".join(
        f'<text x="{x}" y="14">{escape(text)}</text>'
        for x, text in ((widths[0] / 2, left), (widths[0] + widths[1] / 2, right))
    )
    label = escape(f"{left}: {right}", quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="{label}">'
        f"<title>{label}</title>"
        f'<clipPath id="r"><rect width="{whole}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{widths[0]}" height="20" fill="#555"/>'
        f'<rect x="{widths[0]}" width="{widths[1]}" height="20" fill="{colour}"/></g>'
        f'<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{texts}</g>'
        "</svg>"
    )
