"""Expressions of kernels, from Python to JavaScript. What NumPy's and Python's own functions are: intrinsics.py."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from .intrinsics import INTRINSICS, METHODS, converted
from .kinds import FLOAT64, TRUTH, WHOLE, Array, Dtype, Kind, Known, Number, Tuple, common, number_of
from .syntax import NotTranslatable, Source, source_of
from .written import ATOM, UNARY, Value, arithmetic, binary, conditional, joined, known, literal, negative, several

__all__ = ["Expressions"]

ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
BITWISE = {ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>>"}
OF_WHOLE = {ast.FloorDiv: "quotient", ast.Mod: "remainder"}  # functions of the prelude
WITHIN = {WHOLE: (ast.Add, ast.Sub, ast.Mult), Number("uint64"): (ast.Add, ast.Mult)}  # there is no -1 of uint64
BITS = Number("uint32")
COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "===", ast.NotEq: "!=="}
OUTCOMES = {ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge} | {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
BUILTINS = {each.__name__: each for each in (abs, float, int, max, min, type)}


@dataclass
class Expressions:
    """Expressions in one function.

    Attributes:
        source: the function.
        here: its variables that have a value so far.
        called: gives the value of a call of a translated function, from the function and its arguments.
        named: gives the name of a constant, from its Python name and its literal.
    """

    source: Source
    here: dict[str, Value]
    called: Callable[[Any, list[Value]], Value]
    named: Callable[[str, Value], str]

    def value(self, node: ast.expr) -> Value:
        """The JavaScript of an expression.

        Raises:
            NotTranslatable: it has no translation.
        """
        write = getattr(self, f"_{type(node).__name__.lower()}", None)
        if write is None:
            self.source.refuse(node, f"{type(node).__name__} has no translation")
        try:
            found: Value = write(node)
        except NotTranslatable:
            raise
        except ValueError as error:
            self.source.refuse(node, str(error))
        return found

    def number(self, node: ast.expr) -> Value:
        """The same of an expression that has to be a number."""
        found = self.value(node)
        if not isinstance(found.kind, Number):
            self.source.refuse(node, "a number was expected")
        return found

    def condition(self, node: ast.expr) -> Value:
        """The same of a condition: what is not a comparison has no translation, because Python's truth is another."""
        found = self.value(node)
        if found.kind != TRUTH:
            self.source.refuse(node, "a comparison was expected")
        return found

    # Names and literals.

    def _constant(self, node: ast.Constant) -> Value:
        if number_of(node.value) is None:
            raise ValueError("only numbers are literals")
        return literal(node.value)

    def _name(self, node: ast.Name) -> Value:
        if node.id in self.here:
            return self.here[node.id]
        if node.id in self.source.names:
            value = self.source.names[node.id]
        elif node.id in BUILTINS:
            value = BUILTINS[node.id]
        else:
            raise ValueError("nothing has this name here")
        if number_of(value) is None:
            return known(value)
        found = literal(value)
        return Value(self.named(node.id, found), found.kind, constant=value)

    def _tuple(self, node: ast.Tuple) -> Value:
        return several(self.arguments(node.elts))

    def arguments(self, nodes: Sequence[ast.expr]) -> list[Value]:
        """Values in a row, in which a star spreads a tuple."""
        found: list[Value] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                tuple_ = self.value(node.value)
                if tuple_.parts is None:
                    self.source.refuse(node, "only a tuple that stands apart can be spread")
                found += tuple_.parts
            else:
                found.append(self.value(node))
        return found

    # Operators.

    def _binop(self, node: ast.BinOp) -> Value:
        return self.operated(self.number(node.left), node.op, self.number(node.right))

    def operated(self, left: Value, by: ast.operator, right: Value) -> Value:
        """Two numbers with one of Python's operators between them."""
        assert isinstance(left.kind, Number) and isinstance(right.kind, Number)
        if left.kind == right.kind == BITS:
            return of_bits(left, by, right)
        kind = common(left.kind, right.kind)
        if isinstance(kind, Number) and kind.is_float and type(by) in ARITHMETIC:
            return arithmetic(left, ARITHMETIC[type(by)], right, kind)
        if kind == WHOLE and type(by) in OF_WHOLE:
            return Value(f"{OF_WHOLE[type(by)]}({left.code}, {right.code})", kind)
        if kind == WHOLE and isinstance(by, ast.Div):
            return arithmetic(left, "/", right, FLOAT64)
        if isinstance(kind, Number) and type(by) in WITHIN.get(kind, ()):
            return binary(left, ARITHMETIC[type(by)], right, left.kind)
        raise ValueError(f"there is no such operation of {named(left.kind)} and {named(right.kind)}")

    def _unaryop(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            found = self.condition(node.operand)
            return Value(f"!{found.within(UNARY)}", TRUTH, UNARY)
        value = self.number(node.operand)
        assert isinstance(value.kind, Number)
        if not isinstance(node.op, ast.USub) or not (value.kind.is_float or value.kind == WHOLE):
            raise ValueError("this sign has no translation")
        return literal(-value.constant) if isinstance(node.operand, ast.Constant) else negative(value)

    def _compare(self, node: ast.Compare) -> Value:
        if len(node.ops) > 1 or type(node.ops[0]) not in COMPARISONS:
            raise ValueError("this comparison has no translation")
        left, right = self.number(node.left), self.number(node.comparators[0])
        if common(left.kind, right.kind) is None:
            raise ValueError(f"{named(left.kind)} and {named(right.kind)} are not compared")
        found = binary(left, COMPARISONS[type(node.ops[0])], right, TRUTH)
        if left.constant is None or right.constant is None:
            return found
        outcome = bool(OUTCOMES[type(node.ops[0])](left.constant, right.constant))
        return Value(found.code, TRUTH, found.strength, outcome)

    def _boolop(self, node: ast.BoolOp) -> Value:
        found = self.condition(node.values[0])
        for each in node.values[1:]:
            found = binary(found, "&&" if isinstance(node.op, ast.And) else "||", self.condition(each), TRUTH)
        return found

    def _ifexp(self, node: ast.IfExp) -> Value:
        test, one, other = self.condition(node.test), self.value(node.body), self.value(node.orelse)
        kind = common(one.kind, other.kind)
        if kind is None or isinstance(kind, Known):
            raise ValueError("the two values are of kinds that no variable can have")
        return conditional(test, one, other, kind)

    # Attributes, elements and calls.

    def _attribute(self, node: ast.Attribute) -> Value:
        owner = self.value(node.value)
        kind = owner.kind
        if isinstance(kind, Known) and isinstance(kind.value, ModuleType):
            found = getattr(kind.value, node.attr)
            return known(found) if number_of(found) is None else literal(found)
        if isinstance(kind, Array) and node.attr in ("size", "shape", "dtype"):
            return self._of_array(owner, kind, node.attr)
        if isinstance(kind, Dtype) and node.attr == "type":
            return known(kind)
        raise ValueError("this attribute has no translation")

    def _of_array(self, owner: Value, kind: Array, attribute: str) -> Value:
        array = owner.within(ATOM)
        if attribute == "dtype":
            return Value("", Dtype(kind.dtype))
        if attribute == "size":
            return Value(f"{array}.length" if kind.dimensions == 1 else f"{array}.data.length", WHOLE)
        sides = ("length",) if kind.dimensions == 1 else ("rows", "columns")
        return several([Value(f"{array}.{side}", WHOLE) for side in sides])

    def _subscript(self, node: ast.Subscript) -> Value:
        owner = self.value(node.value)
        if isinstance(owner.kind, Tuple):
            return self._part(owner, node.slice)
        if not isinstance(owner.kind, Array):
            raise ValueError("only arrays and tuples have elements")
        if isinstance(node.slice, ast.Slice):
            return self._view(owner, node.slice)
        return Value(self.place(owner, node.slice), Number(owner.kind.dtype))

    def place(self, array: Value, index: ast.expr) -> str:
        """An element of an array, to be read or written."""
        assert isinstance(array.kind, Array)
        indices = [self.index(each) for each in (index.elts if isinstance(index, ast.Tuple) else [index])]
        if len(indices) != array.kind.dimensions:
            raise ValueError(f"an array of {array.kind.dimensions} dimensions has as many indices")
        if len(indices) == 1:
            return f"{array.within(ATOM)}[{indices[0].code}]"
        row, column = indices
        owner = array.within(ATOM)
        before = binary(row, "*", Value(f"{owner}.columns", WHOLE), WHOLE)
        place = before if column.code == "0" else binary(before, "+", column, WHOLE)
        return f"{owner}.data[{place.code}]"

    def index(self, node: ast.expr) -> Value:
        """A whole number that is not negative where it is known."""
        found = self.number(node)
        assert isinstance(found.kind, Number)
        if not found.kind.is_whole or (found.constant is not None and found.constant < 0):
            self.source.refuse(node, "an index is a whole number that counts from the beginning")
        return found

    def _part(self, owner: Value, index: ast.expr) -> Value:
        if isinstance(index, ast.Slice):
            if owner.parts is None or index.step is not None:
                raise ValueError("only a tuple that stands apart is cut, and without a step")
            bounds = [None if each is None else self._known(each) for each in (index.lower, index.upper)]
            return several(owner.parts[bounds[0] : bounds[1]])
        return self.part(owner, self._known(index))

    def _known(self, node: ast.expr) -> int:
        found = self.index(node)
        if found.constant is None:
            self.source.refuse(node, "a place in a tuple has to be known")
        return int(found.constant)

    def part(self, owner: Value, place: int) -> Value:
        """One value of a tuple."""
        assert isinstance(owner.kind, Tuple)
        if not place < len(owner.kind.parts):
            raise ValueError(f"the tuple has {len(owner.kind.parts)} values")
        return (
            owner.parts[place] if owner.parts is not None else Value(f"{owner.code}[{place}]", owner.kind.parts[place])
        )

    def bounds(self, node: ast.Slice) -> list[Value]:
        """Where a slice of an array begins and ends; without an end, where it begins; nothing of all."""
        if node.step is not None:
            self.source.refuse(node, "a slice with a step has no translation")
        lower = literal(0) if node.lower is None else self.index(node.lower)
        if node.upper is None:
            return [] if node.lower is None else [lower]
        return [lower, self.index(node.upper)]

    def _view(self, owner: Value, node: ast.Slice) -> Value:
        assert isinstance(owner.kind, Array)
        if owner.kind.dimensions != 1:
            raise ValueError("only an array of one dimension is cut")
        return Value(f"{owner.within(ATOM)}.subarray({joined(self.bounds(node))})", owner.kind)

    def _call(self, node: ast.Call) -> Value:
        if node.keywords:
            raise ValueError("arguments by name have no translation")
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            owner = self.value(node.func.value)
            if isinstance(owner.kind, Number | Array):
                return METHODS[node.func.attr](owner, self.arguments(node.args))
        function = self.value(node.func).kind
        given = self.arguments(node.args)
        if isinstance(function, Known):
            return self._called(node, function.value, given)
        raise ValueError("this call has no translation")

    def _called(self, node: ast.Call, function: Any, given: list[Value]) -> Value:
        if function is type and len(given) == 1 and isinstance(given[0].kind, Number):
            return known(Dtype(given[0].kind.dtype))
        if isinstance(function, Dtype):
            return converted(function.dtype, given)
        for each, write in INTRINSICS:
            if function is each:
                return write(given)
        plain = getattr(function, "py_func", function)
        if not isinstance(plain, FunctionType):
            raise ValueError("this call has no translation")
        conversion = conversion_in(source_of(plain))
        return self._in_place(plain, conversion, given) if conversion is not None else self.called(plain, given)

    def _in_place(self, function: Any, conversion: ast.Call, given: list[Value]) -> Value:
        source = source_of(function)
        names = [each.arg for each in source.tree.args.args]
        return Expressions(source, dict(zip(names, given, strict=True)), self.called, self.named).value(conversion)


def conversion_in(source: Source) -> ast.Call | None:
    """What a function returns that only converts a number, `type(x)(number)`: it is written where it is called."""
    *before, last = source.tree.body
    if not all(isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) for each in before):
        return None
    found = last.value if isinstance(last, ast.Return) else None
    return found if isinstance(found, ast.Call) and isinstance(found.func, ast.Call) else None


def of_bits(left: Value, by: ast.operator, right: Value) -> Value:
    """The same of two patterns of 32 bits: Numba's result has 64 bits, of which these are the lower ones."""
    low = Number("low32")
    if isinstance(by, ast.Mult):
        return Value(f"Math.imul({left.code}, {right.code})", low)
    if isinstance(by, ast.Add | ast.Sub):
        return binary(left, ARITHMETIC[type(by)], right, low)
    if type(by) in BITWISE:
        found = binary(left, BITWISE[type(by)], right, BITS)
        return found.of(low) if isinstance(by, ast.LShift) else binary(found, ">>>", literal(0), BITS)
    raise ValueError("there is no such operation of patterns of bits")


def named(kind: Kind) -> str:
    """A kind in an error."""
    return kind.dtype if isinstance(kind, Number) else type(kind).__name__.lower()
