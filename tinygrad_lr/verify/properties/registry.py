"""All properties, P1 to P49, in one table: what each says, which call checks it, and of what it speaks.

The statements stand beside their checks (`protocol.holds`, schedules.py, clipping.py, gradients.py) and come together
here. Next: ../documents/explain.py, which prints a row: `tinygrad-lr explain P26`.

Example:
    >>> property_table()["P39"].calls, property_table()["P39"].applies
    (('check_schedule',), 'Cosines.')
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from ..formulas import FAMILIES
from ..protocol import ELEMENTWISE, INDEPENDENT, SOME, Property, number_of
from . import PROPERTIES, clipping, gradients, schedules


class PropertyInfo(NamedTuple):
    """A property.

    Attributes:
        id: "P26.zero" is a part of P26.
        statement: what must hold, in a sentence.
        calls: the functions of `verify` that check it.
        applies: of what it speaks, in a sentence.
    """

    id: str
    statement: str
    calls: tuple[str, ...]
    applies: str


# What an optimizer must have besides params and step() for a property to be checked.
METHODS = {
    "P1.changes": "set_hyperparameters() or add_group()",
    "P1.counts": "get_state() and set_state()",
    "P6": "add_group()",
    "P8": "get_state() and set_state()",
    "P9": "get_state() and set_state()",
    "P9.count": "get_state() and set_state()",
    "P9.whole": "get_state() and set_state()",
    "P18": "another backend, with `reference=`",
    "P24": "get_state()",
    "P29": "get_state()",
    "P33": "get_state()",
    "P33.average": "accumulate_every()",
}
WITHOUT_A_FORMULA = {
    ELEMENTWISE: 'Without a formula: of elementwise rules; others "differ".',
    INDEPENDENT: 'Without a formula: of rules that update each parameter by itself; others "differ".',
    SOME: 'Without a formula: of many rules; others "differ".',
}
OF_SCHEDULES = {
    "P35": (("check_schedule",), "Every schedule."),
    "P35.built": (("check_schedule",), "Schedules with a formula that are built: with `build=`, or a library's."),
    "P36": (("check_scheduler",), "What writes rates into an optimizer and can be saved."),
    "P37": (("check_schedule",), "Every schedule; without a formula: finite and never negative."),
    "P38": (("check_schedule",), "Schedules that declare themselves continuous."),
    "P39": (("check_schedule",), "Cosines."),
    "P40": (("check_schedule",), "Schedules that restart, with `cycles=`."),
    "P41": (("check_scheduler",), "What writes rates into an optimizer."),
    "P42": (("check_schedule",), "Every schedule."),
    "P42.built": (("check_schedule",), "Schedules that a factory builds, with `build=`."),
    "P43": (("check_schedule",), "Sequences, with `parts=`."),
    "P43.epochs": (("check_schedule",), "Functions of the progress alone, with `build=` and `batches=`."),
    "P43.accumulation": (("check_scheduler",), "Training loops, with `micro_step=`."),
}
OF_GRADIENTS = {
    "P44": "Functions of Tensors and of arrays, where there is a derivative.",
    "P45": "Functions of Tensors, where there is a derivative.",
    "P46": "Functions of Tensors and of arrays.",
    "P47": "Functions of Tensors.",
    "P48": "Functions of Tensors.",
    "P49": "Kinks, with `declared=`.",
}


@cache
def property_table() -> dict[str, PropertyInfo]:
    """Every property by its id, in order."""
    rows = [
        PropertyInfo(each.id, each.statement, ("check_optimizer",), _of_optimizers(each))
        for each in PROPERTIES.values()
    ]
    promise = {clipping.NONFINITE.id: "Clipping by the global norm, with `non_finite=`."}
    rows += [
        PropertyInfo(part.id, part.statement, ("check_clipping",), promise.get(part.id, "Clipping by the global norm."))
        for part in clipping.CHECKS
    ]
    rows += [PropertyInfo(key, _sentence(schedules.PROPERTIES[key]), *row) for key, row in OF_SCHEDULES.items()]
    rows += [
        PropertyInfo(key, gradients.STATEMENTS[key], ("check_gradients",), text) for key, text in OF_GRADIENTS.items()
    ]
    return {row.id: row for row in sorted(rows, key=lambda row: number_of(row.id)[0])}


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _of_optimizers(check: Property) -> str:
    """Of which optimizers a check speaks, from what its row declares."""
    names = [name for name in FAMILIES if check.applies(name)]
    without = [name for name in FAMILIES if name not in names]
    parts = [f"Every rule with {' and '.join(check.needs)}." if check.needs else "Every rule."]
    if check.only or (not check.needs and len(without) > len(names)):
        parts = [f"{', '.join(names)}."]
    elif exempt := [name for name in without if check.id in FAMILIES[name].exempt]:
        parts = [f"{parts[0][:-1]} but {', '.join(exempt)}."]
    if check.unless is not None:
        parts.append((check.unless.__doc__ or "").strip())
    if check.of in WITHOUT_A_FORMULA:
        parts.append(WITHOUT_A_FORMULA[check.of])
    if check.id in METHODS:
        parts.append(f"It asks for {METHODS[check.id]}.")
    return " ".join(parts)


def find_properties(property_id: str) -> list[PropertyInfo]:
    """The row of an id and those of its parts; none for an id that there is not.

    Example:
        >>> [row.id for row in find_properties("P33")], find_properties("P99")
        (['P33', 'P33.average'], [])
    """
    return [row for key, row in property_table().items() if key == property_id or key.startswith(f"{property_id}.")]


def explain_unknown(ids: Iterable[str], here: Iterable[str]) -> str:
    """A message about ids that a call does not check: which call does, or what there is.

    Example:
        >>> explain_unknown(["P39"], ["P1", "P2"])
        'P39 is checked by verify.check_schedule; here there are P1, P2'
    """
    messages = []
    for each in ids:
        rows = [property_table()[each]] if each in property_table() else find_properties(each)
        calls = dict.fromkeys(call for row in rows for call in row.calls)
        if not rows:
            messages.append(f"no property is called {each}")
        elif each in property_table():
            messages.append(f"{each} is checked by {' and '.join(f'verify.{call}' for call in calls)}")
        else:
            parts = ", ".join(row.id for row in rows)
            messages.append(
                f"{each} has the parts {parts}, checked by {' and '.join(f'verify.{call}' for call in calls)}"
            )
    return f"{'; '.join(messages)}; here there are {', '.join(here)}"
