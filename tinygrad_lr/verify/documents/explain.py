"""What `tinygrad-lr explain adam` prints: the formula, its source, its dialects, and the first steps as numbers.

Everything is computed from the specification: nothing here knows an optimizer. Next: formulas.py, which
writes docs/formulas.md; specification.py, notation.py.

Example:
    >>> print(explain("signsgd").splitlines()[0])
    signSGD (signsgd), dialect paper
"""

from __future__ import annotations

import numbers
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.integers import shown
from tinygrad_lr.schedules.table import SCHEDULES
from tinygrad_lr.suggesting import meant

from ..formulas import FAMILIES
from ..formulas.schedules import REFERENCES, WARMUP_SYMBOLS, Reference, reference_of
from ..language.notation import Node, evaluate, parse
from ..properties import PROPERTIES
from ..specification import Specification, spec
from .text import as_number, as_text, lines_as_latex, table

THETA, GRADIENTS = 1.0, (0.5, 0.1, -0.2, 0.3, 0.05)
LEGEND = "<- keeps a value for the next step, = is of this step; t counts from 1; v^ is v hat."


def explain(
    name: str | Specification, *, dialect: str | None = None, latex: bool = False, **hyperparameters: Any
) -> str:
    """The explanation of an optimizer or a schedule as text.

    Args:
        name: a key of `formulas.FAMILIES`, of `schedules.SCHEDULES` or of `formulas.schedules.REFERENCES`, the id of a
            property ("P26"), or a formula of one's own (`verify.formula`).
        dialect: whose form of the optimizer; by default the first.
        latex: only the formula, as LaTeX.
        hyperparameters: of the optimizer (so that, say, AMSGrad's lines appear) or the schedule.

    Raises:
        ValueError: there is no such name, dialect or hyperparameter; the message names what there is.
    """
    latex = true_or_false("latex", latex)
    if isinstance(name, Specification):
        return _of_formula(name, dialect, latex, hyperparameters)
    if re.fullmatch(r"[Pp]\d+(\.\w+)?", name):
        return _property(f"P{name[1:60]}")
    name = name.lower()
    name = next((row.name for row in SCHEDULES.values() if name in row.aliases), name)
    if name in FAMILIES:
        return _of_formula(name, dialect, latex, hyperparameters)
    if name not in REFERENCES:
        raise ValueError(_unknown(name))
    of_dialect = reference_of(name).of_dialect(dialect)
    if latex:
        options = {key: hyperparameters[key] for key in REFERENCES[name].option_defaults if key in hyperparameters}
        return lines_as_latex(REFERENCES[name].lines_with(**{**of_dialect, **options}))
    return _schedule(name, {**of_dialect, **hyperparameters})


def _of_formula(name: str | Specification, dialect: str | None, latex: bool, hyperparameters: Mapping[str, Any]) -> str:
    chosen = spec(name, dialect=dialect, **hyperparameters)
    for key, value in hyperparameters.items():
        _check(key, value, chosen.family.settings(dialect).get(key, chosen.family.defaults[key]))
    if latex and not chosen.family.in_notation:
        raise ValueError(f"the lines of {chosen.name} are its source; give lines= to have them in LaTeX")
    return lines_as_latex(chosen.lines()) if latex else _optimizer(chosen, dialect or chosen.dialects[0])


def _check(name: str, value: Any, default: Any) -> None:
    """Raise a ValueError where a hyperparameter is not of its default's kind: with a number of another kind, or NaN,
    the formula would be printed and its steps would not be computed."""
    if isinstance(default, (bool, str)):
        kind, fits = "true, false or a word", isinstance(value, (bool, str))
    elif isinstance(default, tuple):
        kind = f"{len(default)} finite numbers, such as {default}"
        fits = isinstance(value, (tuple, list)) and len(value) == len(default) and all(map(_is_number, value))
    elif default is None:
        kind, fits = "a finite number, or None", value is None or _is_number(value)
    else:
        kind, fits = "a finite number", _is_number(value)
    if not fits:
        raise ValueError(f"{name} must be {kind}, got {shown(value)}")


def _is_number(value: Any) -> bool:
    is_real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return is_real and -sys.float_info.max <= value <= sys.float_info.max


def _unknown(name: str) -> str:
    schedules = [row.short_name for row in SCHEDULES.values()]
    schedules = [each for each in [*schedules, *(REFERENCES.keys() - SCHEDULES.keys())] if "," not in each]
    ours = (each for row in SCHEDULES.values() for each in (row.name, *row.aliases))
    hint = meant(name, [*FAMILIES, *REFERENCES, *ours], most=3, alike=0.5)
    return (
        f"there is no optimizer or schedule {shown(name)}{f'; {hint}' if hint else '.'} "
        f"Optimizers: {', '.join(FAMILIES)}. Schedules: {', '.join(schedules)}."
    )


def _optimizer(chosen: Specification, dialect: str) -> str:
    family = chosen.family
    settings = ", ".join(f"{key} = {as_text(value)}" for key, value in chosen.settings.items())
    parts = [
        f"{family.title} ({family.name}), dialect {dialect}\nSource: {family.source}",
        "\n".join(f"  {line}" for line in chosen.lines()),
        "\n".join(
            line for line in (LEGEND if family.in_notation else "", _legend(chosen), f"With {settings}.") if line
        ),
        _dialects(chosen),
        _properties(chosen),
        _first_steps(chosen),
    ]
    return "\n\n".join(part for part in parts if part)


def _legend(chosen: Specification) -> str:
    """Symbols and the hyperparameters and state arrays that they are, where the names differ."""
    said = [(", ".join(symbols), name) for name, symbols in chosen.legend().items() if symbols != (name,)]
    return f"With {'; '.join(f'{symbols} = {name}' for symbols, name in said)}." if said else ""


def _dialects(chosen: Specification) -> str:
    """Where the dialects differ: hyperparameters, then the lines that differ under this dialect's switches."""
    family = chosen.family
    of = {dialect: family.settings(dialect) for dialect in family.dialects}
    names = [key for key in family.defaults if len({str(values[key]) for values in of.values()}) > 1]
    rows = [["", *of], *([key, *(as_text(values[key]) for values in of.values())] for key in names)]
    found = [f"Dialects, where they differ:\n{table(rows)}"]
    switches = ("weight_decay", "amsgrad", "momentum", "centered", "nesterov")
    switched = {key: chosen[key] for key in switches if key in chosen.all_names}
    printed = {dialect: spec(chosen, dialect=dialect, **switched).lines() for dialect in of}
    common = set.intersection(*(set(lines) for lines in printed.values()))
    own: dict[str, list[str]] = {}
    for dialect, lines in printed.items():
        own.setdefault("; ".join(line for line in lines if line not in common), []).append(dialect)
    found += [f"  {', '.join(dialects)}: {text}" for text, dialects in own.items() if text]
    found += [f"  {dialect} {remark}" for dialect, remark in family.remarks.items()]
    return "\n".join(found)


def _properties(chosen: Specification) -> str:
    """Which of the properties speak about this optimizer, and which of the rest it is exempt from."""
    against = {key: check.reason_against_settings(chosen) for key, check in PROPERTIES.items()}
    found = [f"Properties that speak about it: {', '.join(key for key, reason in against.items() if not reason)}"]
    settings = {key: reason for key, reason in against.items() if reason and PROPERTIES[key].applies(chosen.family)}
    found += [f"  not {key}: {reason}" for key, reason in {**chosen.exempt, **settings}.items()]
    return "\n".join([*found, "`tinygrad-lr explain P1` says what one of them is."])


def _property(property_id: str) -> str:
    from ..properties.registry import explain_unknown, find_properties  # imports the engine, which formulas do not need

    rows = find_properties(property_id)
    if not rows:
        raise ValueError(explain_unknown([property_id], ["P1 to P49"]))
    return "\n\n".join(
        f"{row.id}  {row.statement}\n"
        f"  checked by  {', '.join(f'verify.{call}' for call in row.calls)}\n  speaks of   {row.applies}"
        for row in rows
    )


def corrections_in(node: Node) -> Iterator[Node]:
    """The factors 1 - beta^t in an expression."""
    if node[:2] == ("-", ("number", "1")) and node[2][0] == "^" and node[2][2] == ("name", "t"):
        yield node
    for part in node[1:]:
        for inner in part if isinstance(part, list) else [part]:
            if isinstance(inner, tuple) and inner and inner[0] not in ("<", ">", "<=", ">="):
                yield from corrections_in(inner)


def _first_steps(chosen: Specification) -> str:
    if not chosen.family.in_notation:
        return ""
    lines = [parse(line) for line in chosen.lines()]
    corrections = {f"1-{node[2][1][1]}^t": node for line in lines for node in corrections_in(line.expression)}
    shape = chosen.family.example_shape or (() if chosen.family.elementwise else (2,))
    start = np.resize([THETA, -2.0, 0.5], shape) if shape else THETA
    gradients = [np.resize([g, 0.2, -0.1], shape) if shape else g for g in GRADIENTS]
    names = list(dict.fromkeys(line.name for line in lines if line.name not in ("g", "theta")))
    rows = [["t", "g", *names, *corrections, "update", "theta"]]
    before = start
    for values in chosen.worked_steps(start, gradients):
        values = {**chosen.symbols(), **values}
        shown = [values["g"], *(values[name] for name in names)]
        shown += [evaluate(node, values) for node in corrections.values()]
        rows.append([str(values["t"]), *map(as_number, [*shown, values["theta"] - before, values["theta"]])])
        before = values["theta"]
    return f"First steps from theta = {as_number(start)}:\n{table(rows)}"


def _schedule(name: str, arguments: dict[str, Any]) -> str:
    row = REFERENCES[name]
    defaults = {**row.example, **row.option_defaults}
    unknown = sorted(set(arguments) - set(defaults))
    if unknown:
        raise ValueError(f"{name} has no argument {unknown}; it has {tuple(defaults)}")
    try:
        chosen = row.checked({**row.example, **arguments}, name)
        if name in SCHEDULES:
            SCHEDULES[name].build(**{key: chosen[key] for key in row.example})  # which checks them
    except TypeError as error:
        raise ValueError(str(error)) from error
    options = {key: value for key, value in arguments.items() if key in row.option_defaults}
    length = _last_step({key: value for key, value in chosen.items() if key in row.example})
    spread = {round(length * part / 12) for part in range(13)} if length > 12 else set(range(length))
    worked = row.worked_steps(sorted(spread | {length, length + 1}), **{**row.example, **arguments})
    rows = [list(worked[0]), *([as_number(value) for value in values.values()] for values in worked)]
    of = {key: " ".join(each) if isinstance(each, tuple) else each for key, each in row.symbols.items()}
    symbols = ", ".join(f"{each} = {key}" for key, each in of.items())
    here = {**{key: chosen[key] for key in row.example}, **options}
    ours = "" if name in SCHEDULES else "\nNo schedule of tinygrad_lr: a reference for verify.check_schedule."
    return "\n\n".join(
        part
        for part in [
            f"{row.title} ({name}), a schedule\nSource: {row.source}{ours}",
            "\n".join(f"  {line}" for line in row.lines_with(**options)),
            f"f is the factor of the base rate at step s, which counts from 0; {symbols}. {row.ends}",
            options_of(row),
            f"With {', '.join(f'{key} = {as_text(value)}' for key, value in here.items())}:\n{table(rows)}",
        ]
        if part
    )


def options_of(row: Reference) -> str:
    """What libraries do differently, as options of the row and the lines under them."""
    found = []
    if row.options:
        kinds = (
            f"{key} = {as_text(default)}" + (f" ({', '.join(kind)})" if isinstance(kind, tuple) else "")
            for key, (kind, default) in row.options.items()
        )
        symbols = {**(row.option_symbols or {}), **(WARMUP_SYMBOLS if "clock" in row.options else {})}
        said = f"; {', '.join(f'{each} = {key}' for key, each in symbols.items())}" if symbols else ""
        found = [f"Options of verify.check_schedule: {', '.join(kinds)}{said}."]
    for label, options in (row.variants or {}).items():
        said = ", ".join(f"{key}={value!r}" for key, value in options.items())
        found.append(f"  {label} ({said}): {'; '.join(row.lines_with(**options))}")
    return "\n".join(found)


def _last_step(arguments: Mapping[str, Any]) -> int:
    """The step at which nothing new begins: the end, or of an endless schedule three times its time scale."""
    phases = [value for key, value in arguments.items() if key.endswith("steps") and value is not None]
    scales = [arguments.get(key, 0) for key in ("timescale", "step_size", "first_steps", "decay_steps")]
    cycle = 2 * (arguments.get("up", 0) + arguments.get("down", 0))
    return max([sum(phases), *(3 * scale for scale in scales if scale), cycle, *arguments.get("milestones", ())])
