"""One Python function, over plain numbers, as a JavaScript function: its statements. Next: host.py, a whole program."""

from __future__ import annotations

import ast
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from .host_expressions import Expressions, Names, is_list
from .syntax import Source, javascript_name
from .written import PLUS

__all__ = ["Function"]

# The errors that a function may raise; python.js has those that JavaScript has not.
ERRORS = (TypeError, ValueError, ZeroDivisionError, OverflowError, NotImplementedError, RuntimeError, KeyError)


class Function:
    """One function, or method, and its statements.

    Args:
        source: the function.
        program: what it is translated for.
        arrays: whether its operators may meet arrays.
    """

    def __init__(self, source: Source, program: Names, arrays: bool) -> None:
        self.source, self.program = source, program
        self.expressions = Expressions(source, program, arrays)

    def text(self, name: str) -> str:
        """`name(arguments) { ... }`."""
        arguments = self.source.tree.args
        if arguments.kwarg or arguments.posonlyargs:
            self.source.refuse(self.source.tree, "such arguments have no translation")
        every = [*arguments.args, *arguments.kwonlyargs]
        variables = assigned(self.source.tree.body) - {each.arg for each in every}
        self.expressions.locals[0] |= {each.arg for each in every} | variables | defined(self.source.tree.body)
        self.expressions.floats |= {each.arg for each in every if _says(each.annotation, "float")}
        if arguments.vararg:
            self.expressions.locals[0].add(arguments.vararg.arg)
        self.expressions.truths |= self._truths()
        head = f"{name}({', '.join(self._arguments(every))})"
        declared = [f"let {', '.join(sorted(map(javascript_name, variables)))};"] if variables else []
        lines = [*declared, *self.block(self.source.tree.body)]
        return "\n".join([f"{head} {{", *(f"  {line}" for line in lines), "}"])

    def _truths(self) -> set[str]:
        """The variables to which nothing but truths are assigned."""
        stored = [each for each in _own_of(self.source.tree.body) if _is_stored(each)]
        given = [each for each in _own_of(self.source.tree.body) if isinstance(each, ast.Assign)]
        truths = [
            target.id
            for each in given
            for target in each.targets
            if isinstance(target, ast.Name) and self.expressions.is_truth(each.value)
        ]
        counts = Counter(each.id for each in stored)
        return {name for name in truths if truths.count(name) == counts[name]}

    def _arguments(self, every: list[ast.arg]) -> list[str]:
        arguments = self.source.tree.args
        first = len(arguments.args) - len(arguments.defaults)
        defaults = [*[None] * first, *arguments.defaults, *arguments.kw_defaults]
        found = [
            javascript_name(each.arg) + ("" if default is None else f" = {self.expressions.of(default)}")
            for each, default in zip(every, defaults, strict=True)
            if each.arg != "self"
        ]
        return [*found, f"...{arguments.vararg.arg}"] if arguments.vararg else found

    def block(self, statements: list[ast.stmt]) -> list[str]:
        """The lines of some statements."""
        return [line for each in statements for line in self._statement(each)]

    def _statement(self, node: ast.stmt) -> list[str]:
        write = getattr(self, f"_{type(node).__name__.lower()}", None)
        if write is None:
            self.source.refuse(node, f"{type(node).__name__} has no translation")
        found: list[str] = write(node)
        return found

    def _indented(self, head: str, statements: list[ast.stmt]) -> list[str]:
        return [f"{head} {{", *(f"  {line}" for line in self.block(statements)), "}"]

    def _expr(self, node: ast.Expr) -> list[str]:
        if isinstance(node.value, ast.Constant):  # documentation
            return []
        call = node.value
        if isinstance(call, ast.Call) and self.expressions.known(call.func) is object.__setattr__:
            owner, name, value = call.args
            assert isinstance(name, ast.Constant)
            return [f"{self.expressions.of(owner)}.{name.value!s} = {self.expressions.of(value)};"]
        return [f"{self.expressions.of(call)};"]

    def _return(self, node: ast.Return) -> list[str]:
        return [f"return {'null' if node.value is None else self.expressions.of(node.value)};"]

    def _functiondef(self, node: ast.FunctionDef) -> list[str]:
        inner = Function(replace(self.source, tree=node), self.program, self.expressions.arrays)
        inner.expressions.locals = [set(), *self.expressions.locals]
        first, *others = inner.text(javascript_name(node.name)).splitlines()
        return [f"function {first}", *others]

    def _pass(self, node: ast.Pass) -> list[str]:
        return []

    def _break(self, node: ast.Break) -> list[str]:
        return ["break;"]

    def _continue(self, node: ast.Continue) -> list[str]:
        return ["continue;"]

    def _assign(self, node: ast.Assign) -> list[str]:
        for target in node.targets:
            if isinstance(target, ast.Name) and self.expressions.is_float(node.value):
                self.expressions.floats.add(target.id)
        first, *others = reversed(node.targets)
        lines = self._put(first, self.expressions.of(node.value), is_list(node.value))
        for each in others:
            lines += self._put(each, self.expressions.of(first))
        return lines

    def _annassign(self, node: ast.AnnAssign) -> list[str]:
        if isinstance(node.target, ast.Name) and _says(node.annotation, "float"):
            self.expressions.floats.add(node.target.id)
        return [] if node.value is None else self._put(node.target, self.expressions.of(node.value))

    def _augassign(self, node: ast.AugAssign) -> list[str]:
        read = _read(node.target)
        if self.expressions.arrays and isinstance(node.op, ast.Add):  # of a list it is the same list, longer
            value = f"py.addInPlace({self.expressions.of(read)}, {self.expressions.of(node.value)})"
        else:
            value = self.expressions.of(ast.copy_location(ast.BinOp(read, node.op, node.value), node))
        return self._put(node.target, value)

    def _put(self, target: ast.expr, value: str, is_array: bool = False) -> list[str]:
        """Assign a value to a target; whether the value is an array of JavaScript for certain."""
        if isinstance(target, (ast.Tuple, ast.List)):
            return [f"{self._pattern(target)} = {value if is_array else f'py.list({value})'};"]
        if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Slice):
            return [
                f"py.putSlice({self.expressions.of(target.value)}, {self.expressions.bounds(target.slice)}, {value});"
            ]
        if isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Constant):
            owner, index = self.expressions.of(target.value), self.expressions.of(target.slice)
            return [f"py.put({owner}, {index}, {value});"]
        return [f"{self.expressions.of(target)} = {value};"]

    def _pattern(self, target: ast.expr) -> str:
        if isinstance(target, (ast.Tuple, ast.List)):
            return f"[{', '.join(map(self._pattern, target.elts))}]"
        if isinstance(target, ast.Starred):
            return f"...{self._pattern(target.value)}"
        return self.expressions.of(target)

    def _if(self, node: ast.If) -> list[str]:
        lines = self._indented(f"if ({self.expressions.test(node.test)})", node.body)
        if not node.orelse:
            return lines
        if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
            more = self._if(node.orelse[0])
            return [*lines[:-1], f"}} else {more[0]}", *more[1:]]
        return [*lines[:-1], *self._indented("} else", node.orelse)]

    def _for(self, node: ast.For) -> list[str]:
        if node.orelse:
            self.source.refuse(node, "a for with an else has no translation")
        if isinstance(node.iter, ast.Call) and self.expressions.known(node.iter.func) is range:
            return self._indented(self._counted(node), node.body)
        head = f"for ({self._pattern(node.target)} of py.iterated({self.expressions.of(node.iter)}))"
        return self._indented(head, node.body)

    def _counted(self, node: ast.For) -> str:
        """The head of a loop over whole numbers."""
        assert isinstance(node.iter, ast.Call)
        given = [self.expressions.operand(each, PLUS) for each in node.iter.args]
        first, stop, step = {1: ["0", *given, "1"], 2: [*given, "1"], 3: given}[len(given)]
        name, falls = self._pattern(node.target), step.startswith("-")
        return f"for ({name} = {first}; {name} {'>' if falls else '<'} {stop}; {name} += {step})"

    def _while(self, node: ast.While) -> list[str]:
        if node.orelse:
            self.source.refuse(node, "a while with an else has no translation")
        return self._indented(f"while ({self.expressions.test(node.test)})", node.body)

    def _raise(self, node: ast.Raise) -> list[str]:
        raised = node.exc
        if isinstance(raised, ast.Name) and self.expressions.known(raised) in ERRORS:
            return [f"throw new {raised.id}({json.dumps('')});"]
        if not isinstance(raised, ast.Call):
            self.source.refuse(node, "only an error that is made here can be raised")
        kind = self.expressions.known(raised.func)
        of_kind = kind.__name__ if isinstance(kind, type) and kind in ERRORS else None
        message = self.expressions.several(raised.args)
        return [f"throw new {of_kind or '(' + self.expressions.of(raised.func) + ')'}({message});"]

    def _try(self, node: ast.Try) -> list[str]:
        if node.orelse or node.finalbody:
            self.source.refuse(node, "a try with an else or a finally has no translation")
        lines = [*self._indented("try", node.body)[:-1], "} catch (error) {"]
        for number, handler in enumerate(node.handlers):
            kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
            tests = " || ".join(f"error instanceof {self.expressions.of(kind)}" for kind in kinds if kind is not None)
            body = self._indented(f"{'} else ' if number else ''}if ({tests})", handler.body)
            lines += [f"  {line}" for line in body[:-1]]
        return [*lines, "  } else {", "    throw error;", "  }", "}"]

    def _with(self, node: ast.With) -> list[str]:
        """NumPy's error state, in which a program makes no warnings anyway."""
        for each in node.items:
            called = each.context_expr.func if isinstance(each.context_expr, ast.Call) else None
            if called is None or self.expressions.known(called) is not np.errstate:
                self.source.refuse(node, "this with has no translation")
        return self.block(node.body)


def assigned(statements: list[ast.stmt]) -> set[str]:
    """The variables that some statements assign."""
    return {each.id for each in _own_of(statements) if _is_stored(each)}


def defined(statements: list[ast.stmt]) -> set[str]:
    """The functions that some statements define."""
    return {each.name for each in _own_of(statements) if isinstance(each, ast.FunctionDef)}


def _own_of(statements: list[ast.stmt]) -> list[Any]:
    return [each for statement in statements for each in _own(statement)]


def _is_stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _own(node: ast.AST) -> list[ast.AST]:
    """A statement's parts, without those that have variables of their own."""
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)):
        return []
    if isinstance(node, ast.FunctionDef):
        return [node]
    return [node, *(each for child in ast.iter_child_nodes(node) for each in _own(child))]


def _read(target: ast.expr) -> ast.expr:
    """A target as the expression that reads it."""
    found: ast.expr = ast.parse(ast.unparse(target), mode="eval").body
    return ast.copy_location(found, target)


def _says(annotation: ast.expr | None, kind: str) -> bool:
    return annotation is not None and ast.unparse(annotation) == kind
