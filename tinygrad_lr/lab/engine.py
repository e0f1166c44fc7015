"""`engine_source()`: all optimizers, schedules and surfaces as one script that defines `engine`.

Every rule in it is translated from the Python that trains: the kernels (translation/kernels.py), what classes compute
on the host, schedules and surfaces (translation/host.py). The tables are asked, so that a row which lands there is
here, too. engine.js has what lies around the rules: states, steps, groups.
"""

from __future__ import annotations

import ast
import inspect
import json
import operator
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lr.integers import shown
from tinygrad_lr.kernels._kernel import Kernel
from tinygrad_lr.kernels._measured import MeasuredKernel, fold
from tinygrad_lr.optim import OPTIMIZERS, validation
from tinygrad_lr.optim.groups import check_extra, refuse_torch_options, refuse_typo
from tinygrad_lr.optim.hyperparameters import Hyperparameter
from tinygrad_lr.optim.optimizer import kernels
from tinygrad_lr.schedules.elementary import exponentials, powers
from tinygrad_lr.schedules.table import SCHEDULES, Row

from . import arithmetic, batches
from .formulas import formulas_text
from .said import said
from .surfaces import SURFACES, Surface, best_line, line, line_gradient
from .translation.host import Program, runtime
from .translation.kernels import ARRANGING, layout_of, object_of, translated_kernel
from .translation.kinds import FLOAT32, FLOAT64, WHOLE, Array, Kind
from .translation.syntax import source_of
from .translation.typed import Translator

__all__ = ["SHAPES", "engine_source"]

Shapes = Sequence[tuple[int, ...]]

# The parameters, end to end, of which the page makes groups: a matrix of two numbers or one, with and without bias.
SHAPES: tuple[Shapes, ...] = (((1, 2),), ((1, 1),), ((1,),), ((2,),), ((1, 2), (1,)), ((1, 1), (1, 1)))
SEEDS = 100  # of batches: 0, 1, ..., 99
# What the script has under another name.
GIVEN = {
    kernels: "kernelsOf",
    validation.one_element: "py.plain",
    shown: "py.repr",
    operator.index: "py.index",
    powers: "np.power",
    exponentials: "np.exp",
    refuse_typo: "unknownHyperparameter",
    refuse_torch_options: "py.nothing",
    check_extra: "py.nothing",
}
# What the script asks of a class of the family.
ASKED = (
    "_divided",
    "checked_items",
    "constants",
    "initial_state",
    "kernel",
    "moving",
    "numbered",
    "numbers",
    "together",
)
OF_SCHEDULES = ("__call__", "__mul__", "__repr__", "clip", "phases", "range", "repeat", "shift", "then", "total_steps")


def engine_source(shapes: Sequence[Shapes] = SHAPES) -> str:
    """The script.

    Args:
        shapes: the shapes of parameters for which kernels with a layout of their own have one.

    Returns:
        JavaScript that defines the constant `engine`.

    Raises:
        NotTranslatable: something in a row of a table has no translation.

    Example:
        >>> engine_source().startswith("const engine = (() => {")
        True
    """
    parts = [
        runtime(),
        f"const arithmetic = {_scope(_arithmetic())}",
        f"const {{ kernels, ARRAYS, arrangedArray }} = {_scope(_kernels(shapes))}",
        f"const optimizerInfos = {_scope(_optimizer_infos())}",
        f"const classes = {_scope(_classes())}",
        f"const scheduleInfos = {_scope(_schedule_infos())}",
        f"const scheduling = {_scope(_schedules())}",
        f"const formulas = {_scope(formulas_text())}",
        f"const surfaceInfos = {_json({name: surface_info(each) for name, each in SURFACES.items()})};\n",
        f"const surfaces = {_scope(_surfaces())}",
        f"const batches = {_scope(_batches())}",
        f"const firstKeys = {_json([str(batches.first_key(seed)) for seed in range(SEEDS)])};\n",
        (Path(__file__).parent / "engine.js").read_text(encoding="utf-8"),
    ]
    return f"const engine = (() => {{\n{''.join(parts)}return engine;\n}})();\n"


def _scope(text: str) -> str:
    """Names of their own."""
    return f"(() => {{\n{text}}})();\n"


def _json(given: Any) -> str:
    return json.dumps(given, ensure_ascii=False, separators=(",", ":"))


class _Once:
    """Plain data that a script has several times: each is a constant, which is written once."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def written(self, text: str) -> str:
        """The name of the constant that is an expression of JavaScript."""
        return self._names.setdefault(text, f"given{len(self._names)}")

    def of(self, given: Any) -> str:
        """The name of the constant that is some data."""
        return self.written(_json(given))

    def list(self, given: Sequence[Any]) -> str:
        """A list of such data, by the names of the constants."""
        return f"[{', '.join(map(self.of, given))}]"

    def text(self) -> str:
        """The constants."""
        return f"const {', '.join(f'{name} = {text}' for text, name in self._names.items())};\n" if self._names else ""


# --- the parts --------------------------------------------------------------------------------------------------------


def _arithmetic() -> str:
    program = Program()
    rows = [f"{each.__name__}: {program.function(each)}" for each in (arithmetic.power, arithmetic.exponential)]
    return f"{program.text()}return {{ {', '.join(rows)} }};\n"


def _optimizer_infos() -> str:
    once, rows = _Once(), []
    for name in OPTIMIZERS:
        info = optimizer_info(name)
        written = {
            "family": once.of(info.pop("family")),
            "dialects": _dialects(info.pop("dialects")),
            "hyperparameters": once.list(info.pop("hyperparameters")),
        }
        members = {key: _json(value) for key, value in info.items()} | written
        rows.append(f"{name}: {{ {', '.join(f'{key}: {text}' for key, text in members.items())} }}")
    return f"{once.text()}return {{ {', '.join(rows)} }};\n"


def _dialects(dialects: Mapping[str, Mapping[str, Any]]) -> str:
    """The values of dialects: those of the first, and in what each other one differs."""
    names, (first, *others) = list(dialects), dialects.values()
    differing = [{key: value for key, value in other.items() if value != first[key]} for other in others]
    if not others:
        return _json(dialects)
    rows = [f"{name}: {{ ...first, {_json(values)[1:]}" for name, values in zip(names[1:], differing, strict=True)]
    return f"((first) => ({{ {', '.join([f'{names[0]}: first', *rows])} }}))({_json(first)})"


def _schedule_infos() -> str:
    once = _Once()
    rows = [f"{_json(name)}: {_schedule_info(once, row)}" for name, row in SCHEDULES.items()]
    return f"{once.text()}return {{ {', '.join(rows)} }};\n"


def _schedule_info(once: _Once, row: Row) -> str:
    info = schedule_info(row)
    return once.written(f"{{ about: {_json(info['about'])}, arguments: {once.list(info['arguments'])} }}")


def _classes() -> str:
    program = Program(given=GIVEN)
    for member in ASKED:
        program.ask(member)
    rows = [f"{name}: {program.cls(OPTIMIZERS[name])}" for name in OPTIMIZERS]
    return f"{program.text()}return {{ {', '.join(rows)} }};\n"


def _schedules() -> str:
    program = Program(arrays_in=("tinygrad_lr.schedules",), given=GIVEN)
    for member in OF_SCHEDULES:
        program.ask(member)
    rows = []
    for name, row in SCHEDULES.items():
        constructor, fixed = _parted(row)
        rows.append(f"{_json(name)}: {{ constructor: {program.reference(constructor)}, fixed: {_json(fixed)} }}")
    return f"{program.text()}return {{ {', '.join(rows)} }};\n"


def _surfaces() -> str:
    program = Program()
    rows = [
        f"{name}: {{ value: {program.function(each.value)}, gradient: {program.function(each.gradient)} }}"
        for name, each in SURFACES.items()
    ]
    of_rows = [f"{each.__name__}: {program.function(each)}" for each in (line, line_gradient, best_line)]
    return f"{program.text()}return {{ of: {{ {', '.join(rows)} }}, {', '.join(of_rows)} }};\n"


def _batches() -> str:
    program = Program(arrays_in=(batches.__name__,))
    return f"const order = {program.reference(batches.order)};\n{program.text()}return {{ order }};\n"


def _kernels(shapes: Sequence[Shapes]) -> str:
    """The kernels of all optimizers, by file and name, with what they take for parameters of some shapes."""
    translator, once = Translator(), _Once()
    files: dict[str, list[str]] = {}
    for name in OPTIMIZERS:
        file = OPTIMIZERS[name].kernels
        files[file] = [
            f"{variant}: {_kernel(translator, once, kernel, shapes)}" for variant, kernel in kernels(file).items()
        ]
    table = ",\n".join(f"{file}: {{ {', '.join(rows)} }}" for file, rows in files.items())
    parts = [translator.text, ARRANGING, once.text(), f"const kernels = {{ {table} }};\n"]
    return f"{''.join(parts)}return {{ kernels, ARRAYS, arrangedArray }};\n"


def _kernel(translator: Translator, once: _Once, kernel: Kernel, shapes: Sequence[Shapes]) -> str:
    members = translated_kernel(translator, kernel)
    members |= {name: once.written(members[name]) for name in ("stored", "layout")}
    if kernel.layout is not None:
        rows = []
        for each in shapes:
            if all(len(shape) >= kernel.dimensions for shape in each):
                found = layout_of(kernel, each)
                sizes = [state["shape"][0] for state in found["states"]]
                arrays = once.written(once.list(found["layout"]))
                rows.append(f"{_json(_json(each))}: {{ states: {sizes}, layout: {arrays} }}")
        members["laidOut"] = once.written(f"py.laidOut({{ {', '.join(rows)} }})")
    if isinstance(kernel, MeasuredKernel) and kernel.together:
        members |= _parts_of(translator, kernel)
    return object_of(members)


def _parts_of(translator: Translator, kernel: MeasuredKernel) -> dict[str, str]:
    """The two passes and the decision of a kernel for all parameters, each alone: they may lie in several groups."""
    arrays = ["param", "grad", *kernel.arrays]
    layout = dict(zip(kernel.layout_names, kernel.layout([(1,)], np.dtype(np.float32)), strict=True))
    kinds = {name: Array(array.dtype.name, array.ndim) for name, array in layout.items()}
    scalars: list[Kind] = [FLOAT32] * len(kernel.scalars)
    of_arrays: list[Kind] = [Array("float32")] * len(arrays)
    given = [*arrays, *kernel.scalars]
    chunks: list[Kind] = [WHOLE, WHOLE, kinds["starts"], kinds["owners"]]
    measured, _ = translator.function(
        kernel.measured, [*chunks, kinds["measured"], Array("float64"), *of_arrays, *scalars], given
    )
    applied, _ = translator.function(kernel.applied, [*chunks, kinds["factors"], *of_arrays, *scalars], given)
    folded, _ = translator.function(fold, [kinds["measured"]])
    numbers = [FLOAT64] * len(kernel.numbers)
    decided, _ = translator.function(kernel.decide, [FLOAT64, FLOAT64, FLOAT64, *numbers, *scalars])
    number = kernel.numbers[0] if kernel.numbers else "zeros"
    names = ", ".join([*arrays, *kernel.numbers, *kernel.layout_names])
    passed = f"{', '.join(arrays)}, ...scalars"
    return {
        "numbers": _json(kernel.numbers),
        "measure": f"([{names}], scalars) => {{ "
        f"{measured}(0, owners.length, starts, owners, measured, {number}, {passed}); return {folded}(measured); }}",
        "decide": decided,
        "apply": f"([{names}], found, scalars) => {{ py.fillRows(factors, found); "
        f"{applied}(0, owners.length, starts, owners, factors, {passed}); }}",
    }


# --- what the page says of them ---------------------------------------------------------------------------------------


def about(given: Any) -> str:
    """The first sentence of what is documented.

    Example:
        >>> about(SURFACES["saddle"].value)
        '1/4 + x^2 / 2 + y^4 / 4 - y^2 / 2: a saddle at (0, 0) between two minima, (0, 1) and (0, -1), where it is 0.'
    """
    text = " ".join((inspect.getdoc(given) or "").partition("\n\n")[0].split())
    end = text.find(". ")
    return text if end < 0 else text[: end + 1]


def optimizer_info(name: str) -> dict[str, Any]:
    """What the page shows of an optimizer: see `engine.optimizers`."""
    cls, row = OPTIMIZERS[name], OPTIMIZERS.rows[name]
    needs = {"needs": row.needs} if row.needs else {}
    return {
        "about": said(about(cls)),
        "title": cls.__name__,
        "family": said(row.family),
        **needs,
        "dialects": {dialect: dict(values) for dialect, values in cls.dialects.items()},
        "hyperparameters": [
            {"name": each, "about": said(own.doc), **kind_of(own)} for each, own in cls.hyperparameters.items()
        ],
    }


def kind_of(row: Hyperparameter) -> dict[str, Any]:
    """What values a hyperparameter takes, as its check and its default tell.

    Example:
        >>> kind_of(OPTIMIZERS["adam"].hyperparameters["betas"])
        {'kind': 'numbers', 'length': 2}
        >>> kind_of(OPTIMIZERS["sgd"].hyperparameters["lr_placement"])
        {'kind': 'choice', 'choices': ['inside', 'outside']}
    """
    if row.check is validation.flag:
        return {"kind": "flag"}
    if isinstance(row.default, str):
        return {"kind": "choice", "choices": list(_words(row.check))}
    if isinstance(row.default, tuple):
        return {"kind": "numbers", "length": len(row.default)}
    return {"kind": "integer" if type(row.default) is int else "number"}


def _words(check: Any) -> Sequence[str]:
    """The words that a check lets pass: in what it encloses, or in a table of its module that it names."""
    source = source_of(check)
    enclosed = inspect.getclosurevars(check)
    for found in (*enclosed.nonlocals.values(), *enclosed.globals.values()):
        if isinstance(found, tuple) and all(isinstance(each, str) for each in found):
            return found
    return source.refuse(source.tree, "no table of words is found here")


def schedule_info(row: Row) -> dict[str, Any]:
    """What the page shows of a schedule: see `engine.schedules`."""
    constructor, fixed = _parted(row)
    parameters = inspect.signature(constructor, eval_str=True).parameters
    return {
        "about": said(about(constructor)),
        "arguments": [_argument(row, constructor, each) for name, each in parameters.items() if name not in fixed],
    }


def _parted(row: Row) -> tuple[Any, Mapping[str, Any]]:
    """A row's constructor, and the arguments that it fixes."""
    build = row.build
    return (build.func, build.keywords) if isinstance(build, partial) else (build, {})


def surface_info(surface: Surface) -> dict[str, Any]:
    """What the page shows of a surface: see `engine.surfaces`."""
    shown_there = ("start", "minimum", "twin", "seen")
    arguments = [each._asdict() for each in surface.arguments]
    members = {name: getattr(surface, name) for name in shown_there}
    return {"about": said(surface.about), **members, "arguments": arguments}


def _argument(row: Row, constructor: Any, parameter: inspect.Parameter) -> dict[str, Any]:
    required = parameter.default is inspect.Parameter.empty
    found = {"name": parameter.name, "required": required, "default": None if required else parameter.default}
    said = row.arguments.get(parameter.name)
    kinds = {bool: "flag", int: "integer", float: "number", str: "choice"}
    written = str(parameter.annotation)
    for kind, name in kinds.items():
        if kind.__name__ in written:
            found["kind"] = f"{name}s" if "Iterable" in written else name
            break
    if found["kind"] == "choice":
        found["choices"] = list(said if isinstance(said, tuple) else _allowed(constructor, parameter.name))
    return found


def _allowed(constructor: Any, name: str) -> Sequence[str]:
    """The words among which a constructor checks an argument: those in its call of `one_of`."""
    source = source_of(constructor)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("one_of") and len(node.args) == 3:
            what, _, words = node.args
            if isinstance(what, ast.Constant) and what.value == name:
                found: Sequence[str] = (
                    source.names[words.id] if isinstance(words, ast.Name) else ast.literal_eval(words)
                )
                return found
    return source.refuse(source.tree, f"no words for {name} are found here")
