"""Changes that drop a cast which NumPy does not need, judged in machine code, where Numba may have widened the number.

Numba adds two uint32 as uint64; a cast back keeps the bits that a uint32 has. Whether one may go is seen by compiling
the changed function and running it over the same examples, a rule for one element at a time.
"""

from __future__ import annotations

import ast
import math
from typing import Any

import numpy as np
from kernel_cases import Call, Table
from kernel_mutation import Mutation, functions, loaded

from tinygrad_lr.kernels import _jit

LOOPS = ("decode", "largest_of", "encode", "cpu", "shuffled")  # they take arrays; the other functions take numbers


class _Casts(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        return (
            node.args[0]
            if ast.unparse(node.func) in ("np.uint32", "np.uint64", "np.float32") and len(node.args) == 1
            else node
        )


def only_a_cast(mutation: Mutation) -> bool:
    """Whether a change drops a cast and nothing else."""
    stripped = []
    for line in (mutation.before, mutation.after):
        try:
            stripped.append(ast.unparse(_Casts().visit(ast.parse(line))))
        except SyntaxError:
            return False
    return stripped[0] == stripped[1]


def changed(mutation: Mutation) -> dict[str, Any]:
    """The functions that a change touches, compiled: its own, or all that read the constant."""
    import numba

    names = dict(vars(loaded(mutation.module)))
    names["compiled"] = numba.njit(**{**_jit._FLAGS, "forceinline": False})  # which takes ten times as long
    touched: list[ast.stmt] = [mutation.node]
    if mutation.function == "module":
        exec(compile(ast.Module([mutation.node], []), "<mutant>", "exec"), names)
        constants = _assigned(mutation)
        touched = [each for each in functions(mutation.tree) if each.decorator_list and constants & _read(each)]
    for function in touched:
        exec(compile(ast.Module([function], []), "<mutant>", "exec"), names)
    return {function.name: names[function.name] for function in touched}  # type: ignore[attr-defined]


def _assigned(mutation: Mutation) -> set[str]:
    """The constants of a statement whose values a change touches; all, where they are made by one expression."""
    assert isinstance(mutation.node, ast.Assign)
    (targets,), values = mutation.node.targets, mutation.node.value
    names, made = getattr(targets, "elts", [targets]), getattr(values, "elts", [values])
    if len(names) != len(made):
        return {each.id for each in names}
    return {name.id for name, value in zip(names, made, strict=True) if ast.unparse(value) == mutation.after}


def _read(function: ast.FunctionDef) -> set[str]:
    return {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}


def survives_compiled(mutation: Mutation, table: Table) -> bool:
    """Whether machine code gives what the cases say for all functions that the change touches."""
    touched = changed(mutation)
    assert touched, f"nothing reads what {mutation} changes"
    try:
        return all(_passes(function, case, name) for name, function in touched.items() for case in table[name])
    except Exception:  # it cannot be compiled
        return False


def _passes(function: Any, case: Call, name: str) -> bool:
    if name in LOOPS:
        given = [x.copy() if isinstance(x, np.ndarray) else x for x in case.arguments]
        result = function(*given)
        kept = all(
            _same(after, case.becomes.get(place, before))
            for place, (before, after) in enumerate(zip(case.arguments, given, strict=True))
        )
        return kept and (case.returns is None or _same(result, case.returns))
    size = max(np.size(x) for x in case.arguments)
    return all(
        _same(function(*(_element(x, i) for x in case.arguments)), _element(case.returns, i))
        for i in range(0, size, max(size // 997, 1))
    )


def _element(x: Any, i: int) -> Any:
    if isinstance(x, tuple):
        return tuple(_element(each, i) for each in x)
    return x[i] if isinstance(x, np.ndarray) and x.ndim else x


def _same(found: Any, expected: Any) -> bool:
    if isinstance(expected, tuple):
        return all(_same(*pair) for pair in zip(found, expected, strict=True))
    if isinstance(expected, np.ndarray):
        return bool(np.array_equal(found, expected, equal_nan=expected.dtype.kind == "f"))
    return found == expected or (math.isnan(found) and math.isnan(expected))
