"""Python functions and classes over plain numbers as a JavaScript program: scalars of optimizers, schedules, surfaces.

    program = Program(arrays_in=("tinygrad_lr.schedules",))
    program.function(cosine)        # its name in the program
    program.text()                  # the program: the function, and all that it asks for

A function is translated from its syntax tree, when something asks for it. Of a class those members are translated that
something asks for by their names; its bases come with it. A constant of a module is written as it is. What has no
translation is an error that names file and line. host_functions.py has statements and host_expressions.py operators and
calls; python.js and numpy.js have what Python and NumPy bring along.
"""

from __future__ import annotations

import ast
import functools
import inspect
import json
import math
import re
import textwrap
from collections.abc import Callable, Collection, Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .host_functions import Function
from .syntax import NotTranslatable, Source, javascript_name, source_of

__all__ = ["Program", "runtime"]

FOLDER = Path(__file__).parent
SAFE = 2**53  # whole numbers below are exact in JavaScript's numbers
# Modules whose types are Python's own.
PYTHONS = ("builtins", "collections", "collections.abc", "decimal", "fractions", "itertools", "numbers")


def runtime() -> str:
    """What translated programs call: the objects `py` and `np`."""
    return "".join((FOLDER / name).read_text(encoding="utf-8") for name in ("python.js", "numpy.js"))


@functools.cache
def helpers_of(name: str) -> frozenset[str]:
    """The names of the functions in python.js or numpy.js."""
    file = {"py": "python.js", "np": "numpy.js"}[name]
    return frozenset(re.findall(r"^  (\w+)(?:\(|:)", (FOLDER / file).read_text(encoding="utf-8"), re.MULTILINE))


class Program:
    """Functions, classes and constants in JavaScript, with all that they ask for.

    Args:
        arrays_in: modules, by the beginnings of their names, whose operators may meet arrays.
        given: functions of Python that the program finds under another name, in place of their translation.

    Example:
        >>> from tinygrad_lr.lab.surfaces import parabola
        >>> program = Program()
        >>> program.function(parabola)
        'surfaces_parabola'
        >>> print(program.text().strip())
        function surfaces_parabola(x, y, curvature) {
          return 0.5 * curvature * (x * x);
        }
    """

    def __init__(self, arrays_in: tuple[str, ...] = (), given: Mapping[Any, str] | None = None) -> None:
        self.arrays_in, self.given = arrays_in, dict(given or {})
        self.helpers: Mapping[str, Collection[str]] = {"py": helpers_of("py"), "np": helpers_of("np")}
        self._names: dict[Any, str] = {}  # of functions, classes and constants
        self._kept: list[Any] = []  # what is known by its identity must live
        self._taken: set[str] = set()
        self._functions: dict[str, str] = {}
        self._constants: dict[str, str] = {}
        self._classes: dict[type, dict[str, str]] = {}  # the members that are written
        self._asked: set[str] = set()

    # What a name stands for.

    def ask(self, member: str) -> None:
        """Translate this member of every class that has it."""
        self._asked.add(member)

    def value(self, given: Any, source: Source, node: ast.AST, name: str = "", is_called: bool = False) -> str:
        """An object of Python in JavaScript: a literal, or the name under which the program has it."""
        if isinstance(given, (bool, int, float, str, np.number)) or given is None:
            return literal(given)
        if isinstance(given, (tuple, list, dict, frozenset, set)):
            return self._constant(given, name, source, node)
        if isinstance(given, Hashable) and given in self.given:
            return self.given[given]
        if isinstance(given, type) and given.__module__ == "numpy" and not is_called:
            return json.dumps(given.__name__)
        if isinstance(given, np.ufunc) or (getattr(given, "__module__", None) or "").partition(".")[0] == "numpy":
            return self._helper("np", given.__name__, source, node)
        if isinstance(given, type) and given.__module__ in PYTHONS:
            if is_called and not issubclass(given, BaseException):
                return self._helper("py", given.__name__, source, node)
            return given.__name__ if issubclass(given, BaseException) else json.dumps(given.__name__)
        if isinstance(given, type):
            return self.cls(given)
        if inspect.isbuiltin(given) or getattr(given, "__module__", "") in ("builtins", "math", "itertools"):
            return self._helper("py", given.__name__, source, node)
        if callable(given):
            return self.function(given) if is_called else self._described(given)
        if type(given) is not object:
            source.refuse(node, f"{type(given).__name__} has no translation")
        return self._unique(given, name)

    def _helper(self, where: str, name: str, source: Source, node: ast.AST) -> str:
        if name not in self.helpers[where]:
            source.refuse(node, f"{'Python' if where == 'py' else 'NumPy'}'s {name} has no translation")
        return f"{where}.{name}"

    def _constant(self, given: Any, name: str, source: Source, node: ast.AST) -> str:
        """The name of a constant; without a name its text."""
        if isinstance(given, dict):
            pairs = (f"{json.dumps(str(key))}: {self.value(each, source, node)}" for key, each in given.items())
            text = f"{{{', '.join(pairs)}}}"
        else:
            text = f"[{', '.join(self.value(each, source, node) for each in given)}]"
        if not name:
            return text
        if id(given) not in self._names:
            self._kept.append(given)
            self._names[id(given)] = self._free(qualified(source.function.__module__, name))
            self._constants[self._names[id(given)]] = text
        return self._names[id(given)]

    def _unique(self, given: object, name: str) -> str:
        if id(given) not in self._names:
            self._kept.append(given)
            self._names[id(given)] = self._free(name)
            self._constants[self._names[id(given)]] = f"Symbol({json.dumps(name)})"
        return self._names[id(given)]

    def _described(self, given: Any) -> str:
        """A function that is handed on: it may be called with named arguments, so that it has their names."""
        name = self.function(given)
        names = list(inspect.signature(given).parameters)
        self._constants.setdefault(f"{name}.parameters", json.dumps(names))
        return name

    def reference(self, given: Any) -> str:
        """The name of a function that the program's reader calls."""
        return self._described(given)

    def _free(self, wanted: str) -> str:
        """A name that is not taken yet."""
        name, copies = javascript_name(wanted), 1
        while name in self._taken:
            copies += 1
            name = f"{wanted}_{copies}"
        self._taken.add(name)
        return name

    # Functions and classes.

    def has_arrays(self, module: str) -> bool:
        """Whether the operators of a module may meet arrays."""
        return module.startswith(self.arrays_in) if self.arrays_in else False

    def function(self, given: Callable[..., Any]) -> str:
        """The name of a function in the program, which gets it where it has not."""
        if given not in self._names:
            name = self._names[given] = self._free(qualified(given.__module__, given.__name__))
            if given.__code__.co_freevars:
                self._enclose(given, name)
            else:
                self._functions[name] = ""  # its place, before those that it calls
                self._functions[name] = f"function {self._written(source_of(given), name)}\n"
        return self._names[given]

    def _enclose(self, given: Any, name: str) -> None:
        """A function that encloses values: what makes it is written once for all values."""
        source, code = source_of(given), given.__code__
        if code not in self._names:
            maker = self._names[code] = self._free(qualified(given.__module__, f"{given.__name__}_of"))
            head = f"function {maker}({', '.join(map(javascript_name, code.co_freevars))}) {{\n"
            self._functions[maker] = ""
            self._functions[maker] = f"{head}return function {self._written(source, given.__name__)};\n}}\n"
        values = [self.value(cell.cell_contents, source, source.tree) for cell in given.__closure__]
        self._constants[name] = f"{self._names[code]}({', '.join(values)})"

    def _written(self, source: Source, name: str) -> str:
        return Function(source, self, self.has_arrays(source.function.__module__)).text(name)

    def cls(self, given: type) -> str:
        """The name of a class in the program, which gets it, and its bases, where it has not."""
        if given not in self._names:
            if issubclass(given, tuple) and hasattr(given, "_fields"):
                return self._record(given)
            bases = [base for base in given.__bases__ if base is not object]
            if len(bases) > 1:
                raise NotTranslatable(f"{given.__name__} has several bases, of which JavaScript has one")
            for base in bases:
                self.cls(base)
            self._names[given] = self._free(given.__name__)
            self._classes[given] = {}
        return self._names[given]

    def _record(self, given: type) -> str:
        """A named tuple, as a class that has its fields."""
        name = self._names[given] = self._free(given.__name__)
        fields = given._fields  # type: ignore[attr-defined]
        lines = [f"    this.{each} = {each};" for each in fields]
        body = "\n".join([f"  constructor({', '.join(fields)}) {{", *lines, "  }"])
        self._functions[name] = f"class {name} {{\n{body}\n}}\n"
        return name

    def _complete(self) -> None:
        """Write the members that something asks for, until nothing asks for more."""
        before = -1
        while before != (before := self._size()):
            for cls in list(self._classes):
                for member in sorted(self._asked & set(vars(cls)) - set(self._classes[cls])):
                    self._classes[cls][member] = ""
                    self._classes[cls][member] = self._member(cls, member, vars(cls)[member])

    def _size(self) -> int:
        return len(self._asked) + len(self._functions) + sum(map(len, self._classes.values())) + len(self._classes)

    def _member(self, cls: type, name: str, given: Any) -> str:
        if isinstance(given, staticmethod):
            text = self._written(source_of(given.__func__), name)
        elif isinstance(given, functools.cached_property):
            body = self._written(source_of(given.func), "")
            text = f"get {name}() {{\n  return py.remembered(this, {json.dumps(name)}, function {body}.bind(this));\n}}"
        elif isinstance(given, property):
            text = f"get {self._written(source_of(given.fget), name)}"
        elif inspect.isfunction(given):
            text = self._written(source_of(given), name)
        else:
            value = self.value(given, source_of(function_of(cls)), ast.Name(name), name)
            text = f"get {name}() {{\n  return {value};\n}}"
        return textwrap.indent(text, "  ")

    def text(self) -> str:
        """The program."""
        self._complete()
        own = [(name, text) for name, text in self._constants.items() if "." not in name]
        constants = [f"const {name} = {text};\n" for name, text in own]
        more = [f"{name} = {text};\n" for name, text in self._constants.items() if "." in name]
        classes = []
        for cls, members in self._classes.items():
            base = next((f" extends {self._names[each]}" for each in cls.__bases__ if each is not object), "")
            made = [] if base or "__init__" not in members else [CONSTRUCTOR]
            classes.append(f"class {self._names[cls]}{base} {{\n{chr(10).join([*made, *members.values()])}\n}}\n")
        return "\n".join(["".join(constants), *self._functions.values(), *classes, "".join(more)])


CONSTRUCTOR = "  constructor(...given) {\n    this.__init__(...given);\n  }"


def function_of(cls: type) -> Callable[..., Any]:
    """A function of a class, by which a refusal of one of its constants names its file."""
    found: Callable[..., Any] = next(
        each for base in cls.__mro__ for each in vars(base).values() if inspect.isfunction(each)
    )
    return found


def qualified(module: str, name: str) -> str:
    """A name with its module's before it: no argument or variable has it.

    Example:
        >>> qualified("tinygrad_lr.schedules._checks", "factor")
        'checks_factor'
    """
    return f"{module.rpartition('.')[2].lstrip('_')}_{name.strip('<>')}"


def literal(given: Any) -> str:
    """A plain value in JavaScript.

    Example:
        >>> literal(1e-08), literal(2**60), literal(2**60 + 1), literal(None), literal(float("inf"))
        ('1e-08', '1152921504606846976', '1152921504606846977n', 'null', 'Infinity')
    """
    if given is None or isinstance(given, (bool, str)):
        return json.dumps(given)
    if isinstance(given, (int, np.integer)):
        return str(int(given)) if abs(given) <= SAFE or int(float(given)) == given else f"{int(given)}n"
    if math.isinf(given) or math.isnan(given):
        return "NaN" if math.isnan(given) else ("Infinity" if given > 0 else "-Infinity")
    return repr(float(given))
