"""docs/formulas.md: every optimizer and schedule in LaTeX, where dialects differ, and what the symbols are in code.

python -m tinygrad_lr.verify.documents.formulas > docs/formulas.md        (a test keeps it true)
"""

from __future__ import annotations

from collections.abc import Mapping

from tinygrad_lr.schedules.table import SCHEDULES

from ..formulas import FAMILIES
from ..formulas.schedules import REFERENCES, Reference
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
    parts += [
        "## Schedules",
        "$f$ is the factor of the base rate at step $s$, which counts from 0. Schedules that are not tinygrad_lr's "
        "serve `verify.check_schedule`. Options are what libraries do differently. A schedule that looks at the loss "
        "(reduce on plateau) is no function of the step, and is not here. A row with a warm-up among its options may "
        "have `warmup_steps` steps before it, from `warmup_start` times the base rate: $f = f_w + (1 - f_w) s / W$; "
        'what follows counts its steps from there, or with `clock="from zero"` from 0.',
    ]
    for name, row in REFERENCES.items():
        whose = "" if name in SCHEDULES else " Not tinygrad_lr's."
        parts += [f"### {row.title}", f"`{name}`. Source: {row.source}. {row.ends}{whose}"]
        parts += [f"```math\n{lines_as_latex(row.lines)}\n```"]
        symbols = {key: each if isinstance(each, tuple) else (each,) for key, each in row.symbols.items()}
        parts += [_with_symbols(symbols)]
        parts += _options(row)
    return "\n\n".join(part for part in parts if part) + "\n"


def _options(row: Reference) -> list[str]:
    """The options of a schedule, and the lines of its variants; the warm-up is said once for all."""
    warmup = ("warmup_steps", "warmup_start", "clock")
    kinds = {key: option for key, option in (row.options or {}).items() if key not in warmup}
    words = ["a warm-up"] if "clock" in (row.options or {}) else []
    said = [
        f"`{key}` ({', '.join(kind)})" if isinstance(kind, tuple) else f"`{key}` = {as_text(default)}"
        for key, (kind, default) in kinds.items()
    ]
    parts = [f"Options: {', '.join([*said, *words])}."] if said or words else []
    for label, options in (row.variants or {}).items():
        if "warmup_steps" in options:
            continue
        chosen = ", ".join(f"`{key}={value!r}`" for key, value in options.items())
        parts += [f"{label}, {chosen}:", f"```math\n{lines_as_latex(row.lines_with(**options))}\n```"]
    if row.option_symbols:
        parts += [_with_symbols({key: (each,) for key, each in row.option_symbols.items()})]
    return parts


def _with_symbols(legend: Mapping[str, tuple[str, ...]]) -> str:
    """What the symbols of a formula are called in code."""
    said = [
        f"{', '.join(f'${symbol_as_latex(each)}$' for each in symbols)} = `{name}`" for name, symbols in legend.items()
    ]
    return f"With {'; '.join(said)}."


if __name__ == "__main__":
    print(document(), end="")
