"""A fingerprint of model and loss: what their Python code can read, cheap enough to take before every run.

A compiled step contains what Python computed while the step was traced. Two fingerprints are equal if nothing was
assigned in between: attributes, elements of lists and dicts, closures, defaults, globals that functions name, members
of classes, arrays and Tensors. The values of trained parameters are left out, because the steps change them.

Some things are known by identity only: objects of the standard library and of installed packages (unless they are
Modules, or the loss itself), arrays above MOST_BYTES, containers above MOST_ITEMS, and what lies deeper than DEPTH. A
change inside them does not show. `Fingerprint.complete` says whether there was none of them.

Next: side_effects.py.
"""

from __future__ import annotations

import dis
import functools
import random
import sys
import types
from argparse import Namespace
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np

from tinygrad_lr.data.batches import DataLoader, TensorDataset
from tinygrad_lr.engine.tensor import Tensor
from tinygrad_lr.nn import Module
from tinygrad_lr.optim import Optimizer

__all__ = ["Fingerprint", "comparable", "fingerprint"]

DEPTH, MOST_ITEMS, MOST_BYTES = 30, 1000, 2**16
SIMPLE = {bool, int, str, bytes, complex, type(None), type(...), range}  # compared by value
UNCHANGING = (  # known by identity, and nothing inside them changes
    *(int, float, complex, str, bytes, slice, np.dtype, np.ufunc, types.CodeType),
    *(types.WrapperDescriptorType, types.MethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType),
)
# What functions of these modules return depends on their arguments only. (Random numbers are refused elsewhere.)
PURE = {"builtins", "math", "cmath", "operator", "itertools", "functools", "typing", "collections", "abc", "numpy"}
PURE |= {__name__.split(".")[0]}
# Functions that call these may read what no walk can find.
LOOKS_ELSEWHERE = {"__import__", "compile", "dir", "eval", "exec", "getattr", "globals", "input", "locals", "open"}
LOOKS_ELSEWHERE |= {"vars"}
RECORDS = (TensorDataset, types.SimpleNamespace, Namespace)  # attributes, and no code that reads anything else
_NOTHING = slice(None)

Path = tuple[Any, str, Any]  # the holder's path, how the name is joined to it, the name: a text where it is asked for


def fingerprint(roots: Iterable[Any], trained: Collection[int] = ()) -> Fingerprint:
    """The fingerprint of some objects; `trained` are the ids of Tensors whose values the steps change.

    Example:
        >>> from tinygrad_lr import nn
        >>> model = nn.Sequential(nn.Linear(2, 1), nn.ReLU())
        >>> before = fingerprint([model])
        >>> before.complete
        True
        >>> model[0].in_features = 3
        >>> before.difference(fingerprint([model]))
        'Sequential.0.in_features'
    """
    found = Fingerprint(trained)
    for root in roots:
        found.visit(root, (None, "", getattr(root, "__name__", type(root).__name__)), 0)
    return found


class Fingerprint:
    """What a walk through everything that is held found, each object once; it keeps alive what it knows by identity."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, trained: Collection[int]) -> None:
        self.trained = trained
        self.complete = True
        self.entries: list[Any] = []
        self.paths: list[Path] = []
        self.kept: list[Any] = []
        self.seen: dict[int, int] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fingerprint) and self.entries == other.entries

    def difference(self, later: Fingerprint) -> str | None:
        """The path of the first thing that is another one later; None where all is the same."""
        for i, (one, other) in enumerate(zip(self.entries, later.entries, strict=False)):
            if one != other:
                return _shown(later.paths[i])
        longer = max(self, later, key=lambda each: len(each.entries))
        rest = longer.paths[min(len(self.entries), len(later.entries)) :]
        return _shown(rest[0]) if rest else None

    # --- the walk -----------------------------------------------------------------------------------------------------

    def note(self, entry: Any, path: Path) -> None:
        self.entries.append(entry)
        self.paths.append(path)

    def visit(self, value: Any, path: Path, depth: int) -> None:
        kind: type = type(value)
        if kind in SIMPLE:
            self.note((kind, value), path)
        elif kind is float:
            self.note(value or repr(value), path)  # -0.0 == 0.0
        elif id(value) in self.seen:
            self.note(("again", self.seen[id(value)]), path)
        else:
            self.seen[id(value)] = len(self.seen)
            self.kept.append(value)
            handler = _handler(kind)
            if depth == 0 and handler is Fingerprint.identity:
                handler = Fingerprint.walk_object  # a model or a loss of an installed package
            (handler if depth < DEPTH else Fingerprint.identity)(self, value, path, depth + 1)

    def items(self, items: Iterable[tuple[Any, Any]], path: Path, how: str, depth: int) -> None:
        for name, value in items:
            kind = type(value)
            if kind in SIMPLE:  # as in visit, without a call for each
                self.entries.append((kind, value))
                self.paths.append((path, how, name))
            else:
                self.visit(value, (path, how, name), depth)

    # --- how each kind of value is walked: what can change in it is noted, and what it holds is visited -------------

    def identity(self, value: Any, path: Path, depth: int) -> None:
        self.note(id(value), path)
        if not isinstance(value, UNCHANGING):
            known = isinstance(value, types.BuiltinFunctionType) and _is_pure(value.__module__)
            self.complete = self.complete and known

    def walk_number(self, value: np.generic, path: Path, depth: int) -> None:
        self.note((type(value), value.tobytes()), path)

    def walk_tensor(self, value: Tensor, path: Path, depth: int) -> None:
        data = value._data
        self.kept.append(data)
        if id(value) in self.trained:
            self.note((id(value), id(data), value._requires_grad), path)
            return
        base = value if value._base is None else value._base
        known = None
        if base._exposed:  # its memory may change unnoticed
            known = self.bytes_of(data)
        self.note((id(value), id(data), value._requires_grad, value._version, base._version, known), path)

    def walk_array(self, value: np.ndarray, path: Path, depth: int) -> None:
        self.note((id(value), value.shape, value.dtype.str, self.bytes_of(value)), path)

    def bytes_of(self, array: Any) -> bytes | None:
        """The values of a small array."""
        if isinstance(array, np.ndarray) and array.nbytes <= MOST_BYTES and not array.dtype.hasobject:
            return array.tobytes()
        self.complete = False
        return None

    def walk_dict(self, value: dict[Any, Any], path: Path, depth: int) -> None:
        if self.is_short(value, path):
            self.kept += value
            self.note(tuple([key if type(key) in SIMPLE else id(key) for key in value]), path)
            self.items(value.items(), path, "[]", depth)

    def walk_sequence(self, value: Collection[Any], path: Path, depth: int) -> None:
        if self.is_short(value, path):
            self.note(len(value), path)
            self.items(enumerate(value), path, "[]", depth)

    def is_short(self, value: Collection[Any], path: Path) -> bool:
        if len(value) <= MOST_ITEMS:
            return True
        self.complete = False
        self.note((id(value), len(value)), path)
        return False

    def walk_generator(self, value: Any, path: Path, depth: int) -> None:
        if isinstance(value, random.Random):
            self.note(value.getstate(), path)
        elif isinstance(value, np.random.RandomState):
            self.note(comparable(value.get_state(legacy=False)), path)
        else:
            self.note(comparable(value.bit_generator.state), path)

    def walk_function(self, value: types.FunctionType, path: Path, depth: int) -> None:
        code = value.__code__
        self.kept.append(code)
        self.note(id(code), path)
        for name, cell in zip(code.co_freevars, value.__closure__ or (), strict=True):
            self.visit(_contents(cell), (path, "'s variable ", name), depth)
        for given in (value.__defaults__, value.__kwdefaults__):
            if given:
                self.visit(given, (path, "'s ", "defaults"), depth)
        self.items(value.__dict__.items(), path, ".", depth)
        if _is_pure(value.__module__):
            return
        if depth > 1 and _is_foreign(value.__module__ or ""):
            self.complete = False
            return
        names, attributes, imports = _names(code)
        space = value.__globals__
        for name in names:
            if name in space:
                self.found_in_module(space[name], attributes, (path, "'s global ", name), depth)
        if imports or not LOOKS_ELSEWHERE.isdisjoint(names):
            self.complete = False

    def found_in_module(
        self, value: Any, attributes: tuple[str, ...], path: Path, depth: int, outer: tuple[Any, ...] = ()
    ) -> None:
        """What a function finds in its module; of another module, what it may take from there."""
        if not isinstance(value, types.ModuleType):
            self.visit(value, path, depth)
        elif _is_foreign(value.__name__):
            self.complete = self.complete and _is_pure(value.__name__)
        elif value not in outer:
            space = vars(value)
            for name in attributes:
                if name in space:
                    self.found_in_module(space[name], attributes, (path, ".", name), depth, (*outer, value))

    def walk_method(self, value: types.MethodType, path: Path, depth: int) -> None:
        self.visit(value.__self__, (None, "", type(value.__self__).__name__), depth)
        self.visit(value.__func__, path, depth)

    def walk_partial(self, value: functools.partial[Any], path: Path, depth: int) -> None:
        for name in ("func", "args", "keywords"):
            self.visit(getattr(value, name), (path, ".", name), depth)

    def walk_wrapper(self, value: Any, path: Path, depth: int) -> None:
        self.visit(value.fget if isinstance(value, property) else value.__func__, path, depth)

    def walk_type(self, value: type, path: Path, depth: int) -> None:
        self.note(id(value), path)
        self.complete = self.complete and _is_known(value)
        for kind in _own_classes(value):
            if kind is value:
                self.items(_members(kind), path, ".", depth)
            else:
                self.visit(kind, path, depth)

    def walk_object(self, value: Any, path: Path, depth: int) -> None:
        kind: type = type(value)
        own = getattr(value, "__dict__", {})
        self.note((id(kind), *own), path)
        self.items(own.items(), path, ".", depth)
        for name in _slots(kind):
            self.visit(getattr(value, name, _NOTHING), (path, ".", name), depth)
        if not _is_foreign(kind.__module__):
            self.visit(kind, (None, "", kind.__name__), depth)
        elif isinstance(value, Module):
            self.visit(type(value).forward, (None, "", kind.__name__), depth)
        elif not isinstance(value, RECORDS) and not _is_pure(kind.__module__):
            self.complete = False


def _shown(path: Path) -> str:
    parts: list[str] = []
    rest: Path | None = path
    while rest is not None:
        rest, how, name = rest
        parts.append(f"[{name!r}]" if how == "[]" else f"{how}{name}")
    return "".join(reversed(parts))


def comparable(state: Any) -> Any:
    """The state of a generator of random numbers, fit to be compared: arrays as bytes."""
    if isinstance(state, dict):
        return {name: comparable(each) for name, each in state.items()}
    return state.tobytes() if isinstance(state, np.ndarray) else state


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # the variable was not assigned yet
        return None


@functools.lru_cache(10_000)
def _names(code: types.CodeType) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """The globals and the attributes that a function's code reads, with the functions written inside it, and whether it
    imports anything."""
    names: dict[str, None] = {}
    attributes: dict[str, None] = {}
    imports = False
    pending = [code]
    while pending:
        one = pending.pop()
        pending += [each for each in one.co_consts if isinstance(each, types.CodeType)]
        for step in dis.get_instructions(one):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                names[step.argval] = None
            elif step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
                attributes[step.argval] = None
            imports = imports or step.opname == "IMPORT_NAME"
    return tuple(names), tuple(attributes), imports


@functools.lru_cache(1000)
def _own_classes(kind: type) -> list[type]:
    """The classes that a class is made of and that are not foreign."""
    return [each for each in kind.__mro__ if not _is_foreign(each.__module__)]


@functools.lru_cache(1000)
def _is_known(kind: type) -> bool:
    """Whether every class that it is made of is the user's own or pure."""
    return all(_is_pure(each.__module__) or not _is_foreign(each.__module__) for each in kind.__mro__)


def _members(kind: type) -> list[tuple[str, Any]]:
    """What instances find in a class, but for what Python keeps there itself."""
    return [(name, each) for name, each in vars(kind).items() if name[:2] != "__" or isinstance(each, CODE)]


@functools.lru_cache(1000)
def _slots(kind: type) -> list[str]:
    given = [getattr(each, "__slots__", ()) for each in kind.__mro__]
    slots = [name for names in given for name in ([names] if isinstance(names, str) else names)]
    return [name for name in slots if name not in ("__dict__", "__weakref__")]


@functools.cache
def _is_foreign(module: str) -> bool:
    """Whether a module belongs to Python, to an installed package or to this one."""
    root = module.split(".")[0]
    if root in sys.stdlib_module_names or root in ("numpy", __name__.split(".")[0]):
        return True
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file


def _is_pure(module: str | None) -> bool:
    return module is not None and module.split(".")[0] in PURE


Handler = Callable[[Fingerprint, Any, Path, int], None]
CODE = (types.FunctionType, property, staticmethod, classmethod)
KINDS: list[tuple[Any, Handler]] = [
    (np.generic, Fingerprint.walk_number),
    (Tensor, Fingerprint.walk_tensor),
    (np.ndarray, Fingerprint.walk_array),
    ((Optimizer, DataLoader, *UNCHANGING), Fingerprint.identity),
    (dict, Fingerprint.walk_dict),
    ((list, tuple, set, frozenset, deque), Fingerprint.walk_sequence),
    (type, Fingerprint.walk_type),
    (types.FunctionType, Fingerprint.walk_function),
    (types.MethodType, Fingerprint.walk_method),
    (functools.partial, Fingerprint.walk_partial),
    ((property, staticmethod, classmethod), Fingerprint.walk_wrapper),
    ((np.random.Generator, np.random.RandomState, random.Random), Fingerprint.walk_generator),
    ((Module, *RECORDS), Fingerprint.walk_object),
]


@functools.lru_cache(1000)
def _handler(kind: type) -> Handler:
    """How values of a kind are walked."""
    foreign = _is_foreign(kind.__module__)
    found = [handler for kinds, handler in KINDS if issubclass(kind, kinds)][:1]
    if not foreign and found not in ([Fingerprint.walk_type], [Fingerprint.walk_object]):
        found.append(Fingerprint.walk_object)  # a class of the user's: attributes too
    if len(found) < 2:
        return found[0] if found else Fingerprint.identity

    def both(walk: Fingerprint, value: Any, path: Path, depth: int) -> None:
        for handler in found:
            handler(walk, value, path, depth)

    return both
