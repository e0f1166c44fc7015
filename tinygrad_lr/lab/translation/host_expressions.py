"""Python expressions over numbers, texts, lists and dicts as JavaScript ones. Next: host_functions.py.

What JavaScript does as Python does is written so: `+ - *`, comparisons of numbers, conditional expressions, calls. All
else calls a function of python.js by its name there (`py.quotient` raises where Python raises), and what NumPy does
calls one of numpy.js. Where a module computes with arrays, its operators are calls, too.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from .syntax import Source, javascript_name
from .written import AND, ATOM, CHOICE, EQUALITY, OR, PLUS, RELATION, STRENGTHS, TIMES, UNARY

__all__ = ["UNKNOWN", "Expressions", "Names", "is_list"]

UNKNOWN = object()  # what no object is known for before the program runs

PLAIN = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
OPERATORS = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "quotient",
    ast.FloorDiv: "floorQuotient",
    ast.Mod: "remainder",
    ast.Pow: "power",
    ast.LShift: "shiftedLeft",
    ast.RShift: "shiftedRight",
    ast.BitAnd: "bitAnd",
    ast.BitXor: "bitXor",
}
COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
COMPARED = {ast.Lt: "less", ast.LtE: "atMost", ast.Gt: "more", ast.GtE: "atLeast"}


class Names(Protocol):
    """The program for which an expression is translated, host.py's: it knows what names stand for."""

    helpers: Mapping[str, Collection[str]]
    """The names of the functions in python.js ("py") and numpy.js ("np")."""

    def ask(self, member: str) -> None:
        """Have this member of every class."""

    def value(self, given: Any, source: Source, node: ast.AST, name: str = "", is_called: bool = False) -> str:
        """An object of Python in JavaScript."""


class Expressions:
    """The expressions of one function.

    Args:
        source: the function.
        program: what it is translated for; it knows what names stand for.
        arrays: whether its operators may meet arrays.
    """

    def __init__(self, source: Source, program: Names, arrays: bool) -> None:
        self.source, self.program, self.arrays = source, program, arrays
        self.locals: list[set[str]] = [set(source.function.__code__.co_freevars) - {"__class__"}]
        self.floats: set[str] = set()
        self.truths: set[str] = set()  # variables that are True or False

    # Names.

    def is_local(self, name: str) -> bool:
        """Whether a name is an argument or a variable."""
        return any(name in scope for scope in self.locals)

    @contextmanager
    def scope(self, *targets: ast.AST) -> Iterator[None]:
        """The names of some targets are variables within."""
        names = {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
        self.locals.append(names)
        yield
        self.locals.pop()

    def known(self, node: ast.AST) -> Any:
        """The object that an expression stands for before the program runs; UNKNOWN where there is none."""
        if isinstance(node, ast.Name):
            if self.is_local(node.id):
                return UNKNOWN
            return self.source.names.get(node.id, getattr(builtins, node.id, UNKNOWN))
        if isinstance(node, ast.Attribute):
            owner = self.known(node.value)
            if owner is not UNKNOWN and (inspect.ismodule(owner) or isinstance(owner, type)):
                return getattr(owner, node.attr, UNKNOWN)
        return UNKNOWN

    # Expressions.

    def of(self, node: ast.AST) -> str:
        """An expression in JavaScript."""
        write = getattr(self, f"_{type(node).__name__.lower()}", None)
        if write is None:
            self.source.refuse(node, f"{type(node).__name__} has no translation")
        found: str = write(node)
        return found

    def operand(self, node: ast.AST, strength: int = ATOM) -> str:
        """An expression as a part of a larger one, of which an operator of some strength stands beside it."""
        found = self.of(node)
        return f"({found})" if self.strength(node) < strength else found

    def strength(self, node: ast.AST) -> int:
        """How strongly the JavaScript of an expression holds together: the strength of its weakest operator."""
        if isinstance(node, (ast.IfExp, ast.Lambda)):
            return CHOICE
        if isinstance(node, ast.UnaryOp):
            is_call = self.arrays and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant)
            return ATOM if is_call else UNARY
        if isinstance(node, ast.BinOp) and not self.arrays:
            return TIMES if self._divides(node) else STRENGTHS[PLAIN[type(node.op)]] if type(node.op) in PLAIN else ATOM
        if isinstance(node, ast.Compare):
            return AND if len(node.ops) > 1 else min(map(self._strength_of_comparison, node.ops))
        return ATOM

    def _strength_of_comparison(self, op: ast.cmpop) -> int:
        if type(op) in COMPARISONS:
            return ATOM if self.arrays else RELATION
        return UNARY if isinstance(op, (ast.In, ast.NotIn)) else EQUALITY

    def _divides(self, node: ast.BinOp) -> bool:
        """Whether a division is JavaScript's: it is by a number that is not 0."""
        return isinstance(node.op, ast.Div) and isinstance(node.right, ast.Constant) and bool(node.right.value)

    def test(self, node: ast.AST, strength: int = OR) -> str:
        """An expression as a condition, true where Python takes it for true; beside an operator of some strength."""
        if isinstance(node, ast.BoolOp):
            own, sign = (AND, " && ") if isinstance(node.op, ast.And) else (OR, " || ")
            found = sign.join(self.test(each, own) for each in node.values)
            return f"({found})" if own < strength else found
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return f"!{self.test(node.operand, UNARY)}"
        return self.operand(node, strength) if self.is_truth(node) else f"py.isTrue({self.of(node)})"

    def is_truth(self, node: ast.AST) -> bool:
        """Whether a value is known to be True or False."""
        if isinstance(node, ast.Compare):
            return not self.arrays or all(map(_is_exact, node.ops))
        if isinstance(node, ast.Name):
            return node.id in self.truths
        if isinstance(node, ast.Call):
            called = self.known(node.func)
            return called in (bool, isinstance, any, all) or called_gives(called) == "bool"
        return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)

    def _constant(self, node: ast.Constant) -> str:
        return self.program.value(node.value, self.source, node)

    def _name(self, node: ast.Name) -> str:
        if node.id == "self" and self.is_local("self"):
            return "this"
        if self.is_local(node.id):
            return javascript_name(node.id)
        found = self.known(node)
        if found is UNKNOWN:
            self.source.refuse(node, "this name stands for nothing")
        return self.value(found, node, node.id)

    def value(self, found: Any, node: ast.AST, name: str, is_called: bool = False) -> str:
        """What a known object is called in the program."""
        text = self.program.value(found, self.source, node, name, is_called)
        if self.is_local(text):
            self.source.refuse(node, f"the program has another {text}")
        return text

    def _attribute(self, node: ast.Attribute) -> str:
        found = self.known(node)
        if found is not UNKNOWN:
            return self.value(found, node, node.attr)
        owner = self.operand(node.value)
        if f"attribute_{node.attr}" in self.program.helpers["py"]:
            return f"py.attribute_{node.attr}({owner})"
        self.program.ask(node.attr)
        return f"{owner}.{node.attr}"

    def _subscript(self, node: ast.Subscript) -> str:
        owner, index = self.operand(node.value), node.slice
        if isinstance(index, ast.Slice):
            return f"py.slice({owner}, {self.bounds(index)})"
        if isinstance(index, ast.Constant) and isinstance(index.value, str):
            return f"{owner}.{index.value}"
        if isinstance(index, ast.Constant) and isinstance(index.value, int) and not self.arrays:
            return f"{owner}[{index.value}]"
        return f"py.item({owner}, {self.of(index)})"

    def bounds(self, index: ast.Slice) -> str:
        """Both bounds and the step of a slice."""
        parts = (index.lower, index.upper, index.step)
        return ", ".join("null" if part is None else self.of(part) for part in parts)

    def _binop(self, node: ast.BinOp) -> str:
        kind = type(node.op)
        if isinstance(node.op, ast.BitOr):  # of two dicts
            return f"{{...{self.of(node.left)}, ...{self.of(node.right)}}}"
        if kind not in OPERATORS:
            self.source.refuse(node, "this operator has no translation")
        if not self.arrays and (kind in PLAIN or self._divides(node)):
            own = self.strength(node)
            return f"{self.operand(node.left, own)} {PLAIN.get(kind, '/')} {self.operand(node.right, own + 1)}"
        return f"py.{OPERATORS[kind]}({self.of(node.left)}, {self.of(node.right)})"

    def _unaryop(self, node: ast.UnaryOp) -> str:
        if isinstance(node.op, ast.Not):
            return self.test(node)
        if not isinstance(node.op, ast.USub):
            self.source.refuse(node, "this operator has no translation")
        if isinstance(node.operand, ast.Constant) or not self.arrays:
            return f"-{self.operand(node.operand)}"
        return f"py.negative({self.of(node.operand)})"

    def _boolop(self, node: ast.BoolOp) -> str:
        name = "and" if isinstance(node.op, ast.And) else "or"
        found = self.of(node.values[-1])
        for value in reversed(node.values[:-1]):
            found = f"py.{name}({self.of(value)}, () => {found})"
        return found

    def _compare(self, node: ast.Compare) -> str:
        sides = [node.left, *node.comparators]
        parts = [self._compared(left, op, right) for left, op, right in zip(sides, node.ops, sides[1:], strict=False)]
        return " && ".join(parts)

    def _compared(self, left: ast.AST, op: ast.cmpop, right: ast.AST) -> str:
        opposite = "!" if isinstance(op, (ast.NotEq, ast.IsNot, ast.NotIn)) else ""
        if isinstance(op, (ast.In, ast.NotIn)):
            return f"{opposite}py.contains({self.of(right)}, {self.of(left)})"
        if type(op) in COMPARISONS and self.arrays:
            return f"py.{COMPARED[type(op)]}({self.of(left)}, {self.of(right)})"
        if type(op) in COMPARISONS:
            sign = COMPARISONS[type(op)]
        elif isinstance(op, (ast.Is, ast.IsNot)) or isinstance(right, ast.Constant):
            sign = f"{opposite or '='}=="
        else:
            return f"{opposite}py.equal({self.of(left)}, {self.of(right)})"
        return f"{self.operand(left, PLUS)} {sign} {self.operand(right, PLUS)}"

    def _ifexp(self, node: ast.IfExp) -> str:
        return f"{self.test(node.test)} ? {self.of(node.body)} : {self.of(node.orelse)}"

    # Collections.

    def several(self, nodes: list[ast.expr]) -> str:
        """Expressions in a row, some of them starred."""
        return ", ".join(
            f"...{self.listed(node.value)}" if isinstance(node, ast.Starred) else self.of(node) for node in nodes
        )

    def listed(self, node: ast.expr) -> str:
        """What can be gone through, as an array of JavaScript."""
        return self.operand(node) if is_list(node) else f"py.list({self.of(node)})"

    def _tuple(self, node: ast.Tuple) -> str:
        return f"[{self.several(node.elts)}]"

    _list = _tuple

    def _dict(self, node: ast.Dict) -> str:
        parts = []
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                parts.append(f"...{self.operand(value)}")
            elif isinstance(key, ast.Constant) and isinstance(key.value, str):
                name = key.value if key.value.isidentifier() else repr(key.value)
                parts.append(_member(name, self.of(value)))
            else:
                parts.append(f"[{self.of(key)}]: {self.of(value)}")
        return f"{{{', '.join(parts)}}}"

    def _listcomp(self, node: ast.ListComp | ast.GeneratorExp) -> str:
        return self._each(node.generators, lambda: self.of(node.elt))

    _generatorexp = _listcomp

    def _setcomp(self, node: ast.SetComp) -> str:
        return f"py.set({self._each(node.generators, lambda: self.of(node.elt))})"

    def _dictcomp(self, node: ast.DictComp) -> str:
        pairs = self._each(node.generators, lambda: f"[{self.of(node.key)}, {self.of(node.value)}]")
        return f"Object.fromEntries({pairs})"

    def _each(self, generators: list[ast.comprehension], element: Any) -> str:
        first, *others = generators
        found = self.listed(first.iter)
        with self.scope(first.target):
            target = self.of(first.target)
            for condition in first.ifs:
                found += f".filter(({target}) => {self.test(condition)})"
            if others:
                return f"{found}.flatMap(({target}) => {self._each(others, element)})"
            body = element()
        return found if body == target else f"{found}.map(({target}) => {_as_body(body)})"

    def _lambda(self, node: ast.Lambda) -> str:
        names = ", ".join(javascript_name(each.arg) for each in node.args.args)
        self.locals.append({each.arg for each in node.args.args})
        body = self.of(node.body)
        self.locals.pop()
        return f"({names}) => {_as_body(body)}"

    # Texts.

    def _joinedstr(self, node: ast.JoinedStr) -> str:
        parts = [
            _in_template(str(part.value)) if isinstance(part, ast.Constant) else f"${{{self.of(part)}}}"
            for part in node.values
        ]
        return f"`{''.join(parts)}`"

    def _formattedvalue(self, node: ast.FormattedValue) -> str:
        value = self.of(node.value)
        if node.format_spec is not None:
            return f"py.format({value}, {self.of(node.format_spec)})"
        of_float = "OfFloat" if self.is_float(node.value) else ""
        return f"py.{'repr' if node.conversion == ord('r') else 'text'}{of_float}({value})"

    def is_float(self, node: ast.AST) -> bool:
        """Whether a value is known to be a float, which Python shows with a point."""
        if isinstance(node, ast.Constant):
            return isinstance(node.value, float)
        if isinstance(node, ast.Name):
            return node.id in self.floats
        if isinstance(node, ast.BinOp):
            return self.is_float(node.left) or self.is_float(node.right)
        if isinstance(node, ast.Call):
            called = self.known(node.func)
            return called is float or called_gives(called) == "float"
        return False

    # Calls.

    def _call(self, node: ast.Call) -> str:
        called = self.known(node.func)
        if isinstance(node.func, ast.Attribute) and _is_super(node.func.value):
            self.program.ask(node.func.attr)
            return f"super.{node.func.attr}({self.several(node.args)})"
        if isinstance(node.func, ast.Call) and self.known(node.func.func) is type:
            return f"new (py.classOf({self.of(node.func.args[0])}))({self.several(node.args)})"
        if called is not UNKNOWN:
            return self._call_of(called, node)
        if isinstance(node.func, ast.Attribute):
            return self._method(node.func, node)
        if node.keywords:
            return f"py.call({self.of(node.func)}, [{self.several(node.args)}], {self.named(node)})"
        return f"{self.operand(node.func)}({self.several(node.args)})"

    def named(self, node: ast.Call) -> str:
        """Named arguments as an object."""
        return f"{{{', '.join(_member(str(each.arg), self.of(each.value)) for each in node.keywords)}}}"

    def _method(self, place: ast.Attribute, node: ast.Call) -> str:
        owner, name, arguments = self.operand(place.value), place.attr, self.several(node.args)
        if f"method_{name}" in self.program.helpers["py"]:
            more = [self.named(node)] if node.keywords else []
            return f"py.method_{name}({', '.join([owner, *([arguments] if arguments else []), *more])})"
        if node.keywords:
            self.source.refuse(node, "a method of an unknown object takes no named arguments here")
        self.program.ask(name)
        return f"{owner}.{name}({arguments})"

    def _call_of(self, called: Any, node: ast.Call) -> str:
        """A call of what is known."""
        name = self.value(called, node.func, getattr(called, "__name__", ""), is_called=True)
        starred = any(isinstance(each, ast.Starred) for each in node.args)
        if name.startswith(("py.", "np.")):
            parts = [*([self.several(node.args)] if node.args else []), *([self.named(node)] if node.keywords else [])]
            return f"{name}({', '.join(parts)})"
        given = self.several(node.args)
        if isinstance(called, type):
            self.program.ask("__init__")
        if node.keywords:
            if starred:
                self.source.refuse(node, "starred and named arguments of one call have no translation")
            given = self._placed(called, node)
        return f"{'new ' if isinstance(called, type) else ''}{name}({given})"

    def _placed(self, called: Any, node: ast.Call) -> str:
        """Arguments in the order of a signature; `undefined` stands for those that are left out."""
        if any(each.arg is None for each in node.keywords):
            self.source.refuse(node, "arguments out of a dict have no translation")
        names = list(inspect.signature(called).parameters)
        values = dict(zip(names, node.args, strict=False)) | {str(each.arg): each.value for each in node.keywords}
        last = max(names.index(name) for name in values)
        return ", ".join(self.of(values[name]) if name in values else "undefined" for name in names[: last + 1])


def called_gives(called: Any) -> str:
    """How a function annotates what it returns; empty where it does not."""
    found = getattr(called, "__annotations__", {}).get("return", "")
    return found if isinstance(found, str) else getattr(found, "__name__", "")


def _in_template(text: str) -> str:
    """A text within JavaScript's backquotes."""
    return json.dumps(text)[1:-1].replace('\\"', '"').replace("`", "\\`").replace("${", "\\${")


def _is_exact(op: ast.cmpop) -> bool:
    """Whether a comparison has one answer, also beside arrays."""
    return not isinstance(op, (ast.Lt, ast.LtE, ast.Gt, ast.GtE))


def _member(name: str, text: str) -> str:
    """A member of an object."""
    return name if text == name else f"{name}: {text}"


def is_list(node: ast.AST) -> bool:
    """Whether an expression makes a list or a tuple, of which JavaScript makes an array.

    Example:
        >>> [is_list(ast.parse(text, mode="eval").body) for text in ("[x]", "(x, y) if z else ()", "x")]
        [True, True, False]
    """
    if isinstance(node, ast.IfExp):
        return is_list(node.body) and is_list(node.orelse)
    return isinstance(node, (ast.List, ast.Tuple, ast.ListComp, ast.GeneratorExp))


def _is_super(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _as_body(text: str) -> str:
    """An expression as the body of an arrow function."""
    return f"({text})" if text.startswith("{") else text
