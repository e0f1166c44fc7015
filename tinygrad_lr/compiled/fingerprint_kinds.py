"""How each kind of value is walked for a fingerprint: what can change in it, noted, and what it holds, visited.

A handler is called with the walk, the value, its path and the depth of what it holds. Next: watching.py.
"""

from __future__ import annotations

import dis
import functools
import random
import sys
import types
from argparse import Namespace
from collections import deque
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_lr.data.batches import DataLoader, TensorDataset
from tinygrad_lr.engine.tensor import Tensor
from tinygrad_lr.nn import Module
from tinygrad_lr.optim import Optimizer

if TYPE_CHECKING:
    from .fingerprint import Path, Walk

__all__ = ["SIMPLE", "Handler", "handler_of", "identity", "object_of", "plain"]

MOST_ITEMS, MOST_BYTES = 1000, 2**16
SIMPLE = {bool, int, str, bytes, complex, type(None), type(...), range, np.dtype}  # compared by value

Handler = Callable[["Walk", Any, "Path", int], None]


def identity(walk: Walk, value: Any, path: Path, depth: int) -> None:
    walk.note(id(value), path)


def _number(walk: Walk, value: np.generic, path: Path, depth: int) -> None:
    walk.note((type(value), value.tobytes()), path)


def _tensor(walk: Walk, value: Tensor, path: Path, depth: int) -> None:
    data = value._data
    walk.found.kept.append(data)
    if id(value) in walk.trained:
        walk.note((id(value), id(data), value._requires_grad), path)
        return
    base = value._base
    changes = value._version, None if base is None else base._version
    shared = value._exposed and isinstance(data, np.ndarray) and data.nbytes <= MOST_BYTES  # it may change unnoticed
    known = data.tobytes() if shared else None
    walk.note((id(value), id(data), value._requires_grad, changes, known), path)


def _array(walk: Walk, value: np.ndarray, path: Path, depth: int) -> None:
    small = value.nbytes <= MOST_BYTES and not value.dtype.hasobject
    walk.note((id(value), value.shape, value.dtype.str, value.tobytes() if small else None), path)


def _dict(walk: Walk, value: dict[Any, Any], path: Path, depth: int) -> None:
    if len(value) > MOST_ITEMS:
        walk.note((id(value), len(value)), path)
        return
    walk.found.kept += value
    walk.note(tuple([key if type(key) in SIMPLE else id(key) for key in value]), path)
    walk.items(value.items(), path, "[]", depth)


def _sequence(walk: Walk, value: Collection[Any], path: Path, depth: int) -> None:
    if len(value) > MOST_ITEMS:
        walk.note((id(value), len(value)), path)
        return
    walk.note(len(value), path)
    walk.items(enumerate(value), path, "[]", depth)


def _generator(walk: Walk, value: Any, path: Path, depth: int) -> None:
    if isinstance(value, random.Random):
        walk.note(value.getstate(), path)
    elif isinstance(value, np.random.RandomState):
        walk.note(plain(value.get_state(legacy=False)), path)
    else:
        walk.note(plain(value.bit_generator.state), path)


def plain(state: Any) -> Any:
    """The state of a generator of random numbers, fit to be compared: arrays as bytes."""
    if isinstance(state, dict):
        return {name: plain(each) for name, each in state.items()}
    return state.tobytes() if isinstance(state, np.ndarray) else state


def _function(walk: Walk, value: types.FunctionType, path: Path, depth: int) -> None:
    code = value.__code__
    walk.found.kept.append(code)
    walk.note(id(code), path)
    if depth > 1 and _is_foreign(value.__module__ or ""):
        return
    for name, cell in zip(code.co_freevars, value.__closure__ or (), strict=True):
        walk.visit(_contents(cell), (path, "'s variable ", name), depth)
    for given in (value.__defaults__, value.__kwdefaults__):
        if given:
            walk.visit(given, (path, "'s ", "defaults"), depth)
    walk.items(value.__dict__.items(), path, ".", depth)
    names, attributes = _names(code)
    space = value.__globals__
    for name in names:
        if name in space:
            _global(walk, space[name], attributes, (path, "'s global ", name), depth)


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # the variable was not assigned yet
        return None


def _global(walk: Walk, value: Any, attributes: tuple[str, ...], path: Path, depth: int) -> None:
    """What a function finds in its module; of another module, what it may take from there."""
    if not isinstance(value, types.ModuleType):
        walk.visit(value, path, depth)
    elif not _is_foreign(value.__name__):
        space = vars(value)
        walk.items([(name, space[name]) for name in attributes if name in space], path, ".", depth)


_known_names: dict[int, tuple[Any, tuple[str, ...], tuple[str, ...]]] = {}


def _names(code: types.CodeType) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The globals and the attributes that a function's code reads, with the functions written inside it."""
    found = _known_names.get(id(code))
    if found is None:
        names: dict[str, None] = {}
        attributes: dict[str, None] = {}
        pending = [code]
        while pending:
            one = pending.pop()
            pending += [each for each in one.co_consts if isinstance(each, types.CodeType)]
            for step in dis.get_instructions(one):
                if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                    names[step.argval] = None
                elif step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
                    attributes[step.argval] = None
        if len(_known_names) > 10_000:  # functions made anew again and again
            _known_names.clear()
        found = _known_names[id(code)] = code, tuple(names), tuple(attributes)
    return found[1], found[2]


def _method(walk: Walk, value: types.MethodType, path: Path, depth: int) -> None:
    walk.visit(value.__self__, (None, "", type(value.__self__).__name__), depth)
    walk.visit(value.__func__, path, depth)


def _partial(walk: Walk, value: functools.partial[Any], path: Path, depth: int) -> None:
    walk.visit(value.func, (path, ".", "func"), depth)
    walk.visit(value.args, (path, ".", "args"), depth)
    walk.visit(value.keywords, (path, ".", "keywords"), depth)


def _wrapper(walk: Walk, value: Any, path: Path, depth: int) -> None:
    walk.visit(value.fget if isinstance(value, property) else value.__func__, path, depth)


def _class(walk: Walk, value: type, path: Path, depth: int) -> None:
    walk.note(id(value), path)
    for kind in _own_classes(value):
        if kind is value:
            names = [(name, each) for name, each in value.__dict__.items() if name[:2] != "__" or name == "__call__"]
            walk.items(names, path, ".", depth)
        else:
            walk.visit(kind, path, depth)


@functools.cache
def _own_classes(kind: type) -> list[type]:
    """The classes that a class is made of and that are not foreign."""
    return [each for each in kind.__mro__ if not _is_foreign(each.__module__)]


def object_of(kind: type) -> Handler:
    """How objects of a class with attributes are walked."""
    given = [getattr(each, "__slots__", ()) for each in kind.__mro__]
    slots = [name for names in given for name in ([names] if isinstance(names, str) else names)]
    slots = [name for name in slots if name not in ("__dict__", "__weakref__")]
    foreign, nothing = _is_foreign(kind.__module__), object()

    def walk_object(walk: Walk, value: Any, path: Path, depth: int) -> None:
        own = getattr(value, "__dict__", {})
        walk.note((id(kind), *own), path)
        walk.items(own.items(), path, ".", depth)
        for name in slots:
            walk.visit(getattr(value, name, nothing), (path, ".", name), depth)
        if not foreign:
            walk.visit(kind, (None, "", kind.__name__), depth)

    return walk_object


@functools.cache
def _is_foreign(module: str) -> bool:
    root = module.split(".")[0]
    if root in sys.stdlib_module_names or root in ("numpy", __name__.split(".")[0]):
        return True
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file


KINDS: list[tuple[Any, Handler]] = [
    (np.generic, _number),
    (Tensor, _tensor),
    (np.ndarray, _array),
    ((Optimizer, DataLoader), identity),
    (dict, _dict),
    ((list, tuple, set, frozenset, deque), _sequence),
    (type, _class),
    (types.FunctionType, _function),
    (types.MethodType, _method),
    (functools.partial, _partial),
    ((property, staticmethod, classmethod), _wrapper),
    ((np.random.Generator, np.random.RandomState, random.Random), _generator),
]


def handler_of(kind: type) -> Handler:
    """How values of a kind are walked."""
    for kinds, handler in KINDS:
        if issubclass(kind, kinds):
            return handler
    known = (Module, TensorDataset, types.SimpleNamespace, Namespace)
    return object_of(kind) if issubclass(kind, known) or not _is_foreign(kind.__module__) else identity
