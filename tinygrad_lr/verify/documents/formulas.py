"""docs/formulas.md: every optimizer and schedule in LaTeX, where dialects differ, and what the symbols are in code.

python -m tinygrad_lr.verify.documents.formulas > docs/formulas.md        (a test keeps it true)
"""

from __future__ import annotations

from collections.abc import Mapping

from ..formulas import FAMILIES
from ..formulas.schedules import REFERENCES
from ..language.latex import symbol_as_latex
from ..specification import spec
from .text import as_text, lines_as_latex


def document() -> str:
    """docs/formulas.md: every optimizer and schedule in LaTeX, and where dialects differ."""
    parts = [
        "# Formulas",
        "Written by `python -m tinygrad_lr.verify.documents.formulas > docs/formulas.md`; a test keeps it true. The "
        "same lines, evaluated, are held to the formulas that `tinygrad_lr.verify` checks optimizers against. An arrow "
        "keeps a value for the next step, an equals sign is of this step; $t$ counts from 1.",
        "## Optimizers",
    ]
    for name, family in FAMILIES.items():
        parts += [f"### {family.title}", f"`{name}`. {family.source}."]
        by_lines: dict[tuple[str, ...], list[str]] = {}
        for dialect in family.dialects:
            by_lines.setdefault(tuple(spec(name, dialect=dialect).lines()), []).append(dialect)
        for lines, dialects in by_lines.items():
            parts += [f"{', '.join(dialects)}:", f"```math\n{lines_as_latex(lines)}\n```"]
        printed = spec(name).legend([line for lines in by_lines for line in lines])
        parts += [_with_symbols({key: symbols for key, symbols in printed.items()})]
        of = {dialect: family.settings(dialect) for dialect in family.dialects}
        names = [key for key in family.defaults if len({str(values[key]) for values in of.values()}) > 1]
        rows = [["", *of], ["---"] * (len(of) + 1)]
        rows += [[f"`{key}`", *(as_text(values[key]) for values in of.values())] for key in names]
        parts += ["\n".join(f"| {' | '.join(row)} |" for row in rows)]
        parts += ["\n".join(f"- {dialect} {remark}." for dialect, remark in family.remarks.items())]
    parts += ["## Schedules", "$f$ is the factor of the base rate at step $s$, which counts from 0."]
    for name, row in REFERENCES.items():
        parts += [f"### {row.title}", f"`{name}`. Source: {row.source}. {row.ends}"]
        parts += [f"```math\n{lines_as_latex(row.lines)}\n```"]
        symbols = {key: each if isinstance(each, tuple) else (each,) for key, each in row.symbols.items()}
        parts += [_with_symbols(symbols)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _with_symbols(legend: Mapping[str, tuple[str, ...]]) -> str:
    """What the symbols of a formula are called in code."""
    said = [
        f"{', '.join(f'${symbol_as_latex(each)}$' for each in symbols)} = `{name}`" for name, symbols in legend.items()
    ]
    return f"With {'; '.join(said)}."


if __name__ == "__main__":
    print(document(), end="")
