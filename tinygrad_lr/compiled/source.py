"""The generated file: the calls of a step as plain Python, named by the hash of its content, and imported.

Machine code is kept by the file's content, which names the kernels' files by a digest too: a changed kernel gives
another file. Next: runner.py.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..files import write_text
from ..kernels._cache import digest_of_kernels, home, is_writable, warn_not_kept
from .lowering import Call, Steps, View

__all__ = ["Program", "Update", "load", "write"]


@dataclass
class Update:
    """One call of an optimizer's kernel: its file and function, arrays, and its scalars in the rule's order.

    A scalar is ("moving", j) or ("constants", j): a column of what changes at each step, or a number that stays.
    """

    kernel: str
    arrays: list[tuple[str, np.ndarray]]
    scalars: list[tuple[str, int]]
    number: int


@dataclass
class Program:
    """The text of a file and the arrays that its function `run` takes after order, losses, first and its tables."""

    text: str
    arrays: list[np.ndarray]


class _Names:
    """The arguments of a generated function: each view of memory once, in order of its first use."""

    def __init__(self) -> None:
        self.memory: dict[int, np.ndarray] = {}
        self.arguments: dict[str, np.ndarray] = {}
        self.taken: dict[int, str] = {}

    def array(self, view: View) -> str:
        buffer = view.buffer
        key = id(buffer)
        if key not in self.taken:
            plain = "".join(c if c.isalnum() else "_" for c in buffer.name)
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


def write(steps: list[Steps], tables: list[np.ndarray], updates: list[Update], about: str, in_epoch: int) -> Program:
    """The file for steps on full batches and, where there is a second entry, on the short last one.

    Args:
        steps: the lowered steps.
        tables: the dataset's tensors, as arrays with two axes, None-free where a step uses them.
        updates: the optimizer's calls.
        about: the first lines of the file's docstring.
        in_epoch: how many steps an epoch has.
    """
    names, functions, uses = _Names(), [], []
    for number, each in enumerate(steps):
        name = "step" if number == 0 else "short_step"
        own = _Names()
        own.memory, own.taken = names.memory, names.taken
        body = _body(each, tables, own)
        names.arguments.update(own.arguments)
        functions.append(_function(name, ["order", "start", *own.arguments], body, _STEP.format(rows=each.rows)))
        uses.append(f"{name}(order[epoch], start, {', '.join(own.arguments)})")
    body = ["for i in range(losses.size):", f"    epoch, place = divmod(first + i, {in_epoch})"]
    body.append(f"    start = place * {steps[0].rows}")
    if len(steps) == 1:
        body.append(f"    loss = {uses[0]}")
    else:
        body += [f"    if place < {in_epoch - 1}:", f"        loss = {uses[0]}"]
        body += ["    else:", f"        loss = {uses[1]}"]
    body += ["    losses[i] = loss", "    if not isfinite(loss):", "        return i"]
    for update in updates:
        tables_of = {"moving": f"moving{update.number}[i, ", "constants": f"constants{update.number}["}
        arrays = [names.plain(name, array) for name, array in update.arrays]
        scalars = [f"{tables_of[kind]}{j}]" for kind, j in update.scalars]
        body += _call_lines(f"{update.kernel}(", [*arrays, *scalars], "    ")
    body.append("return losses.size")
    extra = [name for update in updates for name in (f"moving{update.number}", f"constants{update.number}")]
    functions.append(_function("run", ["order", "losses", "first", *extra, *names.arguments], body, _RUN))
    used = {"moves"} | {c.kernel.split(".")[0] for s in steps for _, cs in (*s.forward, *s.backward) for c in cs}
    used |= {update.kernel.split(".")[0] for update in updates}
    text = _HEAD.format(about=about, digest=digest_of_kernels()[:16], kernels=", ".join(sorted(used))) + "".join(
        functions
    )
    return Program(text, list(names.arguments.values()))


_HEAD = '''"""{about}

Written by tinygrad_lr.compiled and named by the hash of its content: change nothing here, it would not be noticed.
Every buffer is allocated once and keeps its name; a suffix such as _32x64 shows the same memory with that shape.
Kernels: sha256 {digest}.
"""

from math import isfinite

from tinygrad_lr.kernels import {kernels}
from tinygrad_lr.kernels._jit import compiled
'''
_STEP = "The batch of {rows} rows at order[start]: its loss and, where that is finite, the gradients."
_RUN = "Steps first, first + 1, ... and their losses; how many were made before a loss was not finite."


def _body(steps: Steps, tables: list[np.ndarray], names: _Names) -> list[str]:
    lines = ["# the batch"]
    for i, view in enumerate(steps.inputs):
        if view is not None:
            table = names.plain(f"table{i}", tables[i])
            lines.append(f"moves.take_rows({table}, order, start, {names.array(view)})")
    for comment, calls in steps.forward:
        lines += ["", f"# {comment}", *_lines(calls, names)]
    assert steps.loss is not None
    loss = names.array(View(steps.loss, (1,)))
    lines += [f"if not isfinite({loss}[0]):", f"    return {loss}[0]"]
    for comment, calls in steps.backward:
        lines += ["", f"# {comment}", *_lines(calls, names)]
    return [*lines, f"return {loss}[0]"]


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


def folder() -> Path:
    """Where generated files are kept: beside the kernels' machine code, or somewhere temporary, with a warning."""
    wanted = home() / "generated"
    try:
        wanted.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return _temporary(str(error))
    return wanted if is_writable(wanted) else _temporary(f"{wanted} is not writable")


@cache
def _temporary(reason: str) -> Path:
    warn_not_kept(reason)
    return Path(tempfile.mkdtemp(prefix="tinygrad_lr_"))


def load(program: Program) -> ModuleType:
    """Write the file, unless it is there, and import it."""
    name = "tinygrad_lr_step_" + hashlib.sha256(program.text.encode()).hexdigest()[:24]
    if name in sys.modules:
        return sys.modules[name]
    path = folder() / f"{name}.py"
    if not path.exists() or path.read_text(encoding="utf-8") != program.text:
        write_text(path, program.text)
    spec: Any = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
