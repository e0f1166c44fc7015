"""Functions of kernels, from Python to JavaScript: rules and loops, specialised on the kinds of their arguments.

What Numba does with them to machine code, this does to JavaScript, so that a browser computes the same bits: float32
is rounded after each + - * / and sqrt (IEEE 754 makes that the float32 operation, because float64 has more than twice
as many bits), and the other kinds are Numba's (kinds.py). All else is refused, with file and line.

Arguments that a star gathers become arguments of their own, with the names that the caller has for them, but where they
are only handed on: there they stay together.
Next: scopes.py for where variables are declared, expressions.py, kernels.py for whole kernels.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

from .expressions import Expressions
from .intrinsics import NAMES, PRELUDE
from .kinds import NOTHING, TRUTH, WHOLE, Array, Kind, Known, Number, Tuple, common
from .scopes import CONSTANT, Scopes, stored_in
from .syntax import NotTranslatable, Source, javascript_name, source_of
from .written import Value, joined, literal, several

__all__ = ["Translator"]

IDENTIFIER = re.compile(r"[A-Za-z_]\w*$")
STEADY = re.compile(r"([A-Za-z_]\w*)(\.(length|rows|columns))?$")


class Translator:
    """Functions in JavaScript that call one another.

    Example:
        >>> from tinygrad_lr.kernels._jit import minimum
        >>> from tinygrad_lr.lab.translation.kinds import FLOAT32
        >>> translator = Translator()
        >>> translator.function(minimum, [FLOAT32, FLOAT32])
        ('minimum', Number(dtype='float32'))
        >>> print(translator.text[len(PRELUDE):])
        function maximum(a, b) {
          return a > b ? a : a === a ? b : a;
        }
        <BLANKLINE>
        function minimum(a, b) {
          return -maximum(-a, -b);
        }
        <BLANKLINE>
    """

    def __init__(self) -> None:
        self._found: dict[Any, tuple[str, Kind]] = {}
        self._texts: dict[str, str] = {}  # of functions and constants, by their names

    @property
    def text(self) -> str:
        """All functions so far, and what they need: the beginning of a script."""
        constants = "".join(text for text in self._texts.values() if text.startswith("const"))
        functions = "\n".join(text for text in self._texts.values() if not text.startswith("const"))
        return f"{PRELUDE}{constants}{functions}"

    def function(self, function: Any, kinds: Sequence[Kind], names: Sequence[str] = ()) -> tuple[str, Kind]:
        """Translate a function for arguments of some kinds, unless that is done already.

        Args:
            function: a plain one, or one that Numba compiles.
            kinds: those of its arguments.
            names: what the caller calls the arguments: names for what a star gathers.

        Returns:
            Its name in JavaScript, and what it returns.

        Raises:
            NotTranslatable: something in it has no translation.
        """
        plain = getattr(function, "py_func", function)
        key = (plain, tuple(kinds))
        if key not in self._found:
            source = source_of(plain)
            text, found = _Body(self, source).whole(kinds, names)
            module = source.function.__module__.rpartition(".")[2]
            name = source.tree.name if module.startswith("_") else f"{module}_{source.tree.name}"
            self._found[key] = self.kept(name, "function {name}" + text), found
        return self._found[key]

    def kept(self, name: str, text: str) -> str:
        """A name for a text that begins with "{name}" after its first word: the same one for the same text."""
        wanted = name = javascript_name(name)
        number = 1
        while self._texts.get(name, made := text.replace("{name}", name, 1)) != made:
            number += 1
            name = f"{wanted}_{number}"
        self._texts[name] = made
        return name


class _Body:
    """One function, as it is translated."""

    def __init__(self, translator: Translator, source: Source) -> None:
        self._translator, self._source = translator, source
        self._scopes = Scopes(source)
        self._constants: dict[str, Value] = {}
        self._lines: list[str] = []
        self._indent = 1
        self._temporaries = 0
        self._gathered: set[str] = set()  # arguments that have their names from the caller
        self._star = ""  # what gathers them
        self._taken: set[str] = set()  # the names of all variables
        self._result: Kind | None = None
        self._expressions = Expressions(source, {}, self._called, self._named)

    def whole(self, kinds: Sequence[Kind], names: Sequence[str]) -> tuple[str, Kind]:
        """Its text after its name, and what it returns."""
        arguments = self._arguments(kinds, names)
        ends = self._block(self._source.tree.body)
        if self._result is None:
            self._result = NOTHING
        elif not ends and self._result != NOTHING:
            self._source.refuse(self._source.tree, "it returns something on some ways only")
        text = "\n".join(self._lines)
        for name, value in self._constants.items():
            if re.search(rf"\b{name}\b", text):
                named = self._translator.kept(name, f"const {{name}} = {value.code};\n")
                text = re.sub(rf"\b{name}\b", named, text)
        arguments, text = self._gathered_again(arguments, text)
        return f"({', '.join(arguments)}) {{\n{text}\n}}\n", self._result

    def _gathered_again(self, arguments: list[str], text: str) -> tuple[list[str], str]:
        """The same function with a star, where what it gathers is only handed on, as the last arguments of calls.

        Of what Python's star gathers, the last arguments that are never mentioned are dropped.
        """
        first = len(arguments) - len(self._gathered)
        while len(arguments) > first and not mentions(text, arguments[-1]):
            arguments = arguments[:-1]
        for place in range(first, len(arguments) - 1):
            names = arguments[place:]
            handed_on = re.compile(rf"\b{', '.join(names)}\)")
            if all(mentions(text, name) == len(handed_on.findall(text)) for name in names):
                star = self._star if place == first else "rest"
                while star in self._taken:
                    star = f"{star}_"
                return [*arguments[:place], f"...{star}"], handed_on.sub(f"...{star})", text)
        return arguments, text

    def _arguments(self, kinds: Sequence[Kind], names: Sequence[str]) -> list[str]:
        """The names of the arguments in JavaScript, which become variables."""
        arguments = self._source.tree.args
        plain = [each.arg for each in [*arguments.posonlyargs, *arguments.args]]
        rest = arguments.vararg
        if arguments.kwonlyargs or arguments.kwarg or arguments.defaults:
            self._source.refuse(self._source.tree, "arguments with defaults or by name have no translation")
        if len(kinds) < len(plain) or (len(kinds) > len(plain) and rest is None):
            self._source.refuse(self._source.tree, f"it takes {len(plain)} arguments, not {len(kinds)}")
        given = [self._variable(name) for name in plain]
        if rest is None or not self._scopes.mentions(rest.arg):  # JavaScript drops what nobody takes
            kinds = kinds[: len(plain)]
        for i in range(len(plain), len(kinds)):
            assert rest is not None
            name = names[i] if i < len(names) and IDENTIFIER.match(names[i]) else f"{rest.arg}_{i - len(plain)}"
            while name in given or name in NAMES:
                name = f"{name}_"
            given.append(name)
        self._gathered = set(given[len(plain) :])
        self._star = javascript_name(rest.arg) if rest is not None else ""
        self._taken = {*given, *map(self._variable, self._scopes.names)}
        values = [Value(name, kind) for name, kind in zip(given, kinds, strict=True)]
        self._here = dict(zip(plain, values, strict=False))
        if rest is not None:
            self._here[rest.arg] = several(values[len(plain) :])
        return given

    @property
    def _here(self) -> dict[str, Value]:
        """The variables that have a value so far."""
        return self._expressions.here

    @_here.setter
    def _here(self, variables: dict[str, Value]) -> None:
        self._expressions.here = variables

    def _called(self, function: Any, given: list[Value]) -> Value:
        """A call of another function."""
        kinds = [value.kind for value in given]
        name, kind = self._translator.function(function, kinds, [value.code for value in given])
        if name in self._taken:
            raise ValueError(f"a variable has the name of the function {name}")
        return Value(f"{name}({joined(given)})", kind)

    def _named(self, name: str, value: Value) -> str:
        """The name of a constant in JavaScript: a short whole number has none."""
        if isinstance(value.kind, Number) and value.kind.is_whole and name.islower():
            return value.code
        if self._constants.setdefault(name, value).code != value.code:
            raise ValueError(f"{name} stands for two numbers")
        return name

    def _variable(self, name: str) -> str:
        """The name of a variable in JavaScript."""
        written = javascript_name(name)
        return f"{written}_" if written in self._gathered or written in NAMES else written

    # Statements.

    def _write(self, line: str) -> None:
        self._lines.append("  " * self._indent + line)

    def _block(self, statements: Sequence[ast.stmt]) -> bool:
        """Translate statements; whether they always return."""
        for statement in statements:
            write = getattr(self, f"_{type(statement).__name__.lower()}", None)
            if write is None:
                self._source.refuse(statement, f"{type(statement).__name__} has no translation")
            for name in self._scopes.hoisted.get(statement, ()):
                self._write(f"let {self._variable(name)};")
            try:
                ends = write(statement)
            except NotTranslatable:
                raise
            except ValueError as error:
                self._source.refuse(statement, str(error))
            if ends:
                return True
        return False

    def _inner(self, statements: Sequence[ast.stmt]) -> bool:
        self._indent += 1
        ends = self._block(statements)
        self._indent -= 1
        return ends

    def _expr(self, statement: ast.Expr) -> None:
        if isinstance(statement.value, ast.Constant):  # what documents the function
            return
        if not isinstance(statement.value, ast.Call):
            raise ValueError("a value that nobody uses has no translation")
        self._write(f"{self._expressions.value(statement.value).code};")

    def _return(self, statement: ast.Return) -> bool:
        if statement.value is None:
            raise ValueError("a return of nothing has no translation")
        value = self._expressions.value(statement.value)
        found = value.kind if self._result is None else common(self._result, value.kind)
        if found is None or isinstance(found, Known):
            raise ValueError("the function returns values of kinds that do not meet")
        self._result = found
        self._write(f"return {value.code};")
        return True

    def _if(self, statement: ast.If) -> bool:
        test = self._expressions.condition(statement.test)
        if test.constant is not None:
            return self._block(statement.body if test.constant else statement.orelse)
        before = dict(self._here)
        self._write(f"if ({test.code}) {{")
        ends = self._inner(statement.body)
        after = self._here
        self._here = before
        others_end = False
        if statement.orelse:
            self._write("} else {")
            others_end = self._inner(statement.orelse)
        self._write("}")
        if others_end:
            self._here = after
        elif not ends:
            self._here = self._meeting(after, self._here)
        return ends and others_end

    def _meeting(self, one: dict[str, Value], other: dict[str, Value]) -> dict[str, Value]:
        """The variables where two ways meet."""
        found = {**one, **other}
        for name in one.keys() & other.keys():
            kind = common(one[name].kind, other[name].kind)
            if kind is None:
                raise ValueError(f"{name} is of kinds that do not meet")
            found[name] = one[name] if one[name] == other[name] else one[name].of(kind)
        return found

    def _for(self, statement: ast.For) -> None:
        call = statement.iter
        if not isinstance(call, ast.Call) or not isinstance(statement.target, ast.Name) or statement.orelse:
            raise ValueError("only `for i in range(...)` is translated")
        if not isinstance(call.func, ast.Name) or call.func.id != "range" or "range" in self._source.names:
            raise ValueError("only `for i in range(...)` is translated")
        header = self._header(statement, [self._expressions.index(each) for each in call.args])
        lines = list(self._lines)
        while True:  # until the variables are of the same kinds at the loop's beginning and at its end
            before = self._here
            self._write(header)
            self._here = {**before, statement.target.id: Value(self._variable(statement.target.id), WHOLE)}
            self._inner(statement.body)
            self._write("}")
            met = self._meeting(before, self._here)
            if all(met[name].kind == value.kind for name, value in before.items()):
                self._here = {**met, **before}
                return
            self._here = {name: met[name] for name in before}
            self._lines = list(lines)

    def _header(self, statement: ast.For, bounds: list[Value]) -> str:
        """The beginning of a loop, whose end is computed once unless it is a number or a variable that stays."""
        assert isinstance(statement.target, ast.Name)
        first = bounds[0] if len(bounds) > 1 else literal(0)
        last = bounds[-1] if len(bounds) < 3 else bounds[1]
        step = bounds[2] if len(bounds) == 3 else literal(1)
        if step.constant is None or step.constant < 1:
            raise ValueError("a loop's step is a number above 0")
        name = self._variable(statement.target.id)
        begin, end = f"let {name} = {first.code}", last.code
        if last.constant is None and not self._stays(last, *statement.body):
            end = f"{name}End"
            begin += f", {end} = {last.code}"
        onwards = f"{name}++" if step.constant == 1 else f"{name} += {step.code}"
        return f"for ({begin}; {name} < {end}; {onwards}) {{"

    def _stays(self, value: Value, *statements: ast.stmt) -> bool:
        """Whether a value is a name, or the length of an array with a name, that some statements leave as it is."""
        name = STEADY.match(value.code)
        stored = map(self._variable, stored_in(statements or self._source.tree.body))
        return name is not None and name[1] not in stored

    # Assignments.

    def _assign(self, statement: ast.Assign) -> None:
        value = self._expressions.value(statement.value)
        for target in statement.targets:
            self._store(statement, target, value)

    def _augassign(self, statement: ast.AugAssign) -> None:
        before, by = self._expressions.number(statement.target), self._expressions.number(statement.value)
        self._store(statement, statement.target, self._expressions.operated(before, statement.op, by))

    def _store(self, statement: ast.stmt, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Tuple):
            self._store_each(statement, target.elts, value)
        elif isinstance(target, ast.Name):
            self._store_name(statement, target.id, value)
        elif isinstance(target, ast.Subscript):
            self._store_element(target, value)
        else:
            raise ValueError("this target has no translation")

    def _store_each(self, statement: ast.stmt, targets: Sequence[ast.expr], value: Value) -> None:
        if not isinstance(value.kind, Tuple) or len(value.kind.parts) != len(targets):
            raise ValueError(f"{len(targets)} values were expected")
        if value.parts is None and len(targets) > 1:
            value = self._temporary(value)
        parts = [self._expressions.part(value, i) for i in range(len(targets))]
        if value.parts is not None:
            parts = self._side_by_side(targets, parts)
        for target, part in zip(targets, parts, strict=True):
            self._store(statement, target, part)

    def _side_by_side(self, targets: Sequence[ast.expr], parts: list[Value]) -> list[Value]:
        """Values that can be stored one after another, although Python has them all before it stores one."""
        stored = [target.id for target in targets if isinstance(target, ast.Name)]
        mentioned = any(
            re.search(rf"(?<![.\w]){self._variable(name)}\b", part.code) for name in stored for part in parts
        )
        if all(part.constant is not None for part in parts) or (len(stored) == len(targets) and not mentioned):
            return parts
        return [self._temporary(part) for part in parts]

    def _temporary(self, value: Value) -> Value:
        """A value under a name of its own."""
        name = ""
        while not name or name in self._taken:
            self._temporaries += 1
            name = f"found{self._temporaries if self._temporaries > 1 else ''}"
        self._write(f"const {name} = {value.code};")
        return Value(name, value.kind)

    def _store_name(self, statement: ast.stmt, name: str, value: Value) -> None:
        if value.parts is not None:
            self._here[name] = several([part if self._stays(part) else self._temporary(part) for part in value.parts])
            return
        if not isinstance(value.kind, Number | Array):
            raise ValueError("a variable is a number, an array or a tuple")
        declared = self._scopes.declared(statement, name)
        if declared == CONSTANT and IDENTIFIER.match(value.code) and self._stays(value):
            self._here[name] = value  # another name of an argument
            return
        written = self._variable(name)
        self._write(f"{declared}{written} = {value.code};")
        self._here[name] = Value(written, value.kind)

    def _store_element(self, target: ast.Subscript, value: Value) -> None:
        array = self._expressions.value(target.value)
        if not isinstance(array.kind, Array):
            raise ValueError("only elements of arrays are stored")
        if isinstance(target.slice, ast.Slice):
            bounds = self._expressions.bounds(target.slice)
            if isinstance(value.kind, Array):
                part = f"{array.code}.subarray({joined(bounds)})" if bounds else array.code
                self._write(f"{part}.set({value.code});")
            else:
                self._write(f"{array.code}.fill({joined([value, *bounds])});")
        else:
            if not isinstance(value.kind, Number) or value.kind == TRUTH:
                raise ValueError("an element is a number")
            self._write(f"{self._expressions.place(array, target.slice)} = {value.code};")


def mentions(text: str, name: str) -> int:
    """How often a variable stands in JavaScript; the members of objects are no variables.

    Example:
        >>> mentions("rate * a.rate + f(rate, rates)", "rate")
        2
    """
    return len(re.findall(rf"(?<![.\w]){name}\b", text))
