"""docs/properties.md: all properties in one table.

python -m tinygrad_lr.verify.documents.properties > docs/properties.md        (a test keeps it true)
"""

from __future__ import annotations

from ..properties.registry import property_table


def document() -> str:
    """docs/properties.md."""
    lines = [
        "# Properties",
        "",
        "Written by `python -m tinygrad_lr.verify.documents.properties > docs/properties.md`; a test keeps it true.",
        "Rules are named as in [formulas.md](formulas.md), and calls are functions of `tinygrad_lr.verify`",
        "([verify.md](verify.md)).",
        "",
        "| id | says | checked by | speaks of |",
        "|---|---|---|---|",
    ]
    for row in property_table().values():
        calls = ", ".join(f"`{call}`" for call in row.calls)
        said = (text.replace("|", "\\|").replace("<", "&lt;") for text in (row.statement, row.applies))
        lines.append(f"| {row.id} | {next(said)} | {calls} | {next(said)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(document(), end="")
