"""The papers' formulas in JavaScript: a part of the script of engine.py, for what the page shows under the glass.

The lines are those of `verify`: each formula's own functions, which say from the hyperparameters what is printed and
what the states are before the first step, are translated. The page reads, draws and evaluates lines by itself
(web/src/lab/formula/), as verify/language/ does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tinygrad_lr.optim import OPTIMIZERS
from tinygrad_lr.verify.formulas import FAMILIES, Family, numbers
from tinygrad_lr.verify.formulas.family import SYMBOLS

from .translation.host import Program

__all__ = ["formula_info", "formulas_text"]

# What the functions ask of a parameter's array, which formulas.js has.
MEASURES = {numbers.dimensions: "dimensions", numbers.mean: "mean", numbers.norm: "norm"}


def formulas_text() -> str:
    """JavaScript that gives the formulas by the optimizers' names, and the symbols of hyperparameters.

    Formulas without lines in the notation are not there.

    Raises:
        NotTranslatable: a function of a formula has no translation.

    Example:
        >>> "\\"m <- beta1 m + (1 - beta1) g\\"" in formulas_text()
        True
    """
    program = Program(arrays_in=("tinygrad_lr.verify",), given=MEASURES)
    rows = []
    for name in OPTIMIZERS:
        if name in FAMILIES and FAMILIES[name].in_notation:
            rows.append(f"{name}: {_row(program, FAMILIES[name])}")
    measures = (Path(__file__).parent / "formulas.js").read_text(encoding="utf-8")
    symbols = f"symbols: {json.dumps(SYMBOLS)}"
    return f"{measures}{program.text()}return {{ {symbols}, of: {{ {', '.join(rows)} }} }};\n"


def _row(program: Program, family: Family) -> str:
    """A formula in JavaScript: see Formula in web/src/lab/engine.d.ts."""
    starts = ("start", family.initial) if family.initial else ("filled", family.state)
    functions = {"lines": family.lines, starts[0]: starts[1]}
    parts = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in formula_info(family).items()]
    parts += [f"{key}: {program.function(each)}" for key, each in functions.items()]
    return f"{{ {', '.join(parts)} }}"


def formula_info(family: Family) -> dict[str, Any]:
    """What the page needs to know of a formula besides its functions.

    Example:
        >>> formula_info(FAMILIES["nadam"])["states"], formula_info(FAMILIES["nadam"])["memory"]
        ({'exp_avg': 'm', 'exp_avg_sq': 'v'}, {'P': 1.0})
    """
    memory = {"memory": dict(family.memory)} if family.memory else {}
    return {"source": family.source, "states": dict(family.symbols), **memory}
