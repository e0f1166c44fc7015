"""The text of the generated file: the calls of a step, and the loop over steps, as plain Python.

Next: generated.py, which keeps such files and imports them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..kernels._cache import digest_of_kernels
from ..kernels._run import norm_sums
from .lowering import Call, Steps, View

__all__ = ["Program", "Update", "write"]


@dataclass
class Update:
    """One call of an optimizer's kernel: its file and function, arrays, and its scalars in the rule's order.

    A scalar is ("moving", j) or ("constants", j): a column of what changes at each step, or a number that stays;
    number `sign` of them multiplies the gradient.
    """

    kernel: str
    arrays: list[tuple[str, np.ndarray]]
    scalars: list[tuple[str, int]]
    sign: int
    number: int


@dataclass
class Program:
    """The text of a file and the arrays that its function `run` takes after order, losses, first and its tables."""

    text: str
    arrays: list[np.ndarray]


class _Names:
    """The arguments of a generated function: each view of memory once, in order of its first use."""

    def __init__(self) -> None:
        self.memory: dict[Any, np.ndarray] = {}
        self.arguments: dict[str, np.ndarray] = {}
        self.taken: dict[Any, str] = {}

    def array(self, view: View) -> str:
        buffer = view.buffer
        key: Any = id(buffer)
        if buffer.array is not None and buffer.size:  # both steps use the same parameters
            key = (buffer.array.ctypes.data, buffer.size)
        if key not in self.taken:
            plain = re.sub(r"\W", "_", buffer.name)
            name, copies = plain, 1
            while name in self.taken.values():
                copies += 1
                name = f"{plain}_{copies}"
            self.taken[key] = name
            memory = buffer.array if buffer.array is not None else np.zeros(buffer.size, buffer.dtype)
            self.memory[key] = memory.reshape(-1)
        name = self.taken[key]
        if len(view.shape) > 1:
            name += "_" + "x".join(map(str, view.shape))
        self.arguments.setdefault(name, self.memory[key].reshape(view.shape))
        return name

    def plain(self, name: str, array: np.ndarray) -> str:
        self.arguments.setdefault(name, array)
        return name


def write(
    steps: list[Steps],
    tables: list[np.ndarray],
    order: np.ndarray,
    updates: list[Update],
    about: str,
    *,
    shuffles: bool,
    clips: bool,
) -> Program:
    """The file for steps on full batches and, where there is a second entry, on the short last one.

    Args:
        steps: the lowered steps.
        tables: the dataset's tensors, as arrays with two axes, None-free where a step uses them.
        order: 0, 1, ... for each sample; where the file shuffles, room for an epoch's order.
        updates: the optimizer's calls.
        about: the first lines of the file's docstring.
        shuffles: whether each epoch has an order of its own, from its key.
        clips: whether the gradients are clipped by their norm.
    """
    names = _Names()
    names.plain("order", order)
    bodies = [_body(each, tables, names) for each in steps]
    loop = ["if place == 0 or i == 0:", "    shuffle.shuffled(keys[epoch], order)"] if shuffles else []
    loop += [f"start = place * {steps[0].rows}", "place += 1"]
    if len(bodies) == 1:
        loop += bodies[0]
    else:
        for head, body in zip(("if place < in_epoch:", "else:"), bodies, strict=True):
            loop += ["", head, *(f"    {line}" if line else "" for line in body)]
    loop += ["", "if place == in_epoch:", "    epoch, place = epoch + 1, 0", ""]
    loop += (_clipping(updates, names) if clips else []) + _updates(updates, names, clips)
    shapes = [f"{name} = shaped({name}, {a.shape})" for name, a in names.arguments.items() if name[:5] != "table"]
    body = ["# the lengths of all loops, said to the compiler", *shapes, "", "epoch, place = divmod(first, in_epoch)"]
    body += ["for i in range(losses.size):", *(f"    {line}" if line else "" for line in loop), "return losses.size"]
    extra = [name for update in updates for name in (f"moving{update.number}", f"constants{update.number}")]
    given = ["keys", "losses", "first", "in_epoch", *(["max_norm", "unit"] if clips else []), *extra]
    used = {"moves"} | {c.kernel.split(".")[0] for s in steps for _, cs in (*s.forward, *s.backward) for c in cs}
    used |= {update.kernel.split(".")[0] for update in updates} | ({"norm"} if clips else set())
    used |= {"shuffle"} if shuffles else set()
    text = _HEAD.format(about=about, digest=digest_of_kernels()[:16], kernels=", ".join(sorted(used)))
    text += _function("run", [*given, *names.arguments], body, _RUN)
    return Program(text, list(names.arguments.values()))


def _clipping(updates: list[Update], names: _Names) -> list[str]:
    """The factor that brings the norm of all gradients down to max_norm, as optim/clipping.py finds it."""
    grads = [names.plain(*update.arrays[1]) for update in updates]
    sums = [names.plain(f"sums{update.number}", norm_sums(update.arrays[1][1])) for update in updates]
    squares = " + ".join(f"norm.sum_of_squares({g}, {{0}}, {s})" for g, s in zip(grads, sums, strict=True))
    largest = "0.0"
    for g in grads:
        largest = f"norm.largest({g}, {largest})"
    return [
        "# the norm of all gradients",
        f"scale, total = 1.0, {squares.format('1.0')}",
        "if not norm.is_safe(total):",
        f"    scale = norm.scale_of({largest})",
        f"    total = {squares.format('1.0 / scale')}",
        "if not isfinite(total):",
        "    return i",
        "factor = norm.factor(scale, sqrt(total), max_norm, unit)",
        "",
    ]


def _updates(updates: list[Update], names: _Names, clips: bool) -> list[str]:
    lines: list[str] = []
    for update in updates:
        tables_of = {"moving": f"moving{update.number}[i, ", "constants": f"constants{update.number}["}
        arrays = [names.plain(name, array) for name, array in update.arrays]
        scalars = [f"{tables_of[kind]}{j}]" for kind, j in update.scalars]
        if clips:
            scalars[update.sign] += f" * {arrays[0]}.dtype.type(factor)"
        lines += _call_lines(f"{update.kernel}(", [*arrays, *scalars], "")
    return lines


_HEAD = '''"""{about}

Written by tinygrad_lr.compiled and named by the hash of its content: change nothing here, it would not be noticed.
Every buffer is allocated once and keeps its name; a suffix such as _32x64 shows the same memory with that shape.
Kernels: sha256 {digest}.
"""

from math import isfinite, sqrt

from tinygrad_lr.kernels import {kernels}
from tinygrad_lr.kernels._jit import compiled
from tinygrad_lr.kernels._shapes import shaped
'''
_RUN = "Steps first, first + 1, ... and their losses; how many were made before a loss or a norm was not finite."


def _body(steps: Steps, tables: list[np.ndarray], names: _Names) -> list[str]:
    """One step on a batch, up to its gradients."""
    lines = [f"# the batch of {steps.rows} rows at order[start]"]
    for i, view in enumerate(steps.inputs):
        if view is not None:
            table = names.plain(f"table{i}", tables[i])
            lines.append(f"moves.take_rows({table}, order, start, {names.array(view)})")
    for comment, calls in steps.forward:
        lines += ["", f"# {comment}", *_lines(calls, names)]
    assert steps.loss is not None
    loss = names.array(View(steps.loss, (1,)))
    lines += [f"losses[i] = {loss}[0]", "if not isfinite(losses[i]):", "    return i"]
    for comment, calls in steps.backward:
        lines += ["", f"# {comment}", *_lines(calls, names)]
    return lines


def _lines(calls: list[Call], names: _Names) -> list[str]:
    found = []
    for call in calls:
        arguments = [names.array(a) if isinstance(a, View) else repr(a) for a in call.arguments]
        found += _call_lines(f"{call.kernel}(", arguments, "")
    return found


def _call_lines(start: str, arguments: list[str], indent: str) -> list[str]:
    return [indent + start + ", ".join(arguments) + ")"]


def _function(name: str, arguments: list[str], body: list[str], about: str) -> str:
    lines = [f"def {name}({', '.join(arguments)}):", f'    """{about}"""', *(f"    {x}" if x else "" for x in body)]
    return "\n\n@compiled\n" + "\n".join(_wrapped(line) for line in lines) + "\n"


def _wrapped(line: str) -> str:
    """Break a long line between arguments."""
    if len(line) <= 118 or "#" in line or "(" not in line:
        return line
    deeper = " " * (len(line) - len(line.lstrip()) + 4)
    start, rest = line.split("(", 1)
    found, current = [start + "("], deeper
    for piece in rest.split(", "):
        if len(current) + len(piece) > 114:
            found.append(current.rstrip())
            current = deeper
        current += piece + ", "
    return "\n".join([*found, current.removesuffix(", ")])
