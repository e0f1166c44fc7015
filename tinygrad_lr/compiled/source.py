"""The text of the generated file: the calls of a step and the loop over steps, as plain Python.

Next: generated.py, which writes such files and runs them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lr.kernels._cache import digest_of_kernels
from tinygrad_lr.kernels._run import norm_sums

from .lowering import Call, MaskKeys, Steps, View

__all__ = ["Program", "Update", "words_of", "write"]

WIDTH = 118
PASSES = ("measured", "decide", "applied")  # of an update that decides for all parameters together
OWN_WORDS = ("values", "gradients", "moving", "constants", "table", "norm_sums")  # an update's number follows them


@dataclass
class Update:
    """One call of an optimizer's kernel: the module and the key of its row, arrays, and scalars in the rule's order.

    A scalar is (name, "moving", j) or (name, "constants", j): a column of what changes at each step, or a number that
    stays; the one named "sign" multiplies the gradient.

    `together`: of an optimizer that decides for all parameters together, the names of its numbers; else None. `layout`:
    the names of the arrays that follow the states.
    """

    module: str
    variant: str
    arrays: list[tuple[str, np.ndarray]]
    scalars: list[tuple[str, str, int]]
    number: int
    together: tuple[str, ...] | None = None
    layout: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        """The name of the module's KERNELS in the generated file."""
        return f"{self.module.rpartition('.')[2]}_kernels"

    @property
    def loop(self) -> str:
        """The name of the kernel's loop in the generated file."""
        return f"{self.module.rpartition('.')[2]}_{self.variant}"


@dataclass
class Program:
    """The text of a file, and the arrays that its function `run` takes last."""

    text: str
    arrays: list[np.ndarray]


def words_of(states: Sequence[str], layout: Sequence[str]) -> dict[str, str]:
    """What each state of a kernel is called in the file: its name, or one like it where that is taken or is none.

    Example:
        >>> words_of(["exp_avg", "values", "row-wise", "1st"], ["starts"])
        {'exp_avg': 'exp_avg', 'values': 'values_', 'row-wise': 'row_wise', '1st': '_1st'}
    """
    taken, found = {*OWN_WORDS, *layout}, {}
    for state in states:
        word = re.sub(r"[^0-9A-Za-z_]|^(?![A-Za-z_])", "_", state)
        while word in taken:
            word += "_"
        taken.add(word)
        found[state] = word
    return found


def write(
    steps: Sequence[Steps],
    tables: Sequence[np.ndarray],
    order: np.ndarray,
    updates: Sequence[Update],
    about: str,
    *,
    shuffles: bool,
    clips: bool,
) -> Program:
    """The program for steps on full batches and, if `steps` has a second entry, on a short last batch.

    Args:
        steps: the lowered steps.
        tables: the dataset's tensors, as arrays with two axes, a row for each sample.
        order: 0, 1, ... for each sample. If the file shuffles, an epoch's order is written into it.
        updates: the optimizer's calls.
        about: the first line of the file's docstring.
        shuffles: whether each epoch has an order of its own, from its key.
        clips: whether the gradients are clipped by their norm.
    """
    extra = [name for update in updates for name in (f"moving{update.number}", f"constants{update.number}")]
    masks = ["masks"] if any(each.masks for each in steps) else []
    given = ["keys", "losses", "first", "in_epoch", *masks, *(["max_norm", "unit"] if clips else []), *extra]
    imports, taken = _imports(steps, updates, shuffles, clips)
    names = Names([*given, *taken, *_LOCAL, *_own_names(tables, updates)])
    names.plain("order", order)
    loop = [
        *_batch_lines(steps, tables, names, shuffles),
        "",
        "if place == in_epoch:",
        "    epoch, place = epoch + 1, 0",
    ]
    loop += (_clipping(updates, names) if clips else []) + _updates(updates, names, clips)
    tables_of = {f"table{i}" for i in range(len(tables))}
    shapes = [f"{name} = shaped({name}, {a.shape})" for name, a in names.arguments.items() if name not in tables_of]
    head = _HEAD.format(about=quoted(about), digest=digest_of_kernels()[:16], imports="\n".join(imports))
    lines = [
        *(f'"""{_RUN[0]}', *_RUN[1:], '"""'),
        "# the lengths of all loops, said to the compiler",
        *shapes,
        "",
        "epoch, place = divmod(first, in_epoch)",
        "for i in range(losses.size):",
        *_indented(loop),
        "return losses.size",
    ]
    text = [f"def run({', '.join([*given, *names.arguments])}):", *_indented(lines)]
    return Program(head + "\n".join(map(_wrapped, text)) + "\n", list(names.arguments.values()))


_LOCAL = [
    "first_sum",
    "second_sum",
    "decided",
    "fold",
    "order",
    "i",
    "start",
    "place",
    "epoch",
    "scale",
    "total",
    "factor",
]
_LOCAL += ["isfinite", "sqrt", "compiled", "shaped", "run", "first_sum", "second_sum", "decided", "fold"]
_HEAD = '''"""{about}

Written by tinygrad_lr.compiled and named by the hash of its content: change nothing here, it would not be noticed.
All buffers are allocated before the first step. A name that ends in a shape, such as value1_32x64, is the buffer value1
seen with that shape. values0 is the memory of all parameter_..., end to end, and gradients0 that of their gradient_...
(values1 and gradients1 are those of a second update). What begins with short_ belongs to a short last batch.
Kernels: tinygrad_lr/kernels/, sha256 {digest}.
"""

from math import isfinite, sqrt

{imports}


@compiled
'''
_RUN = (
    "Make the steps first, first + 1, ..., write their losses, and return how many were made before a loss or the",
    "norm of the gradients was not finite.",
    "",
    "keys has an entry for the order of each epoch of in_epoch steps, table0, table1, ... are the dataset's tensors.",
    "masks[i] has a key for each mask that step i draws, where it draws any.",
    "moving0[i] holds the update's scalars that differ from step to step, constants0 those that stay.",
)


def _imports(
    steps: Sequence[Steps], updates: Sequence[Update], shuffles: bool, clips: bool
) -> tuple[list[str], list[str]]:
    """The lines that import the kernels and name the updates' loops; and the names that they define."""
    calls = [call.kernel for each in steps for _, calls in (*each.forward, *each.backward) for call in calls]
    files = {kernel.split(".")[0] for kernel in (*calls, "moves.take_rows") if "." in kernel}
    ops = sorted(files | ({"shuffle"} if shuffles else set()))
    rules = {name: loop for each in steps for name, loop in each.loops.items()}
    loops: dict[str, str] = {}
    for update in updates:
        place = f'{update.table}["{update.variant}"]'
        parts = {"": "cpu"} if update.together is None else {f"_{part}": part for part in PASSES}
        loops |= {update.loop + name: f"{place}.{part}" for name, part in parts.items()}
    lines = ["from tinygrad_lr.engine import OPS"] if rules else []
    lines += ["from tinygrad_lr.kernels._jit import compiled", "from tinygrad_lr.kernels._shapes import shaped"]
    lines += [f"from tinygrad_lr.kernels.ops import {', '.join(ops)}"]
    lines += ["from tinygrad_lr.kernels.updates import norm"] if clips else []
    lines += ["from tinygrad_lr.kernels._measured import fold"] if updates and updates[0].together else []
    lines += sorted({f"from {update.module} import KERNELS as {update.table}" for update in updates})
    lines += ["", *(f"{name} = {kernel}" for name, kernel in loops.items())]
    lines += [f'{name} = OPS["{loop.op}"].loop({loop.which}, "{loop.dtype}")' for name, loop in sorted(rules.items())]
    return lines, [*ops, "OPS", "norm", *loops, *rules, *(update.table for update in updates)]


def _own_names(tables: Sequence[np.ndarray], updates: Sequence[Update]) -> list[str]:
    of_updates = [name for update in updates for name in (_sums(update), *(name for name, _ in update.arrays))]
    return [f"table{i}" for i in range(len(tables))] + of_updates


def _sums(update: Update) -> str:
    """The name of the sums that the norm of its gradients is made of."""
    return f"norm_sums{update.number}"


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]


def _batch_lines(steps: Sequence[Steps], tables: Sequence[np.ndarray], names: Names, shuffles: bool) -> list[str]:
    """The part of a step that depends on its batch: everything up to the gradients."""
    bodies = [_body(each, tables, names) for each in steps]
    lines = ["if place == 0 or i == 0:", "    shuffle.shuffled(keys[epoch], order)"] if shuffles else []
    lines += [f"start = place * {steps[0].rows}", "place += 1"]
    if len(bodies) == 1:
        return lines + bodies[0]
    full, short = map(_indented, bodies)
    return [*lines, "", "if place < in_epoch:", *full, "", "else:", *short]


def _body(steps: Steps, tables: Sequence[np.ndarray], names: Names) -> list[str]:
    """One step on a batch, up to its gradients."""
    lines = [f"# the batch: {steps.rows} {'row' if steps.rows == 1 else 'rows'} at order[start]"]
    for i, view in enumerate(steps.inputs):
        if view is not None:
            table = names.plain(f"table{i}", tables[i])
            lines.append(f"moves.take_rows({table}, order, start, {names.array(view)})")
    for comment, calls in steps.forward:
        lines += ["", f"# {comment}", *_calls(calls, names)]
    assert steps.loss is not None
    loss = names.array(View(steps.loss, (1,)))
    lines += [f"losses[i] = {loss}[0]", "if not isfinite(losses[i]):", "    return i"]
    for comment, calls in steps.backward:
        lines += ["", f"# {comment}", *_calls(calls, names)]
    return lines


def _calls(calls: Sequence[Call], names: Names) -> list[str]:
    return [f"{call.kernel}({', '.join(_argument(each, names) for each in call.arguments)})" for call in calls]


def _argument(given: Any, names: Names) -> str:
    if isinstance(given, MaskKeys):
        return "masks[i]"
    return names.array(given) if isinstance(given, View) else repr(given)


def _clipping(updates: Sequence[Update], names: Names) -> list[str]:
    """The factor that brings the norm of all gradients down to max_norm, as optim/clipping.py finds it."""
    grads = [names.plain(*update.arrays[1]) for update in updates]
    sums = [names.plain(_sums(update), norm_sums(update.arrays[1][1])) for update in updates]
    squares = " + ".join(f"norm.sum_of_squares({g}, {{0}}, {s})" for g, s in zip(grads, sums, strict=True))
    largest = "0.0"
    for g in grads:
        largest = f"norm.largest({g}, {largest})"
    return [
        "",
        "# the norm of all gradients, and the factor that clips them",
        f"scale, total = 1.0, {squares.format('1.0')}",
        "if not norm.is_safe(total):",
        f"    scale = norm.scale_of({largest})",
        f"    total = {squares.format('1.0 / scale')}",
        "if not isfinite(total):",
        "    return i",
        "factor = norm.factor(scale, sqrt(total), max_norm, unit)",
    ]


def _updates(updates: Sequence[Update], names: Names, clips: bool) -> list[str]:
    if updates and updates[0].together is not None:
        return _updates_together(updates, names, clips)
    lines: list[str] = []
    for update in updates:
        lines += ["", f"# the update, by the formula in {_file_of(update.module)}. {_about_scalars(update)}"]
        lines.append(f"{update.loop}({', '.join([*_arrays(update, names), *_scalars(update, clips)])})")
    return lines


def _updates_together(updates: Sequence[Update], names: Names, clips: bool) -> list[str]:
    """The two passes of kernels/_measured.py, and what is decided between them for all parameters, as
    optim/coupled.py does it."""
    head = updates[0]
    lines = [
        "",
        f"# the update, by the formula in {_file_of(head.module)}: what all parameters measure. {_about_scalars(head)}",
        "first_sum, second_sum = 0.0, 0.0",
    ]
    size = 0
    for update in updates:
        arrays, numbers, at = _parted(update, names)
        given = [at["starts"], at["owners"], at["measured"], (*numbers, at["zeros"])[0], *arrays]
        scalars = _scalars(update, clips)
        lines.append(f"{update.loop}_measured(0, {at['owners']}.size, {', '.join([*given, *scalars])})")
        lines.append(f"decided = fold({at['measured']})")
        lines += ["first_sum, second_sum = first_sum + decided[0], second_sum + decided[1]"]
        size += update.arrays[0][1].size
    old = [f"{number}[0]" for number in _parted(head, names)[1]]
    given = ["first_sum", "second_sum", f"{size}.0", *old, *_scalars(head, clips)]
    lines += ["", "# what is decided for all of them, and the step"]
    lines.append(f"decided = {head.loop}_decide({', '.join(given)})")
    for update in updates:
        arrays, numbers, at = _parted(update, names)
        lines += [f"{at['factors']}[:, {k}] = decided[{k}]" for k in range(2)]
        lines += [f"{number}[:] = decided[{k}]" for k, number in enumerate(numbers, start=2)]
        given = [at["starts"], at["owners"], at["factors"], *arrays, *_scalars(update, clips)]
        lines.append(f"{update.loop}_applied(0, {at['owners']}.size, {', '.join(given)})")
    return lines


def _arrays(update: Update, names: Names) -> list[str]:
    return [names.plain(name, array) for name, array in update.arrays]


def _scalars(update: Update, clips: bool) -> list[str]:
    """The scalars' places; the one that multiplies the gradient clips it, too."""
    found = []
    for name, kind, j in update.scalars:
        scalar = f"moving{update.number}[i, {j}]" if kind == "moving" else f"constants{update.number}[{j}]"
        found.append(f"{scalar} * {update.arrays[0][0]}.dtype.type(factor)" if clips and name == "sign" else scalar)
    return found


def _about_scalars(update: Update) -> str:
    return f"Its scalars: {', '.join(name for name, _, _ in update.scalars)}"


def _parted(update: Update, names: Names) -> tuple[list[str], list[str], dict[str, str]]:
    """The names of an update's arrays: those of elements, its numbers, and those of the layout by their names there."""
    assert update.together is not None
    number = update.number
    layout = {name: f"{name}{number}" for name in update.layout}
    numbers = [f"{name}{number}" for name in update.together]
    return [each for each in _arrays(update, names) if each not in (*layout.values(), *numbers)], numbers, layout


def _file_of(module: str) -> str:
    return module.removeprefix("tinygrad_lr.").replace(".", "/") + ".py"


def _wrapped(line: str) -> str:
    """Break a long line between arguments, or a comment after commas."""
    if len(line) <= WIDTH:
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    if "#" in line:
        found, current, rest, deeper = [], indent, line.lstrip(), indent + "# "
    elif "(" in line:
        start, rest = line.split("(", 1)
        deeper = indent + "    "
        found, current = [start + "("], deeper
    else:
        return line
    for piece in rest.split(", "):
        if len(current) + len(piece) > WIDTH - 4:
            found.append(current.rstrip())
            current = deeper
        current += piece + ", "
    return "\n".join([*found, current.removesuffix(", ")])


LONGEST = 80  # characters of an identifier


class Names:
    """The arrays that a generated function takes, by name. Each view of memory occurs once, in order of first use.

    A name is an ASCII identifier, and the same step always gets the same names.
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self.arguments: dict[str, np.ndarray] = {}
        self.taken = set(reserved)
        self.memory: dict[Any, tuple[str, np.ndarray]] = {}  # a buffer's name and its flat array
        self.views: dict[Any, str] = {}

    def array(self, view: View) -> str:
        """The name of a view of a buffer. A view with several axes shows its shape: value1_32x64."""
        buffer = view.buffer
        key: Any = id(buffer)
        if buffer.array is not None and buffer.size:  # full and short batches use the same parameters
            key = (buffer.array.ctypes.data, buffer.size)
        if key not in self.memory:
            memory = np.zeros(buffer.size, buffer.dtype) if buffer.array is None else buffer.array.reshape(-1)
            self.memory[key] = self.unique(buffer.name), memory
        if (key, view.shape) not in self.views:
            name, memory = self.memory[key]
            if len(view.shape) > 1:
                name = self.unique(name + "_" + "x".join(map(str, view.shape)))
            self.views[key, view.shape] = name
            self.arguments[name] = memory.reshape(view.shape)
        return self.views[key, view.shape]

    def plain(self, name: str, array: np.ndarray) -> str:
        """Add an array under a reserved name; returns the name."""
        self.arguments.setdefault(name, array)
        return name

    def unique(self, wanted: str) -> str:
        """An unused identifier that resembles `wanted`. LLVM cuts long ones, and then finds a name twice."""
        plain = re.sub(r"[^0-9A-Za-z_]", "_", wanted)[:LONGEST]
        name, copies = plain, 1
        while name in self.taken:
            copies += 1
            name = f"{plain}_{copies}"
        self.taken.add(name)
        return name


def quoted(text: str) -> str:
    r"""The text escaped for a docstring, in ASCII.

    Example:
        >>> print(quoted('a "model" \\ é'))
        a \"model\" \\ \xe9
    """
    return text.encode("unicode_escape").decode("ascii").replace('"', '\\"')
