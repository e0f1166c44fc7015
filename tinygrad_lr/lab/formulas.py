"""The papers' formulas in JavaScript: a part of the script of engine.py, for what the page shows under the glass.

The lines are those of `verify`: each formula's own functions, which say from the hyperparameters what is printed and
what the states are before the first step, are translated. The page reads, draws and evaluates lines by itself
(web/src/lab/formula/), as verify/language/ does.
"""

from __future__ import annotations

import inspect
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
    """JavaScript that gives the formulas by the optimizers' names; those without lines in the notation are not there.

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
            family = FAMILIES[name]
            start = f"start: {program.reference(family.initial or family.state)}"
            info = json.dumps(formula_info(family), ensure_ascii=False)
            rows.append(f"{name}: {{ ...{info}, lines: {program.reference(family.lines)}, {start} }}")
    measures = (Path(__file__).parent / "formulas.js").read_text(encoding="utf-8")
    return f"{measures}{program.text()}return {{ {', '.join(rows)} }};\n"


def formula_info(family: Family) -> dict[str, Any]:
    """What the page needs to know of a formula besides its functions: see Formula in web/src/lab/engine.d.ts.

    Example:
        >>> info = formula_info(FAMILIES["adagrad"])
        >>> info["states"], info["symbols"]["weight_decay"], info["defaults"]["eps"]
        ({'sum': 's'}, 'lambda', 1e-10)
    """
    return {
        "title": family.title,
        "source": family.source,
        "defaults": {key: value for key, value in family.defaults.items() if value is not inspect.Parameter.empty},
        "symbols": {name: SYMBOLS[name] for name in family.defaults if SYMBOLS.get(name, name) != name},
        "states": dict(family.symbols),
        "memory": dict(family.memory),
        "startsWhole": family.initial is not None,
    }
