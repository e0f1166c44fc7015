"""Wrong in an operator, a constant or a name: the syntax tree of every formula, changed in one place, for every place.

As mutation testing does it. A change that gives the formula's numbers in every setting is refused, and so is one that
does not run. `Change` lists the places; unusual.py uses `rebuilt` for changes that are right. Next: unusual.py.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import ast
import copy
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np

from ..specification import Specification
from .candidates import Candidate, Formulas, family
from .scenes import agree, others, shapes_for, together
from .subjects import Subject, check, claims, maker, takes

SWAPS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Eq: (ast.NotEq, ast.LtE),
}
DROPPED = ("sqrt", "cbrt", "abs", "norm", "sign", "rms", "mean", "transpose")
EXCHANGED = {"maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max", "norm": "rms", "rms": "norm"}
LIKE = (
    ("beta1", "beta2", "beta3"),
    ("m", "v", "n"),
    ("correction1", "correction2"),
    ("theta", "g"),
    ("eta_minus", "eta_plus"),
)


def functions_of(formula: Callable[..., Any]) -> list[Any]:
    """A formula and those functions of its file that it calls, and they."""
    module = sys.modules[formula.__module__]
    found, waiting = [], [formula]
    while waiting:
        function = waiting.pop(0)
        if function in found:
            continue
        found.append(function)
        for node in ast.walk(tree_of(function)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                called = getattr(module, node.func.id, None)
                if inspect.isfunction(called) and called.__module__ == formula.__module__:
                    waiting.append(called)
    return found


@cache
def tree_of(function: Callable[..., Any]) -> ast.FunctionDef:
    """The syntax tree of a function, without its docstring and annotations."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(tree, ast.FunctionDef)
    tree.decorator_list = []
    tree.returns = None
    for argument in (*tree.args.args, *tree.args.kwonlyargs, *tree.args.posonlyargs):
        argument.annotation = None
    if ast.get_docstring(tree):
        tree.body = tree.body[1:]
    return tree


def rebuilt(formula: Callable[..., Any], trees: dict[str, ast.FunctionDef], **more: Any) -> Callable[..., Any]:
    """The formula, with these trees in the place of functions of its file."""
    names = {**vars(sys.modules[formula.__module__]), **more}
    for tree in trees.values():
        module = ast.fix_missing_locations(ast.Module(body=[tree], type_ignores=[]))
        exec(compile(module, f"<{tree.name}>", "exec"), names)
    if formula.__name__ not in trees:  # it calls what was changed
        return rebuilt(formula, {**trees, formula.__name__: tree_of(formula)}, **more)
    return names[formula.__name__]


# A change of one node: its words, and what is put in its place.
Edit = tuple[str, ast.AST]


def edits(node: Any, parent: ast.AST | None, states: tuple[str, ...]) -> Iterator[Edit]:
    """What one node may be changed to."""
    change = EDITS.get(type(node))
    for found in change(node, parent, states) if change else ():
        yield f"{ast.unparse(node)} is {ast.unparse(found)}", found


def with_other(node: Any, **changes: Any) -> Any:
    """A copy of a node with other fields."""
    found = copy.copy(node)
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def of_operations(node, parent, states):
    for other in SWAPS.get(type(node.op), ()):
        yield with_other(node, op=other())
    yield node.left
    if not isinstance(node.op, ast.Pow):
        yield node.right


def of_signs(node, parent, states):
    if isinstance(node.op, (ast.USub, ast.Not)):
        yield node.operand


def of_constants(node, parent, states):
    if type(node.value) in (int, float):
        yield ast.Constant(node.value + 1)
        yield ast.Constant(node.value * 0.5 if node.value not in (0, 1) else 1 - node.value)


def of_comparisons(node, parent, states):
    for other in SWAPS.get(type(node.ops[0]), ()) if len(node.ops) == 1 else ():
        yield with_other(node, ops=[other()])


def of_conjunctions(node, parent, states):
    yield with_other(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())


def of_choices(node, parent, states):
    yield node.body
    yield node.orelse


def of_calls(node, parent, states):
    name = getattr(node.func, "id", "")
    if name in DROPPED and node.args:
        yield node.args[0]
    if name in EXCHANGED:
        yield with_other(node, func=ast.Name(EXCHANGED[name], ast.Load()))
    if name in ("maximum", "minimum"):
        yield from node.args


def of_states(node, parent, states):
    if getattr(node.value, "id", "") == "state" and isinstance(node.slice, ast.Constant):
        yield from (with_other(node, slice=ast.Constant(name)) for name in states if name != node.slice.value)


def of_names(node, parent, states):
    if isinstance(node.ctx, ast.Load):
        for group in LIKE:
            yield from (ast.Name(name, ast.Load()) for name in group if node.id in group and name != node.id)


def of_results(node, parent, states):
    """A state that is given back as it was."""
    if isinstance(parent, (ast.Tuple, ast.Assign)):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value in states:
                kept = ast.parse(f"state[{key.value!r}]", mode="eval").body
                yield with_other(node, values=[kept if v is value else v for v in node.values])


EDITS: dict[type[ast.AST], Callable[..., Iterator[ast.AST]]] = {
    ast.BinOp: of_operations,
    ast.UnaryOp: of_signs,
    ast.Constant: of_constants,
    ast.Compare: of_comparisons,
    ast.BoolOp: of_conjunctions,
    ast.IfExp: of_choices,
    ast.Call: of_calls,
    ast.Subscript: of_states,
    ast.Name: of_names,
    ast.Dict: of_results,
}


def statements(tree: ast.FunctionDef) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The tree without one of its statements."""
    for node in ast.walk(tree):
        for field in ("body", "orelse"):
            block = getattr(node, field, None)
            if not isinstance(block, list):
                continue
            for index, statement in enumerate(block):
                if isinstance(statement, (ast.Assign, ast.If)):
                    changed = copy.deepcopy(tree)
                    places = [n for n in ast.walk(changed)]
                    twin = places[list(ast.walk(tree)).index(node)]
                    rest = getattr(twin, field)
                    rest[index : index + 1] = [ast.Pass()] if len(block) == 1 else []
                    first = ast.unparse(statement).splitlines()[0]
                    yield f"without {first}", changed


class _Put(ast.NodeTransformer):
    """Puts a node in the place of one, found by its number in the walk."""

    def __init__(self, number: int, edit: int, states: tuple[str, ...]) -> None:
        self.number, self.edit, self.states, self.seen = number, edit, states, -1
        self.parents: list[ast.AST] = []

    def visit(self, node: ast.AST) -> Any:
        self.seen += 1
        if self.seen == self.number:
            parent = self.parents[-1] if self.parents else None
            return copy.deepcopy(list(edits(node, parent, self.states))[self.edit][1])
        self.parents.append(node)
        result = self.generic_visit(node)
        self.parents.pop()
        return result


class _List(ast.NodeVisitor):
    """Lists the edits of every node by its number in the walk."""

    def __init__(self, states: tuple[str, ...]) -> None:
        self.states, self.seen = states, -1
        self.found: list[tuple[int, int, str]] = []
        self.parents: list[ast.AST] = []

    def visit(self, node: ast.AST) -> Any:
        self.seen += 1
        parent = self.parents[-1] if self.parents else None
        self.found += [(self.seen, n, text) for n, (text, _) in enumerate(edits(node, parent, self.states))]
        self.parents.append(node)
        self.generic_visit(node)
        self.parents.pop()


def changes(
    function: Callable[..., Any], states: tuple[str, ...]
) -> Iterator[tuple[str, Callable[[], ast.FunctionDef]]]:
    """Every change of a function in one place: what it does, and what makes the changed tree."""
    tree = tree_of(function)
    listing = _List(states)
    for statement in tree.body:
        listing.visit(statement)

    def put(number: int, edit: int) -> ast.FunctionDef:
        changed = copy.deepcopy(tree)
        putting = _Put(number, edit, states)
        changed.body = [putting.visit(statement) for statement in changed.body]
        return changed

    for number, edit, text in listing.found:
        yield text, partial(put, number, edit)
    for text, changed in statements(tree):
        yield text, partial(copy.deepcopy, changed)


def computing(build: Callable[[], Callable[..., Any]]) -> type[Subject]:
    """A subject whose formula is another function, which is built at its first step."""
    made: list[Callable[..., Any]] = []

    class ComputesOtherwise(Subject):
        def formula(self, spec, theta, g, state, t):
            if not made:
                made.append(build())
            return made[0](theta, g, state, t, **spec.hyperparameters)

    return ComputesOtherwise


def history(formula: Callable[..., Any], claim: Specification, settings: dict[str, Any]) -> list[np.ndarray]:
    """Parameters and states of some steps of a formula, and of one far on, in float64."""
    rng = np.random.default_rng(7)
    given = claim.having(**settings)
    theta = rng.normal(size=shapes_for(claim)[-1])
    state: dict[str, Any] = {key: np.array(value) for key, value in given.initial_state(theta).items()}
    found: list[np.ndarray] = []
    with np.errstate(all="ignore"):
        for t in (1, 2, 3, 4, 5, 6, 7, 2000):
            g = rng.normal(size=theta.shape)
            if t == 6:
                g.reshape(-1)[:1] = 0
            theta, state = formula(theta, g, state, t, **given.hyperparameters)
            found += [np.asarray(theta), *(np.asarray(state[key]) for key in sorted(state))]
    return found


def same_formula(one: Callable[..., Any], claim: Specification, tolerance: float) -> bool:
    """Whether a function gives the formula's numbers in all settings that a class of it takes."""
    names = takes(claim)
    chosen = [{}, {"lr": 0.05}, *({"lr": 0.05, n: v} for n, v in others(claim, names).items()), together(claim, names)]
    return all(
        agree(history(claim.family.formula, claim, settings), history(one, claim, settings), tolerance)
        for settings in chosen
    )


@cache
def listed(name: str) -> tuple[tuple[str, str, Callable[[], ast.FunctionDef]], ...]:
    """The changes of a formula: in which function, what, and what makes the tree."""
    (claim,) = claims((name,))
    formula, states = (
        claim.family.formula,
        tuple(claim.having(**together(claim, takes(claim))).state_keys(np.ones(shapes_for(claim)[-1]))),
    )
    found, names = [], set()
    for function in functions_of(formula):
        for text, make in changes(function, states):
            number = 2
            unique = text
            while (function.__name__, unique) in names:
                unique, number = f"{text} ({number})", number + 1
            names.add((function.__name__, unique))
            found.append((function.__name__, unique, make))
    return tuple(found)


def delegates(formula: Callable[..., Any]) -> bool:
    """Whether a formula is one call of another one."""
    body = tree_of(formula).body
    return len(body) == 1 and isinstance(body[0], ast.Return) and isinstance(body[0].value, ast.Call)


@family(
    "syntax", "One operator, constant, name, call or statement of a formula is another, for every formula and place."
)
def syntax(formulas: Formulas = ()) -> Iterator[Candidate]:
    for claim in claims(formulas):
        formula = claim.family.formula
        if delegates(formula):
            continue
        for function, text, make_tree in listed(claim.name):

            def build(formula=formula, function=function, make_tree=make_tree):
                return rebuilt(formula, {function: make_tree()})

            def wrong(build=build, claim=claim):
                try:
                    found = build()
                    return not same_formula(found, claim, 1e-9)
                except Exception:  # it does not run: no mutant
                    return False

            where = "" if function == formula.__name__ else f", {function}"
            make = maker(claim, computing(build))
            yield Candidate("syntax", text, f"{claim.name}{where}", partial(check, make, claim), wrong)
